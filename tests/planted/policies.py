"""Policy documents of the delivery's templates, with the statements that CDK writes."""

from __future__ import annotations

from typing import Any

TOOLING, TARGET, REGION = "111111111111", "222222222222", "eu-west-1"
BUCKET, ASSETS = "delivery-artifacts", f"delivery-assets-{TARGET}"

Statement = dict[str, Any]
Template = dict[str, Any]


def allow(sid: str, actions: str, resource: Any = "*", **more: Any) -> Statement:
    """Return a statement that allows actions, which are separated by spaces."""
    listed = actions.split()
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": listed[0] if len(listed) == 1 else listed,
        "Resource": resource,
        **more,
    }


def document(*statements: Statement) -> dict[str, Any]:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(principal: dict[str, Any], **condition: Any) -> dict[str, Any]:
    """Return a trust policy."""
    stated: Statement = {
        "Sid": "Trust",
        "Effect": "Allow",
        "Principal": principal,
        "Action": "sts:AssumeRole",
    }
    return document(stated | ({"Condition": condition} if condition else {}))


def service(name: str, **condition: Any) -> dict[str, Any]:
    """Return the trust policy of a service's role."""
    return trust({"Service": f"{name}.amazonaws.com"}, **condition)


def role(
    name: str, trusted: dict[str, Any], *statements: Statement, **properties: Any
) -> dict[str, Any]:
    """Return a role of this name with one inline policy."""
    policy = {"PolicyName": "Default", "PolicyDocument": document(*statements)}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": name,
            "AssumeRolePolicyDocument": trusted,
            **({"Policies": [policy]} if statements else {}),
            **properties,
        },
    }


def get(name: str, attribute: str = "Arn") -> dict[str, Any]:
    """Return an `Fn::GetAtt`."""
    return {"Fn::GetAtt": [name, attribute]}


def role_arn(account: str, name: str) -> str:
    """Return a role's ARN."""
    return f"arn:aws:iam::{account}:role/{name}"


def session(account: str, name: str) -> str:
    """Return the prefix of the ARN of a role's sessions."""
    return f"arn:aws:sts::{account}:assumed-role/{name}/"


def properties(template: Template, resource: str) -> dict[str, Any]:
    """Return the properties of a template's resource."""
    found: dict[str, Any] = template["Resources"][resource]["Properties"]
    return found


def statements(template: Template, resource: str) -> list[Statement]:
    """Return the statements of a role's inline policy, or of a resource's policy."""
    held = properties(template, resource)
    policy = held.get("KeyPolicy") or held.get("PolicyDocument")
    found: list[Statement] = (policy or held["Policies"][0]["PolicyDocument"])["Statement"]
    return found


def statement(template: Template, resource: str, sid: str) -> Statement:
    """Return one statement by its id."""
    (found,) = (each for each in statements(template, resource) if each["Sid"] == sid)
    return found


def remove(template: Template, resource: str, sid: str) -> None:
    """Remove a statement."""
    statements(template, resource).remove(statement(template, resource, sid))


def trusting(template: Template, resource: str) -> Statement:
    """Return the statement of a role's trust policy."""
    found: Statement = properties(template, resource)["AssumeRolePolicyDocument"]["Statement"][0]
    return found
