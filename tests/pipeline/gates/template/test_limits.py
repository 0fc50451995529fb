"""PH201 to PH203: values near an AWS quota."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def _pipeline(*sizes: int, **configuration: str) -> dict[str, Any]:
    stages = [
        {
            "Name": f"S{number}",
            "Actions": [
                {"Name": f"a{each}", "Configuration": configuration} for each in range(size)
            ],
        }
        for number, size in enumerate(sizes)
    ]
    return {"Pipe": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"Stages": stages}}}


def _policy(size: int, **attached: Any) -> dict[str, Any]:
    """Return a policy of this many characters without white space."""
    frame = len('{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":""}]}')
    statement = {"Effect": "Allow", "Action": "a:b", "Resource": "r" * (size - frame)}
    return {
        "Type": "AWS::IAM::Policy",
        "Properties": {"PolicyDocument": {"Statement": [statement]}, **attached},
    }


@pytest.mark.parametrize(
    ("sizes", "what"),
    [
        ((60,), ["Pipe S0"]),
        ((50, 50), []),
        ((51, 1, 51), ["Pipe S0", "Pipe S2"]),
        ((50,) * 11, ["Pipe actions"]),
        ((1,) * 51, ["Pipe stages"]),
    ],
)
def test_a_pipeline_has_a_limit_of_stages_and_actions(
    sizes: tuple[int, ...], what: list[str], found: Callable[..., list[tuple[str, str]]]
) -> None:
    assert found(_pipeline(*sizes)) == [("PH201", each) for each in what]


def test_an_actions_configuration_has_a_limit_of_characters(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    assert found(_pipeline(1, EnvironmentVariables="x" * 45_000)) == []
    assert found(_pipeline(1, EnvironmentVariables="x" * 45_001)) == [
        ("PH201", "Pipe S0 a0 EnvironmentVariables")
    ]


def test_a_template_has_a_size_limit(found: Callable[..., list[tuple[str, str]]]) -> None:
    def topic(size: int) -> dict[str, Any]:
        return {"T": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "é" * size}}}

    # JSON writes each é as six bytes.
    assert found(topic(150_000)) == []
    assert found(topic(160_000)) == [("PH202", "files size")]


def test_a_stack_has_a_limit_of_resources(found: Callable[..., list[tuple[str, str]]]) -> None:
    def topics(count: int) -> dict[str, Any]:
        return {f"T{each}": {"Type": "AWS::SNS::Topic"} for each in range(count)}

    assert found(topics(450)) == []
    assert found(topics(451)) == [("PH202", "files resources")]


def test_all_inline_policies_of_a_role_count_together(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    role: dict[str, Any] = {"Role": {"Type": "AWS::IAM::Role"}}
    half = _policy(4_608, Roles=[{"Ref": "Role"}])
    assert found({**role, "A": half, "B": half}) == []
    more = _policy(4_609, Roles=[{"Ref": "Role"}])
    assert found({**role, "A": half, "B": more}) == [("PH203", "${Role} inline policies")]
    inside = {"Policies": [{"PolicyDocument": more["Properties"]["PolicyDocument"]}]}
    role["Role"] = {"Type": "AWS::IAM::Role", "Properties": inside}
    assert found({**role, "A": half}) == [("PH203", "${Role} inline policies")]


def test_an_unresolved_value_counts_as_the_length_of_an_arn(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    """100 references of 4 characters each count as 6,000, their size when deployed."""
    statement = {"Effect": "Allow", "Action": "a:b", "Resource": [{"Ref": "A"}] * 100}
    document = {"Statement": [statement]}
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    assert found({"Policy": policy}) == [("PH203", "Policy PolicyDocument")]


@pytest.mark.parametrize(
    ("type_", "key", "most"),
    [
        ("AWS::IAM::ManagedPolicy", "PolicyDocument", 5_529),
        ("AWS::IAM::Role", "AssumeRolePolicyDocument", 1_843),
        ("AWS::S3::BucketPolicy", "PolicyDocument", 18_432),
        ("AWS::KMS::Key", "KeyPolicy", 29_491),
    ],
)
def test_each_kind_of_policy_has_its_own_limit(
    type_: str, key: str, most: int, found: Callable[..., list[tuple[str, str]]]
) -> None:
    for size, what in ((most, []), (most + 1, [("PH203", f"P {key}")])):
        document = _policy(size)["Properties"]["PolicyDocument"]
        assert found({"P": {"Type": type_, "Properties": {key: document}}}) == what
