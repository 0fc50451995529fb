"""Rules about what policies allow, independent of what is deployed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.gates.template.grants import by_effect
from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.template import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.assembly import Stack

_ADMINISTRATOR_POLICY = re.compile(r".*:policy/(AdministratorAccess|PowerUserAccess|IAMFullAccess)")


def _whole_services(stack: Stack) -> Iterator[Violation]:
    for grant in by_effect(stack.template, "Allow"):
        if grant.kind != "identity":
            continue
        if grant.action == "managed policy":
            if _ADMINISTRATOR_POLICY.fullmatch(grant.resource):
                yield Violation(
                    f"{grant.holder} {grant.resource}",
                    f"{grant.holder} has {grant.resource}; allow only the actions that it uses",
                )
        elif grant.is_of_a_service:
            yield Violation(
                f"{grant.holder} {grant.action} {grant.resource}",
                f"{grant.holder} may do {grant.action} on {grant.resource}; allow only the actions "
                "that it uses",
            )


def _anybody(stack: Stack) -> Iterator[Violation]:
    for grant in by_effect(stack.template, "Allow"):
        if grant.is_open:
            yield Violation(
                f"{grant.holder} {grant.action}",
                f"anybody may do {grant.action or 'anything'} by the policy of {grant.holder}; "
                "name the principals, or add a condition",
            )
    for resource in stack.template.resources.values():
        acl = text(resource.properties.get("AccessControl", ""))
        if resource.type == "AWS::S3::Bucket" and acl.startswith("Public"):
            yield Violation(
                f"{resource.logical_id} AccessControl",
                f"bucket {resource.logical_id} is {acl}; serve public files through CloudFront",
            )
        unsigned = text(resource.properties.get("AuthType", "")) == "NONE"
        if resource.type == "AWS::Lambda::Url" and unsigned:
            yield Violation(
                f"{resource.logical_id} AuthType",
                f"function URL {resource.logical_id} accepts unauthenticated requests; set "
                "AuthType to AWS_IAM, or put an API in front of it",
            )


RULES = (
    Rule(
        "PH401",
        "A grant of a whole service includes every action that AWS adds to it later (IAM, "
        '"Security best practices": least privilege).',
        _whole_services,
    ),
    Rule(
        "PH402",
        "A policy with the principal * and no condition opens the resource to the internet (IAM, "
        '"AWS JSON policy elements: Principal").',
        _anybody,
    ),
)
