"""Rules about permissions that a change would newly allow.

A grant on a resource that the same change creates broadens nothing, and neither does a grant that
an existing one covers. A grant to a new role is a warning, except in two cases: the role replaces
another one, with which it is then compared; or the grant is broad (whole services, any resource,
or actions that give rights). A new resource that is open to everybody is an error, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.gates.template.grants import by_effect
from pipeline.gates.template.rules import Rule, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.gates.template.grants import Grant
    from pipeline.gates.template.rules import Change


_ANY_RESOURCE = re.compile(r"not:.*|[*:]*|arn:[^$]*:\*+")
_READ_ACTION = re.compile(r"[\w-]+:(Get|List|Describe|BatchGet|View)\w*\*?")
_HARMLESS_WITHOUT_RESOURCE = frozenset(
    {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "codebuild:BatchGetBuilds"}
)
"""Actions whose resource can only be `*`, and that change no resource of others."""
_ESCALATING_ACTION = re.compile(
    r"iam:(?!Get|List|Generate|Simulate)\w*\*?|sts:AssumeRole\w*|sts:\*|kms:PutKeyPolicy"
    r"|lambda:(AddPermission|UpdateFunctionCode)|s3:PutBucketPolicy",
    re.IGNORECASE,
)
"""Actions that give rights, or use those of another principal."""


@dataclass(frozen=True)
class _Widening:
    """The new grants and resources of a change."""

    grants: tuple[Grant, ...]
    """Grants that no deployed grant covers."""
    added: frozenset[str]
    """Logical ids that are not deployed."""
    made: frozenset[str]
    """Those of them that are new resources; a custom resource may stand for an existing one."""
    successors: dict[str, str]
    """New roles that a deployed resource uses in place of a deployed role, with that role."""


def _widening(change: Change) -> _Widening:
    resources = change.stack.template.resources
    added = frozenset(resources.keys() - change.deployed.resources.keys())
    opaque = ("Custom::", "AWS::CloudFormation::")
    old, successors = by_effect(change.deployed, "Allow"), dict(_successors(change))
    inherited = [
        replace(grant, holder=f"${{{successor}}}")
        for successor, role in successors.items()
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
        successors,
    )


def _successors(change: Change) -> Iterator[tuple[str, str]]:
    for resource in change.stack.template.resources.values():
        before = change.deployed.resources.get(resource.logical_id)
        for key, value in resource.properties.items() if before else ():
            new = change.stack.template.referenced(value, "AWS::IAM::Role")
            old = before and change.deployed.referenced(
                before.properties.get(key), "AWS::IAM::Role"
            )
            if new and old and new.logical_id not in change.deployed.resources:
                yield new.logical_id, old.logical_id


def _permissions(change: Change) -> Iterator[Violation]:
    widening = _widening(change)
    yield from _violations(
        (
            grant,
            # The grant is of a new role, or of a deployed resource to a new role.
            not _is_broad(grant)
            and (
                bool(grant.who & widening.made)
                if grant.kind == "resource"
                else grant.holder_id in widening.added - widening.successors.keys()
            ),
        )
        for grant in widening.grants
        if grant.kind != "trust" and (grant.is_open or not _is_on_new_resource(grant, widening))
    )


def _is_broad(grant: Grant) -> bool:
    """Return whether a grant is an error even if it is given to a new role."""
    if grant.kind == "resource":
        return grant.is_open
    if grant.action == "managed policy":
        return ":policy/" in grant.resource and ":policy/service-role/" not in grant.resource
    everywhere = _ANY_RESOURCE.fullmatch(grant.resource) and not grant.conditions
    harmless = _READ_ACTION.fullmatch(grant.action) or grant.action in _HARMLESS_WITHOUT_RESOURCE
    escalates = _ESCALATING_ACTION.fullmatch(grant.action) and "*" in grant.resource
    return bool(grant.is_of_a_service or (everywhere and not harmless) or escalates)


def _is_on_new_resource(grant: Grant, widening: _Widening) -> bool:
    own_policy = grant.kind == "resource" and grant.holder_id in widening.added
    return own_policy or _applies_only_to(grant, widening.made)


def _applies_only_to(grant: Grant, made: frozenset[str]) -> bool:
    """Return whether a grant applies to new resources only: no wildcard precedes their ids."""
    front = grant.resource.partition("*")[0]
    narrowed = grant.kind == "resource" and grant.conditions
    return any(f"${{{each}" in front or narrowed for each in grant.about & made)


def _trust(change: Change) -> Iterator[Violation]:
    widening, own = _widening(change), change.stack.template.resources.keys()
    yield from _violations(
        (grant, False)
        for grant in widening.grants
        if grant.kind == "trust"
        # A new role that a service, or another role of the stack, may assume is no violation.
        and not (
            grant.holder_id in widening.added
            and (grant.principal.startswith("Service:") or grant.who & own)
        )
    )


def _violations(widened: Iterable[tuple[Grant, bool]]) -> Iterator[Violation]:
    """Yield one violation for all new actions of a holder on a resource.

    Each grant comes with whether it is to a new role, which makes the violation a warning.
    """
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
            "it is new: review whether it needs all of that"
            if new
            else "no deployed policy allows that: revert it, or waive this and name its reviewer"
        )
        yield Violation(
            " ".join(filter(None, (holder, principal, what, resource, conditions))),
            f"{who} now do {what}{on}{if_}; {then}",
            "warning" if new else "error",
        )


RULES = (
    Rule(
        "PH503",
        "A pipeline deploys every merge with an administrator's rights, so a reviewer must see "
        "when the rights of a role grow. CDK's own check requires an approval for every change and "
        "is wrong for other accounts (aws-cdk#33061, #32482).",
        _permissions,
    ),
    Rule(
        "PH504",
        "A principal that may assume a role has all of its rights; a principal of another account "
        'may be outside of the organisation (IAM, "The confused deputy problem").',
        _trust,
    ),
)
