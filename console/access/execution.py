"""Policies for CloudFormation's execution role, made from the deployed stacks.

The schema of each resource type lists the actions that its handlers need ("Resource type schema"
of the CloudFormation CLI guide). A role has at most ten managed policies of 6,144 characters
("IAM and AWS STS quotas").
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from console.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from console.aws.account import Aws, Place

_MAX_POLICY_CHARACTERS = 6144
_ACTIONS_WITHOUT_SCHEMA = {
    "AWS::CodeBuild::Project": (
        "codebuild:CreateProject", "codebuild:DeleteProject", "codebuild:UpdateProject",
    ),
}  # fmt: skip
"""Actions of the resource types whose schemas list none."""
_BOOTSTRAP_ACTIONS = ("ssm:GetParameters",)
"""CDK's templates read the version of the bootstrap stack from the Parameter Store."""


def needed_actions(aws: Aws, place: Place, stacks: Iterable[str]) -> set[str]:
    """Return the actions that the handlers of all resources in some stacks need.

    Raises:
        ConsoleError: the schema of a resource type lists no actions.
    """
    cloudformation = aws.client("cloudformation", place)
    pages = cloudformation.get_paginator("list_stack_resources")
    types = {
        each["ResourceType"]
        for stack in stacks
        for page in pages.paginate(StackName=stack)
        for each in page["StackResourceSummaries"]
    }
    actions = set(_BOOTSTRAP_ACTIONS)
    for type_name in sorted(types - {"AWS::CDK::Metadata"}):
        listed = _ACTIONS_WITHOUT_SCHEMA.get(type_name)
        actions.update(listed or _by_schema(cloudformation, type_name))
    return actions


def policies(actions: Iterable[str]) -> list[dict[str, Any]]:
    """Pack actions into policies of IAM's size limit, one statement for each service."""
    found: list[dict[str, Any]] = []
    for statement in _statements(actions):
        for policy in found:
            enlarged = policy | {"Statement": [*policy["Statement"], statement]}
            if _characters(enlarged) <= _MAX_POLICY_CHARACTERS:
                policy["Statement"].append(statement)
                break
        else:
            found.append({"Version": "2012-10-17", "Statement": [statement]})
    return found


def _statements(actions: Iterable[str]) -> Iterator[dict[str, Any]]:
    services: dict[str, list[str]] = {}
    for action in sorted(actions):
        services.setdefault(action.partition(":")[0], []).append(action)
    for group in sorted(services.values(), key=len, reverse=True):
        yield {"Effect": "Allow", "Action": group, "Resource": "*"}


def _by_schema(cloudformation: Any, type_name: str) -> set[str]:
    described = cloudformation.describe_type(Type="RESOURCE", TypeName=type_name)
    handlers = json.loads(described["Schema"]).get("handlers", {})
    actions = {each for handler in handlers.values() for each in handler["permissions"]}
    if not actions:
        raise ConsoleError(
            f"{type_name}: found no actions in its schema. Write the policy of CloudFormation's "
            "role by hand, or bootstrap with AdministratorAccess"
        )
    return actions


def _characters(policy: dict[str, Any]) -> int:
    """Return a policy's size as IAM counts it, without white space."""
    return len(json.dumps(policy, separators=(",", ":")))
