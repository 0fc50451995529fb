from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.eventbridge.patterns import PatternError, matches, parse

EVENT = {
    "source": "aws.ec2",
    "resources": ["arn:a", "arn:b"],
    "region": "us-west-2",
    "detail": {
        "state": "Running",
        "empty": "",
        "none": None,
        "flag": True,
        "count": 300,
        "ratio": 2.5,
        "ip": "10.0.0.7",
        "file": "images/cat.PNG",
        "nested": {"list": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
    },
}


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"state": ["Running"]}, True),
        ({"state": ["running"]}, False),
        ({"state": ["stopped", "Running"]}, True),
        ({"empty": [""]}, True),
        ({"none": [None]}, True),
        ({"state": [None]}, False),
        ({"flag": [True]}, True),
        ({"flag": [1]}, False),
        ({"count": [300]}, True),
        ({"count": [300.0]}, False),
        ({"count": ["300"]}, False),
        ({"missing": ["x"]}, False),
        ({"state": [{"prefix": "Run"}]}, True),
        ({"state": [{"prefix": {"equals-ignore-case": "rUN"}}]}, True),
        ({"file": [{"suffix": ".png"}]}, False),
        ({"file": [{"suffix": {"equals-ignore-case": ".png"}}]}, True),
        ({"state": [{"equals-ignore-case": "RUNNING"}]}, True),
        ({"state": [{"anything-but": "stopped"}]}, True),
        ({"state": [{"anything-but": ["Running", "stopped"]}]}, False),
        ({"count": [{"anything-but": [100, 300]}]}, False),
        ({"count": [{"anything-but": 100}]}, True),
        ({"state": [{"anything-but": {"prefix": "Run"}}]}, False),
        ({"state": [{"anything-but": {"suffix": ["x", "y"]}}]}, True),
        ({"state": [{"anything-but": {"equals-ignore-case": ["running"]}}]}, False),
        ({"file": [{"anything-but": {"wildcard": "*/cat.*"}}]}, False),
        ({"missing": [{"anything-but": "x"}]}, False),
        ({"count": [{"numeric": [">", 0, "<=", 300]}]}, True),
        ({"count": [{"numeric": [">", 300]}]}, False),
        ({"ratio": [{"numeric": ["=", 2.5]}]}, True),
        ({"state": [{"numeric": ["=", 2.5]}]}, False),
        ({"flag": [{"numeric": ["=", 1]}]}, False),
        ({"state": [{"exists": True}]}, True),
        ({"state": [{"exists": False}]}, False),
        ({"missing": [{"exists": False}]}, True),
        ({"missing": {"deeper": [{"exists": False}]}}, True),
        ({"missing": [{"exists": True}]}, False),
        # `exists` only matches leaves.
        ({"nested": [{"exists": True}]}, False),
        ({"ip": [{"cidr": "10.0.0.0/24"}]}, True),
        ({"ip": [{"cidr": "10.0.1.0/24"}]}, False),
        ({"state": [{"cidr": "10.0.1.0/24"}]}, False),
        ({"file": [{"wildcard": "*/cat.*"}]}, True),
        ({"file": [{"wildcard": "cat*"}]}, False),
        ({"nested": {"list": {"a": [3], "b": [4]}}}, True),
        ({"nested": {"list": {"a": [1], "b": [4]}}}, False),
        ({"$or": [{"state": ["x"]}, {"count": [{"numeric": [">", 1]}]}]}, True),
        ({"$or": [{"state": ["x"]}, {"count": [1]}], "flag": [True]}, False),
    ],
)
def test_the_operator_examples_of_the_user_guide(detail: dict[str, Any], expected: bool) -> None:
    pattern = parse(json.dumps({"source": ["aws.ec2"], "detail": detail}))
    assert matches(pattern, EVENT) is expected


