"""The policies that CloudFormation needs to make the resources of the deployed stacks.

Each type's schema names what its handlers need ("Resource type schema" of the CloudFormation CLI
guide). AWS attaches at most ten managed policies of 6,144 characters to a role ("IAM and AWS STS
quotas").
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from console.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from console.aws import Aws, Place

_MAX_POLICY_CHARACTERS = 6144
_WITHOUT_HANDLERS = {
    "AWS::CodeBuild::Project": (
        "codebuild:CreateProject", "codebuild:DeleteProject", "codebuild:UpdateProject",
    ),
}  # fmt: skip
"""Types whose schemas name no permissions."""
_ALWAYS = ("ssm:GetParameters",)
"""CDK's templates read the version of the bootstrap from the Parameter Store."""


def needed_actions(aws: Aws, place: Place, stacks: Iterable[str]) -> set[str]:
    """The actions that the handlers of all resources in stacks need.

    Raises:
        ConsoleError: AWS names no permissions for a type.
    """
    cloudformation = aws.client("cloudformation", place)
    pages = cloudformation.get_paginator("list_stack_resources")
    types = {
        each["ResourceType"]
        for stack in stacks
        for page in pages.paginate(StackName=stack)
        for each in page["StackResourceSummaries"]
    }
    actions = set(_ALWAYS)
    for type_name in sorted(types - {"AWS::CDK::Metadata"}):
        actions.update(_WITHOUT_HANDLERS.get(type_name) or _by_schema(cloudformation, type_name))
    return actions


def policies(actions: Iterable[str]) -> list[dict[str, Any]]:
    """As few policies as hold all actions, a statement for each service."""
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
    for own in sorted(services.values(), key=len, reverse=True):
        yield {"Effect": "Allow", "Action": own, "Resource": "*"}


def _by_schema(cloudformation: Any, type_name: str) -> set[str]:
    described = cloudformation.describe_type(Type="RESOURCE", TypeName=type_name)
    handlers = json.loads(described["Schema"]).get("handlers", {})
    actions = {each for handler in handlers.values() for each in handler["permissions"]}
    if not actions:
        raise ConsoleError(
            f"{type_name}: its schema names no permissions. Write the policy of CloudFormation's "
            "role by hand, or bootstrap with AdministratorAccess"
        )
    return actions


def _characters(policy: dict[str, Any]) -> int:
    """As IAM counts: without white space."""
    return len(json.dumps(policy, separators=(",", ":")))
