"""PH401 and PH402: broad grants of policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def _identity(**statement: Any) -> dict[str, Any]:
    whole = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **statement}
    kept = {key: value for key, value in whole.items() if value is not None}
    return {
        "Policy": {
            "Type": "AWS::IAM::Policy",
            "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": {"Statement": kept}},
        }
    }


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ({"Action": "*"}, "*"),
        ({"Action": ["s3:GetObject", "s3:*"]}, "s3:*"),
        ({"Action": None, "NotAction": "iam:*"}, "not:iam:*"),
        ({"Action": "s3:Get*"}, None),
        ({"Action": "*", "Effect": "Deny"}, None),
    ],
)
def test_a_grant_of_a_whole_service_is_named(
    statement: dict[str, Any], what: str | None, found: Callable[..., list[tuple[str, str]]]
) -> None:
    expected = [("PH401", f"${{Role}} {what} *")] if what else []
    assert found(_identity(**statement)) == expected


def test_an_administrators_policy_is_named(found: Callable[..., list[tuple[str, str]]]) -> None:
    def role(name: str) -> dict[str, Any]:
        arn = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, f":iam::aws:policy/{name}"]]}
        return {"Role": {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": [arn]}}}

    arn = "arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"
    assert found(role("AdministratorAccess")) == [("PH401", f"${{Role}} {arn}")]
    assert found(role("service-role/AWSLambdaBasicExecutionRole")) == []


@pytest.mark.parametrize(
    ("principal", "condition", "open_"),
    [
        ("*", None, True),
        ({"AWS": "*"}, None, True),
        ({"AWS": ["arn:aws:iam::222222222222:root", "*"]}, None, True),
        ("*", {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"Service": "*.amazonaws.com"}, None, False),
        ({"AWS": "arn:aws:iam::222222222222:root"}, None, False),
    ],
)
def test_a_policy_for_any_principal_is_a_finding(
    principal: Any,
    condition: dict[str, Any] | None,
    open_: bool,
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    statement |= {"Principal": principal, **({"Condition": condition} if condition else {})}
    bucket_policy = {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {"Bucket": {"Ref": "B"}, "PolicyDocument": {"Statement": [statement]}},
    }
    assert found({"P": bucket_policy}) == ([("PH402", "${B} s3:GetObject")] if open_ else [])


@pytest.mark.parametrize(
    ("resource", "subject"),
    [
        (
            {"Type": "AWS::S3::Bucket", "Properties": {"AccessControl": "PublicRead"}},
            "R AccessControl",
        ),
        ({"Type": "AWS::Lambda::Url", "Properties": {"AuthType": "NONE"}}, "R AuthType"),
        (
            {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "FunctionName": "f",
                    "Action": "lambda:InvokeFunction",
                    "Principal": "*",
                },
            },
            "f lambda:InvokeFunction",
        ),
        (
            {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {
                        "Statement": {
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": "*",
                        }
                    }
                },
            },
            "${R} sts:AssumeRole",
        ),
        (
            {
                "Type": "AWS::SNS::TopicPolicy",
                "Properties": {
                    "Topics": ["t"],
                    "PolicyDocument": {
                        "Statement": {
                            "Effect": "Allow",
                            "Action": "sns:Publish",
                            "NotPrincipal": {"AWS": "x"},
                        }
                    },
                },
            },
            "t sns:Publish",
        ),
    ],
)
def test_other_public_access_is_a_finding(
    resource: dict[str, Any], subject: str, found: Callable[..., list[tuple[str, str]]]
) -> None:
    assert found({"R": resource}) == [("PH402", subject)]
