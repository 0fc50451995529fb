from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT, REGION = "111111111111", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
READ = "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess"


def _document(*statements: dict[str, Any]) -> str:
    stated = [{"Effect": "Allow", "Resource": "*"} | each for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": stated})


@pytest.fixture
def iam(start_cloud: Callable[..., Any]) -> Any:
    client = start_cloud(services=("logs", "sts")).cloud.client("iam", ACCOUNT, REGION)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    client.create_role(
        RoleName="r",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}),
    )
    condition = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    client.put_role_policy(
        RoleName="r",
        PolicyName="own",
        PolicyDocument=_document(
            {"Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"},
            {"Action": "iam:PassRole", "Condition": condition},
            {"Action": "s3:GetObjectAcl", "Effect": "Deny"},
        ),
    )
    client.attach_role_policy(RoleName="r", PolicyArn=READ)
    return client


def _decisions(answer: Any) -> list[tuple[str, str, str]]:
    return [
        (each["EvalActionName"], each["EvalResourceName"], each["EvalDecision"])
        for each in answer["EvaluationResults"]
    ]


def test_a_roles_policies_are_simulated(iam: Any) -> None:
    key, other = "arn:aws:s3:::b/k", "arn:aws:s3:::c/k"
    answer = iam.simulate_principal_policy(
        PolicySourceArn=ROLE,
        ActionNames=["s3:GetObject", "s3:GetObjectAcl", "ssm:DescribeParameters"],
        ResourceArns=[key, other],
    )
    assert _decisions(answer) == [
        ("s3:GetObject", key, "allowed"),
        ("s3:GetObject", other, "implicitDeny"),
        ("s3:GetObjectAcl", key, "explicitDeny"),
        ("s3:GetObjectAcl", other, "explicitDeny"),
        ("ssm:DescribeParameters", key, "allowed"),
        ("ssm:DescribeParameters", other, "allowed"),
    ]
    matched = answer["EvaluationResults"][0]["MatchedStatements"]
    assert [each["SourcePolicyId"] for each in matched] == ["own"]


def test_missing_context_values_and_boundaries(iam: Any) -> None:
    asked: dict[str, Any] = {"PolicySourceArn": ROLE, "ActionNames": ["iam:PassRole"]}
    (result,) = iam.simulate_principal_policy(**asked)["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"
    assert result["MissingContextValues"] == ["iam:PassedToService"]
    entry = {
        "ContextKeyName": "iam:PassedToService",
        "ContextKeyValues": ["lambda.amazonaws.com"],
        "ContextKeyType": "string",
    }
    (result,) = iam.simulate_principal_policy(**asked, ContextEntries=[entry])["EvaluationResults"]
    assert result["EvalDecision"] == "allowed"
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=READ)
    (result,) = iam.simulate_principal_policy(**asked, ContextEntries=[entry])["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"
    assert not result["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]


def test_custom_policies_are_simulated(iam: Any) -> None:
    answer = iam.simulate_custom_policy(
        PolicyInputList=[_document({"Action": "sqs:SendMessage"})],
        ActionNames=["sqs:SendMessage", "sqs:DeleteQueue"],
    )
    assert _decisions(answer) == [
        ("sqs:SendMessage", "*", "allowed"),
        ("sqs:DeleteQueue", "*", "implicitDeny"),
    ]
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        iam.simulate_custom_policy(PolicyInputList=["{}"], ActionNames=["sqs:SendMessage"])
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.simulate_principal_policy(PolicySourceArn=f"{ROLE}x", ActionNames=["s3:GetObject"])
