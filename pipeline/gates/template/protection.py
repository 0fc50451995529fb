"""Rules about protections of resources that a change would remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.gates.template.grants import by_effect
from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.template import canonical, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.template import Resource

_BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def _denials(change: Change) -> Iterator[Violation]:
    new = by_effect(change.stack.template, "Deny")
    for grant in by_effect(change.deployed, "Deny"):
        holder = grant.holder_id
        there = holder is None or holder in change.stack.template.resources
        if there and not any(each.covers(grant) for each in new):
            yield Violation(
                f"{grant.holder} {grant.principal} {grant.action} {grant.resource}",
                f"{grant.holder} would no longer deny {grant.action} on "
                f"{grant.resource or 'itself'}; keep the statement, or waive this",
            )


def _opened(change: Change) -> Iterator[Violation]:
    for resource in change.stack.template.resources.values():
        before = change.deployed.resources.get(resource.logical_id)
        removed = _removed(before, resource) if before else []
        if removed:
            yield Violation(
                f"{resource.logical_id} {' '.join(removed)}",
                f"{resource.type} {resource.logical_id} would lose the protection by "
                f"{', '.join(removed)}; keep it, or waive this",
            )


def _removed(before: Resource, after: Resource) -> list[str]:
    was, now = before.properties, after.properties
    if after.type == "AWS::S3::Bucket":
        block = "PublicAccessBlockConfiguration"
        had, has = mapping(was.get(block)), mapping(now.get(block))
        return [key for key in _BLOCKS if had.get(key) is True and has.get(key) is not True]
    if after.type == "AWS::ApiGateway::Method":
        key = "AuthorizationType"
        asked = text(was.get(key, "NONE")) != "NONE"
        return [key] if asked and now.get(key) == "NONE" else []
    if after.type in {"AWS::IAM::Role", "AWS::IAM::User"}:
        key = "PermissionsBoundary"
        return [key] if key in was and canonical(was[key]) != canonical(now.get(key)) else []
    return []


RULES = (
    Rule(
        "PH505",
        'A Deny overrides every Allow; without it, an Allow applies (IAM, "Policy evaluation '
        'logic").',
        _denials,
    ),
    Rule(
        "PH506",
        "Without its block, authorizer or boundary a resource is open to more principals (S3, "
        '"Blocking public access"; IAM, "Permissions boundaries").',
        _opened,
    ),
)
