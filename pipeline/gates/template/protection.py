"""Rules about what protects something now, and would not after a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.gates.template.grants import by_effect
from pipeline.gates.template.rules import Fault, Rule
from pipeline.gates.template.template import canonical, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.template import Resource

_BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def _denials(change: Change) -> Iterator[Fault]:
    new = by_effect(change.stack.template, "Deny")
    for grant in by_effect(change.deployed, "Deny"):
        holder = grant.holder_id
        there = holder is None or holder in change.stack.template.resources
        if there and not any(each.covers(grant) for each in new):
            yield Fault(
                f"{grant.holder} {grant.principal} {grant.action} {grant.resource}",
                f"{grant.holder} would no longer deny {grant.action} on "
                f"{grant.resource or 'itself'}; keep the statement, or waive this",
            )


def _opened(change: Change) -> Iterator[Fault]:
    for resource in change.stack.template.resources.values():
        before = change.deployed.resources.get(resource.logical_id)
        gone = _gone(before, resource) if before else []
        if gone:
            yield Fault(
                f"{resource.logical_id} {' '.join(gone)}",
                f"{resource.type} {resource.logical_id} loses {', '.join(gone)}, which protects "
                "it now; keep it, or waive this",
            )


def _gone(before: Resource, after: Resource) -> list[str]:
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
        'A Deny stands above every Allow: without it, what others allow holds (IAM, "Policy '
        'evaluation logic").',
        _denials,
    ),
    Rule(
        "PH506",
        "A block, an authorizer or a boundary that goes opens what it stood in front of (S3, "
        '"Blocking public access"; IAM, "Permissions boundaries").',
        _opened,
    ),
)
