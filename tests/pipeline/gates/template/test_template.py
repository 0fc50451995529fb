from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gates.template.template import (
    Template,
    TemplateError,
    listed,
    mapping,
    number,
    references,
    text,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Ref", "Fn::GetAtt", "Fn::Join", "Fn::Sub", "Fn::If", "a"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            {"Fn::Join": ["", [{"Fn::GetAtt": ["Files", "Arn"]}, "/*"]]},
            {"Fn::Sub": "${Files.Arn}/*"},
        ),
        ({"Fn::GetAtt": "Files.Arn"}, {"Fn::GetAtt": ["Files", "Arn"]}),
        ({"Fn::Sub": ["${name}-x", {"name": {"Ref": "Files"}}]}, {"Fn::Sub": "${Files}-x"}),
        ({"Fn::Join": ["-", ["a", {"Fn::Join": ["", ["b", "c"]]}]]}, "a-bc"),
    ],
)
def test_equivalent_values_have_the_same_canonical_text(one: object, other: object) -> None:
    assert text(one) == text(other)
    assert set(references(one)) == set(references(other))


def test_references_exclude_local_names_of_a_sub() -> None:
    value = {"a": [{"Fn::Sub": ["${x}${Bucket.Arn}${!literal}", {"x": {"Ref": "Key"}}]}]}
    assert list(references(value)) == ["Bucket", "Key"]


@given(JSON)
def test_any_value_is_accepted(value: object) -> None:
    assert isinstance(text(value), str)
    assert all(isinstance(each, str) for each in references(value))
    assert isinstance(listed(value), list)
    assert isinstance(mapping(value), dict)


def test_an_intrinsic_function_is_not_a_mapping() -> None:
    assert mapping({"Fn::If": ["c", {"a": 1}, {"b": 1}]}) == {}
    assert mapping({"a": 1}) == {"a": 1}


def test_numbers_may_be_strings() -> None:
    assert (number("60"), number(60), number(True), number({"Ref": "P"}), number("x")) == (
        60, 60, None, None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "Resources: found no object"),
        ({"Resources": []}, "Resources: found no object"),
        ({"Resources": {"A": {}}}, "Resources.A: found no Type"),
        ({"Resources": {"A": {"Type": 1}}}, "Resources.A: found no Type"),
    ],
)
def test_an_invalid_template_is_an_error(document: object, why: str) -> None:
    with pytest.raises(TemplateError, match=why):
        Template.of(document)
