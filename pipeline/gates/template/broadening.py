"""Rules about permissions: what a change would allow that is not allowed now.

A grant on what the same change makes broadens nothing, for nothing of it is deployed; neither
does one that an existing grant covers. What a new role may do is a warning, unless it takes the
place of another, with which it is then compared, or is broad: whole services, anything at all, or
the rights of others. A new resource that lets everybody in is an error, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.gates.template.grants import by_effect
from pipeline.gates.template.rules import Fault, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.gates.template.grants import Grant
    from pipeline.gates.template.rules import Change


_ANYTHING = re.compile(r"not:.*|[*:]*|arn:[^$]*:\*+")
"""Resources that name none."""
_READS = re.compile(r"[\w-]+:(Get|List|Describe|BatchGet|View)\w*\*?")
_KNOWS_NO_RESOURCE = frozenset(
    {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "codebuild:BatchGetBuilds"}
)
"""Actions whose resource can only be `*`, and that change nothing of others."""
_ESCALATES = re.compile(
    r"iam:(?!Get|List|Generate|Simulate)\w*\*?|sts:AssumeRole\w*|sts:\*|kms:PutKeyPolicy"
    r"|lambda:(AddPermission|UpdateFunctionCode)|s3:PutBucketPolicy",
    re.IGNORECASE,
)
"""Actions that give rights, or take another's."""


@dataclass(frozen=True)
class _Widening:
    """A change, by what is new in it."""

    grants: tuple[Grant, ...]
    """Those that nothing deployed covers."""
    added: frozenset[str]
    """Logical ids that are not deployed."""
    made: frozenset[str]
    """Those of them that are something new; what a custom resource stands for, nobody knows."""
    heirs: dict[str, str]
    """The new roles that what is deployed takes instead of another, and which that is."""


def _widening(change: Change) -> _Widening:
    resources = change.stack.template.resources
    added = frozenset(resources.keys() - change.deployed.resources.keys())
    opaque = ("Custom::", "AWS::CloudFormation::")
    old, heirs = by_effect(change.deployed, "Allow"), dict(_heirs(change))
    inherited = [
        replace(grant, holder=f"${{{heir}}}")
        for heir, role in heirs.items()
        for grant in old
        if grant.holder_id == role
    ]
    known = set(old)
    return _Widening(
        tuple(
            grant
            for grant in by_effect(change.stack.template, "Allow")
            if grant not in known and not any(each.covers(grant) for each in old + inherited)
        ),
        added,
        frozenset(each for each in added if not resources[each].type.startswith(opaque)),
        heirs,
    )


def _heirs(change: Change) -> Iterator[tuple[str, str]]:
    for resource in change.stack.template.resources.values():
        before = change.deployed.resources.get(resource.logical_id)
        for key, value in resource.properties.items() if before else ():
            new = change.stack.template.referenced(value, "AWS::IAM::Role")
            old = before and change.deployed.referenced(
                before.properties.get(key), "AWS::IAM::Role"
            )
            if new and old and new.logical_id not in change.deployed.resources:
                yield new.logical_id, old.logical_id


def _permissions(change: Change) -> Iterator[Fault]:
    widening = _widening(change)
    yield from _told(
        (
            grant,
            # A new role, or an old resource's policy that speaks of a new one.
            not _is_broad(grant)
            and (
                bool(grant.who & widening.made)
                if grant.kind == "resource"
                else grant.holder_id in widening.added - widening.heirs.keys()
            ),
        )
        for grant in widening.grants
        if grant.kind != "trust" and (grant.is_open or not _is_of_what_is_new(grant, widening))
    )


def _is_broad(grant: Grant) -> bool:
    """Whether a grant reaches so far that even a new role may not have it unseen."""
    if grant.kind == "resource":
        return grant.is_open
    if grant.action == "managed policy":
        return ":policy/" in grant.resource and ":policy/service-role/" not in grant.resource
    everywhere = _ANYTHING.fullmatch(grant.resource) and not grant.conditions
    reads = _READS.fullmatch(grant.action) or grant.action in _KNOWS_NO_RESOURCE
    escalates = _ESCALATES.fullmatch(grant.action) and "*" in grant.resource
    return bool(grant.is_of_a_service or (everywhere and not reads) or escalates)


def _is_of_what_is_new(grant: Grant, widening: _Widening) -> bool:
    own_policy = grant.kind == "resource" and grant.holder_id in widening.added
    return own_policy or _only_about(grant, widening.made)


def _only_about(grant: Grant, made: frozenset[str]) -> bool:
    """Whether a grant reaches nothing but what is new: no wildcard stands in front of it."""
    front = grant.resource.partition("*")[0]
    narrowed = grant.kind == "resource" and grant.conditions
    return any(f"${{{each}" in front or narrowed for each in grant.about & made)


def _trust(change: Change) -> Iterator[Fault]:
    widening, own = _widening(change), change.stack.template.resources.keys()
    yield from _told(
        (grant, False)
        for grant in widening.grants
        if grant.kind == "trust"
        # A new role for a service, or for another role of the stack, is what stacks are for.
        and not (
            grant.holder_id in widening.added
            and (grant.principal.startswith("Service:") or grant.who & own)
        )
    )


def _told(widened: Iterable[tuple[Grant, bool]]) -> Iterator[Fault]:
    """One fault for all actions that somebody newly has on something; of what is new, a warning."""
    together: dict[tuple[str, str, str, str, bool], list[str]] = {}
    for grant, new in widened:
        conditions = " and ".join(sorted(grant.conditions))
        key = (grant.holder, grant.principal, grant.resource, conditions, new)
        together.setdefault(key, []).append(grant.action)
    for (holder, principal, resource, conditions, new), actions in together.items():
        who = f"{principal} may, by the policy of {holder}," if principal else f"{holder} may"
        what = ", ".join(sorted(actions))
        on = f" on {resource}" if resource else ""
        if_ = f" if {conditions}" if conditions else ""
        then = (
            "it is new: look whether it needs all of that"
            if new
            else "nothing deployed allows that: revert it, or waive this and name its reviewer"
        )
        yield Fault(
            " ".join(filter(None, (holder, principal, what, resource, conditions))),
            f"{who} newly do {what}{on}{if_}; {then}",
            "warning" if new else "error",
        )


RULES = (
    Rule(
        "PH503",
        "A pipeline deploys whatever was merged with an administrator's rights: that a role's "
        "rights grow ought to be seen. CDK's own check stops every change at an approval, and "
        "misjudges other accounts (aws-cdk#33061, #32482).",
        _permissions,
    ),
    Rule(
        "PH504",
        "Who may assume a role has all its rights; a trust in another account leads out of the "
        'organisation (IAM, "The confused deputy problem").',
        _trust,
    ),
)
