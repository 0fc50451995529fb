from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.cloudformation.checks import check_rules
from localcloud.cloudformation.intrinsics import NotCreatedError, Resolver
from localcloud.cloudformation.parameters import parameter_values, reference_values
from localcloud.cloudformation.template import TemplateError
from localcloud.core.providers import Resource

_TEMPLATE: dict[str, Any] = {
    "Mappings": {"Sizes": {"eu-west-1": {"big": 8, "names": ["x", "y"]}}},
    "Conditions": {
        "Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "NotProd": {"Fn::Not": [{"Condition": "Prod"}]},
        "Both": {"Fn::And": [{"Condition": "Prod"}, {"Condition": "NotProd"}]},
        "Either": {"Fn::Or": [{"Condition": "Prod"}, {"Condition": "NotProd"}]},
    },
}


def resolver(**given_values: Any) -> Resolver:
    return Resolver(
        _TEMPLATE,
        parameters={"Stage": "dev", "Zones": ["a", "b"]} | given_values,
        pseudo={"AWS::Region": "eu-west-1", "AWS::AccountId": "111111111111"},
        resources={"Made": Resource("made-1", {"Arn": "arn:made", "Nested.Value": 7}, {})},
        dynamic=lambda service, reference: f"<{service} {reference}>",
        imported={"shared": "value"}.__getitem__,
        gateway="http://127.0.0.1:1",
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"Ref": "Made"}, "made-1"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "Zones"}, ["a", "b"]),
        ({"Fn::GetAtt": ["Made", "Arn"]}, "arn:made"),
        ({"Fn::GetAtt": "Made.Nested.Value"}, 7),
        ({"Fn::Sub": "${Made}/${Made.Arn}/${!Kept}/${ Stage }"}, "made-1/arn:made/${Kept}/dev"),
        ({"Fn::Sub": ["${A} ${AWS::AccountId}", {"A": {"Ref": "Stage"}}]}, "dev 111111111111"),
        ({"Fn::Join": ["-", [{"Ref": "Made"}, {"Ref": "AWS::NoValue"}, True]]}, "made-1-true"),
        ({"Fn::Select": ["1", {"Ref": "Zones"}]}, "b"),
        ({"Fn::Select": [0, {"Fn::Split": [",", "a,b"]}]}, "a"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "big"]}, 8),
        ({"Fn::If": ["Prod", "p", {"Ref": "AWS::NoValue"}]}, None),
        ({"A": {"Fn::If": ["Prod", "p", {"Ref": "AWS::NoValue"}]}, "B": 1}, {"B": 1}),
        ([{"Ref": "AWS::NoValue"}, 2], [2]),
        ({"Fn::Base64": "x"}, base64.b64encode(b"x").decode()),
        ({"Fn::GetAZs": ""}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::ImportValue": "shared"}, "value"),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ("{{resolve:ssm:/a/b:3}}", "<ssm /a/b:3>"),
        ({"Condition": {"StringEquals": {"a": "b"}}}, {"Condition": {"StringEquals": {"a": "b"}}}),
        (
            {"Fn::Join": ["", ["https://abcdefghij", ".execute-api.eu-west-1.amazonaws.com/v1"]]},
            "http://127.0.0.1:1/abcdefghij/v1",
        ),
    ],
)  # fmt: skip
def test_functions(value: Any, found: Any) -> None:
    assert resolver().value(value) == found


