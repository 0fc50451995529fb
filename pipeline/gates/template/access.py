"""Rules about what policies allow, whatever is deployed now."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.gates.template.grants import by_effect
from pipeline.gates.template.rules import Fault, Rule
from pipeline.gates.template.template import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.assembly import Stack

_ADMINISTERS = re.compile(r".*:policy/(AdministratorAccess|PowerUserAccess|IAMFullAccess)")


def _whole_services(stack: Stack) -> Iterator[Fault]:
    for grant in by_effect(stack.template, "Allow"):
        if grant.kind != "identity":
            continue
        if grant.action == "managed policy":
            if _ADMINISTERS.fullmatch(grant.resource):
                yield Fault(
                    f"{grant.holder} {grant.resource}",
                    f"{grant.holder} has {grant.resource}; give it the actions that it takes",
                )
        elif grant.is_of_a_service:
            yield Fault(
                f"{grant.holder} {grant.action} {grant.resource}",
                f"{grant.holder} may do {grant.action} on {grant.resource}; name the actions that "
                "it takes",
            )


def _anybody(stack: Stack) -> Iterator[Fault]:
    for grant in by_effect(stack.template, "Allow"):
        if grant.is_open:
            yield Fault(
                f"{grant.holder} {grant.action}",
                f"anybody may do {grant.action or 'anything'} by the policy of {grant.holder}; "
                "name who may, or add a condition",
            )
    for resource in stack.template.resources.values():
        acl = text(resource.properties.get("AccessControl", ""))
        if resource.type == "AWS::S3::Bucket" and acl.startswith("Public"):
            yield Fault(
                f"{resource.logical_id} AccessControl",
                f"bucket {resource.logical_id} is {acl}; serve what is public through CloudFront",
            )
        unsigned = text(resource.properties.get("AuthType", "")) == "NONE"
        if resource.type == "AWS::Lambda::Url" and unsigned:
            yield Fault(
                f"{resource.logical_id} AuthType",
                f"function URL {resource.logical_id} asks nobody who he is; say AWS_IAM, or put "
                "an API in front",
            )


RULES = (
    Rule(
        "PH401",
        'A grant of a whole service grants what AWS adds to it next year (IAM, "Security best '
        'practices": least privilege).',
        _whole_services,
    ),
    Rule(
        "PH402",
        "A policy whose principal is everybody, without a condition, opens the resource to the "
        'internet (IAM, "AWS JSON policy elements: Principal").',
        _anybody,
    ),
)
