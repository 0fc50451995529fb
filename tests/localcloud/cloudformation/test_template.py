from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.cloudformation.template import TemplateError, mentions, order, parse, references

_NAMES = st.text("ABCDEFG", min_size=1, max_size=2)


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(_NAMES, min_size=1, max_size=8, unique=True))
    resources = {}
    for place, name in enumerate(names):
        needed = draw(st.sets(st.sampled_from(names[:place]))) if place else set()
        how = draw(st.sampled_from(["Ref", "GetAtt", "Sub", "DependsOn"]))
        resource: dict[str, Any] = {"Type": "A::B::C", "Properties": {}}
        if how == "DependsOn":
            resource["DependsOn"] = sorted(needed)
        elif how == "Ref":
            resource["Properties"]["List"] = [{"Ref": each} for each in needed]
        elif how == "GetAtt":
            resource["Properties"] = {each: {"Fn::GetAtt": [each, "Arn"]} for each in needed}
        else:
            text = " ".join(f"${{{each}.Arn}}" for each in needed)
            resource["Properties"]["Deep"] = {"Fn::Join": ["", [{"Fn::Sub": text}]]}
        resources[name] = resource | {"needed": needed}
    shuffled = draw(st.permutations(list(resources)))
    return {name: resources[name] for name in shuffled}


@given(acyclic())
def test_each_resource_is_ordered_after_its_dependencies(resources: dict[str, Any]) -> None:
    needed = {name: each.pop("needed") for name, each in resources.items()}

    placed = order(resources)

    assert sorted(placed) == sorted(resources)
    for name, others in needed.items():
        assert all(placed.index(other) < placed.index(name) for other in others)
    assert order(resources) == placed


def test_a_circle_is_named() -> None:
    resources = {
        "A": {"Type": "T", "Properties": {"P": {"Ref": "B"}}},
        "B": {"Type": "T", "DependsOn": "A"},
    }
    with pytest.raises(TemplateError, match=r"Circular dependency between resources: \[A, B\]"):
        order(resources)


def test_depends_on_an_unknown_resource_is_an_error() -> None:
    with pytest.raises(
        TemplateError,
        match=r"Unresolved resource dependencies \[Gone\] in the Resources block of the template",
    ):
        order({"A": {"Type": "T", "DependsOn": ["Gone"]}})


def test_mentions() -> None:
    value = {
        "Fn::Sub": ["${A.Arn} ${!Literal} ${Own} ${B}", {"Own": {"Fn::GetAtt": "C.D.E"}}],
    }
    assert mentions([value, {"Ref": "P"}]) == {
        ("A", "Arn"), ("B", ""), ("C", "D.E"), ("P", ""),
    }  # fmt: skip
    assert references({"Condition": {"StringEquals": {"Ref": "X"}}}) == {"X"}


def test_yaml_in_its_short_forms_is_the_same_as_json() -> None:
    text = """
        Resources:
          Role:
            Type: AWS::IAM::Role
            Properties:
              AssumeRolePolicyDocument: {Version: 2012-10-17}
              Arn: !GetAtt A.B.C
              Name: !Sub "${Other}-x"
              Names: !If [Prod, !Ref Other, !Join ["-", [a, !Select [0, [b]]]]]
    """
    parsed = parse(text)
    assert parsed["Resources"]["Role"]["Properties"] == {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17"},
        "Arn": {"Fn::GetAtt": ["A", "B.C"]},
        "Name": {"Fn::Sub": "${Other}-x"},
        "Names": {
            "Fn::If": [
                "Prod",
                {"Ref": "Other"},
                {"Fn::Join": ["-", ["a", {"Fn::Select": [0, ["b"]]}]]},
            ]
        },
    }
    assert parse(json.dumps(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Template format error"),
        ("- a", "Template format error: unsupported structure."),
        ("Resources: {", "Template format error"),
        ("Resources: {}", "At least one Resources member must be defined"),
        ("Resources: {A: {}}", r"\[/Resources/A\] resource definition is malformed"),
        ("Stuff: 1", r"Invalid template property or properties \[Stuff\]"),
        ("Resources: []", "Every Resources object must be an object"),
        (
            '{"Transform": "AWS::Serverless-2016-10-31", "Resources": {"A": {"Type": "T"}}}',
            "Transform AWS::Serverless-2016-10-31 is not part of the local cloud",
        ),
        (
            "Resources: {A: {Type: T, Properties: {P: {'Fn::GetAtt': [A]}}}}",
            "every Fn::GetAtt object requires two non-empty parameters",
        ),
    ],
)
def test_an_unreadable_template_is_an_error(text: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        parse(text)