def test_conditions() -> None:
    for stage, prod in (("prod", True), ("dev", False)):
        it = resolver(Stage=stage)
        held = {name: it.condition(name) for name in _TEMPLATE["Conditions"]}
        assert held == {"Prod": prod, "NotProd": not prod, "Both": False, "Either": True}
        assert it.holds({"Condition": "Prod"}) is prod
        assert it.holds({})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"Fn::GetAtt": ["Made", "Nothing"]}, "not support attribute type Nothing in Fn::GetAtt"),
        ({"Fn::Select": [2, ["a"]]}, "Fn::Select cannot select nonexistent value at index 2"),
        ({"Fn::Select": [-1, ["a"]]}, "Fn::Select cannot select nonexistent value at index -1"),
        ({"Fn::FindInMap": ["Sizes", "us", "big"]}, "Unable to get mapping for Sizes::us::big"),
        ({"Fn::If": ["Nowhere", 1, 2]}, "Unresolved condition Nowhere"),
        ({"Fn::Transform": {"Name": "Include"}}, "Fn::Transform is not part of the local cloud"),
        ({"Fn::Cidr": ["10.0.0.0/30", 9, 1]}, "Fn::Cidr finds only 2 in 10.0.0.0/30"),
        ({"Fn::Cidr": ["ten", 1, 1]}, "Fn::Cidr of ten"),
    ],
)  # fmt: skip
def test_an_unresolvable_reference_is_named(value: Any, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        resolver().value(value)


def test_a_reference_to_a_resource_not_created_yet_has_its_own_error() -> None:
    with pytest.raises(NotCreatedError):
        resolver().value({"Fn::Sub": "${Later.Arn}"})


@given(st.lists(st.text("abc-", min_size=1), min_size=1))
def test_split_inverts_join(parts: list[str]) -> None:
    joined = {"Fn::Join": ["|", parts]}
    assert resolver().value({"Fn::Split": ["|", joined]}) == parts


@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), st.text("xyz${}! ", max_size=5)))
def test_sub_substitutes_each_variable_once(names: dict[str, str]) -> None:
    text = "".join(f"<${{{name}}}>" for name in names)
    found = resolver().value({"Fn::Sub": [text, names]})
    assert found == "".join(f"<{value}>" for value in names.values())


_MAX_DECLARATIONS = {
    "Parameters": {
        "Size": {"Type": "Number", "MinValue": 1, "MaxValue": 9, "Default": 3},
        "Name": {"Type": "String", "AllowedPattern": "[a-z]+", "MaxLength": 4, "Default": "abc"},
        "Zone": {"Type": "String", "AllowedValues": ["a", "b"], "Default": "a"},
        "Needed": {"Type": "String"},
        "List": {"Type": "CommaDelimitedList", "Default": "x, y"},
        "Stored": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/list"},
    }
}


def _given(**values: Any) -> list[dict[str, Any]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]


def test_parameters_are_given_kept_or_default() -> None:
    kept = {"ParameterKey": "Needed", "UsePreviousValue": True}
    values = parameter_values(_MAX_DECLARATIONS, [*_given(Size="4"), kept], {"Needed": "before"})
    assert (values["Size"], values["Needed"], values["Name"]) == ("4", "before", "abc")
    found = reference_values(_MAX_DECLARATIONS, values, {"/list": "p,q"}.__getitem__)
    assert (found["List"], found["Stored"], found["Size"]) == (["x", "y"], ["p", "q"], "4")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, r"Parameters: \[Needed\] must have values"),
        ({"Needed": "", "Size": "ten"}, "Parameter 'Size' must be a number"),
        ({"Needed": "", "Size": "10"}, "Parameter 'Size' must be at most 9"),
        ({"Needed": "", "Name": "ABC"}, r"Parameter 'Name' must match pattern \[a-z\]\+"),
        ({"Needed": "", "Name": "abcde"}, "Parameter 'Name' must contain at most 4 characters"),
        ({"Needed": "", "Zone": "c"}, "Parameter 'Zone' must be one of AllowedValues"),
        ({"Needed": "", "Other": "c"}, r"Parameters: \[Other\] do not exist in the template"),
    ],
)
def test_a_parameter_that_is_not_allowed(values: dict[str, str], said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        parameter_values(_MAX_DECLARATIONS, _given(**values), {})


def test_rules_assert() -> None:
    newer = {"Fn::Not": [{"Fn::Contains": [["1", "2"], {"Ref": "Version"}]}]}
    rule = {"Assertions": [{"Assert": newer, "AssertDescription": "Bootstrap again."}]}
    check_rules({"Rules": {"Check": rule}}, resolver(Version="21"))
    check_rules(
        {"Rules": {"Check": rule | {"RuleCondition": {"Fn::Equals": ["a", "b"]}}}},
        resolver(Version="2"),
    )
    with pytest.raises(TemplateError, match=r"Rule Check failed: Bootstrap again\."):
        check_rules({"Rules": {"Check": rule}}, resolver(Version="2"))