def test_any_element_of_an_array_matches() -> None:
    assert matches(parse('{"resources": ["arn:b", "arn:c"]}'), EVENT)
    assert not matches(parse('{"resources": ["arn:c"]}'), EVENT)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("nonsense", "JSON"),
        ("[]", "not an object"),
        ("{}", "Empty objects"),
        ('{"a": "b"}', "must be an object or an array"),
        ('{"a": []}', "Empty arrays"),
        ('{"a": [["b"]]}', "Match value must be"),
        ('{"a": [{"near": 1}]}', "Unrecognized match type near"),
        ('{"a": [{"prefix": "a", "suffix": "b"}]}', "Only one key"),
        ('{"a": [{"exists": "yes"}]}', "true or false"),
        ('{"a": [{"prefix": 1}]}', "must be a string"),
        ('{"a": [{"numeric": [">"]}]}', "an operator and a number"),
        ('{"a": [{"numeric": ["~", 1]}]}', "Unrecognized numeric"),
        ('{"a": [{"numeric": [">", 6000000000]}]}', "5.0E9"),
        ('{"a": [{"cidr": "10.0.0.0/99"}]}', "Malformed CIDR"),
        ('{"a": [{"wildcard": "a**b"}]}', "Consecutive wildcard"),
        ('{"a": [{"wildcard": "a\\\\b"}]}', "Invalid escape"),
        ('{"a": [{"anything-but": {"numeric": ["=", 1]}}]}', "anything-but"),
        ('{"a": [{"anything-but": [true, null]}]}', "anything-but"),
        ('{"$or": [{"a": ["b"]}]}', "at least two"),
    ],
)
def test_an_invalid_pattern_is_an_error_with_a_reason(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError, match=re.escape(reason)):
        parse(pattern)


TEXT = st.text(st.sampled_from("ab*\\."), max_size=6)
LEAF = st.one_of(TEXT, st.integers(-5, 5), st.booleans(), st.none())
DOCUMENT = st.recursive(
    st.dictionaries(st.sampled_from("xyz"), LEAF, min_size=1, max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from("xyz"), st.one_of(LEAF, inner), min_size=1, max_size=3
    ),
    max_leaves=8,
)


def exact(document: dict[str, Any]) -> dict[str, Any]:
    return {
        key: exact(value) if isinstance(value, dict) else [value] for key, value in document.items()
    }


@given(DOCUMENT, DOCUMENT)
def test_a_document_as_a_pattern_matches_its_supersets(
    document: dict[str, Any], other: dict[str, Any]
) -> None:
    pattern = parse(json.dumps(exact(document)))
    assert matches(pattern, document)
    assert matches(pattern, other | document)
    contained = all(key in other and _same(value, other[key]) for key, value in document.items())
    assert matches(pattern, other) is contained


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(key in found and _same(value, found[key]) for key, value in wanted.items())
    return type(wanted) is type(found) and bool(wanted == found)


@given(LEAF.filter(lambda value: isinstance(value, str | int)
                   and not isinstance(value, bool)), LEAF)  # fmt: skip
def test_anything_but_negates_exact(wanted: Any, value: Any) -> None:
    but = parse(json.dumps({"a": [{"anything-but": wanted}]}))
    same = parse(json.dumps({"a": [wanted]}))
    assert matches(but, {"a": value}) is not matches(same, {"a": value})


@given(st.lists(st.text("ab*\\", max_size=3), min_size=1, max_size=4), st.text("ab*\\", max_size=8))
def test_a_wildcard_matches_any_text(parts: list[str], value: str) -> None:
    literal = [part.replace("\\", "\\\\").replace("*", "\\*") for part in parts]
    # An empty part between two stars would make them consecutive.
    if any(not part for part in parts[1:-1]):
        return
    pattern = parse(json.dumps({"a": [{"wildcard": "*".join(literal)}]}))
    assert matches(pattern, {"a": "x".join(parts)})
    expected = re.fullmatch(".*".join(map(re.escape, parts)), value) is not None
    assert matches(pattern, {"a": value}) is expected
