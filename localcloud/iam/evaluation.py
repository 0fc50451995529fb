"""Decide one request by AWS's policy evaluation logic.

Sources, in the IAM User Guide: "Policy evaluation logic" with its parts for a single account and
for cross-account access, "Permissions boundaries for IAM entities", "Troubleshoot access denied
error messages". Service and resource control policies are not part of the local cloud.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from localcloud.iam.principals import Match

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from localcloud.iam.documents import Policy, Statement
    from localcloud.iam.patterns import Context
    from localcloud.iam.principals import Principal

PolicyType = Literal["identity", "resource", "trust", "boundary", "session"]

_Matched = tuple[tuple["Policy", "Statement"], ...]

_NAMES: dict[PolicyType, str] = {
    "identity": "identity-based policy",
    "resource": "resource-based policy",
    "trust": "role trust policy",
    "boundary": "permissions boundary",
    "session": "session policy",
}


@dataclass(frozen=True)
class AccessRequest:
    """One action on one resource, by one principal."""

    principal: Principal
    action: str
    """As policies name it, such as `s3:GetObject`."""
    resource: str
    """An ARN, or `*` for an action without resource."""
    resource_account: str
    context: Context = field(default_factory=dict)
    """The condition keys, in lower case."""


@dataclass(frozen=True)
class Policies:
    """All policies that apply to a request."""

    identity: Sequence[Policy] = ()
    boundary: Policy | None = None
    session: Sequence[Policy] | None = None
    """The policies given at `AssumeRole`: of each action one has to allow it. None: none given."""
    resource: Policy | None = None
    resource_type: Literal["resource", "trust"] = "resource"
    resource_decides: bool = False
    """Whether nothing is allowed that the resource's policy does not allow (roles, KMS keys)."""


@dataclass(frozen=True)
class Decision:
    """Whether a request is allowed; if not, which type of policy denies it."""

    allowed: bool
    policy_type: PolicyType | None = None
    explicit: bool = False
    matched: _Matched = ()
    """The statements that decided."""


def evaluate(request: AccessRequest, policies: Policies) -> Decision:
    """Decide a request."""
    denied = _explicit_denial(request, policies)
    if denied is not None:
        return denied
    named, by_resource = _resource_grants(request, policies.resource)
    if request.principal.kind == "service":
        denier = None if by_resource else policies.resource_type
        return Decision(denier is None, denier, matched=by_resource)
    if named is Match.SESSION and request.principal.account == request.resource_account:
        return Decision(allowed=True, matched=by_resource)
    by_identity = tuple(
        (policy, each) for policy in policies.identity for each in _allowing(request, policy)
    )
    implicit = _implicit_denier(request, policies, named, granted=bool(by_identity))
    if implicit is not None:
        return Decision(allowed=False, policy_type=implicit)
    return Decision(allowed=True, matched=by_identity + by_resource)


def denial(
    request: AccessRequest, decision: Decision, who: str = "", *, reason: bool = True
) -> str:
    """AWS's text for a denied request, with or without the type of policy that denies it.

    `who` describes a principal that is not a user or a session.
    """
    text = (
        f"{who or f'User: {request.principal.arn}'} is not authorized to perform: {request.action} "
        f"on resource: {request.resource}"
    )
    if not reason:
        return text
    name = _NAMES[decision.policy_type or "identity"]
    if decision.explicit:
        article = "the" if decision.policy_type == "trust" else _article(name)
        return f"{text} with an explicit deny in {article} {name}"
    return f"{text} because no {name} allows the {request.action} action"


def _explicit_denial(request: AccessRequest, policies: Policies) -> Decision | None:
    bounded = policies.boundary is not None
    groups: list[tuple[PolicyType, Iterable[Policy]]] = [
        (policies.resource_type, [policies.resource] if policies.resource else []),
        ("identity", policies.identity),
        ("boundary", [policies.boundary] if policies.boundary else []),
        ("session", policies.session or []),
    ]
    for policy_type, group in groups:
        for policy in group:
            for each in policy.statements:
                if each.allows or not each.covers(
                    request.action, request.resource, request.context
                ):
                    continue
                named = each.principals
                if named is None or named.match(request.principal, bounded=bounded):
                    return Decision(
                        allowed=False,
                        policy_type=policy_type,
                        explicit=True,
                        matched=((policy, each),),
                    )
    return None


def _implicit_denier(
    request: AccessRequest, policies: Policies, named: Match, *, granted: bool
) -> PolicyType | None:
    """The type of policy whose permission is missing, or None if none is.

    `named` is how directly the resource's policy allows the request, `granted` whether an identity
    policy does.
    """
    principal = request.principal
    same_account = principal.account == request.resource_account
    granted = granted or principal.kind == "account"
    if named is Match.NONE and (policies.resource_decides or (granted and not same_account)):
        return policies.resource_type
    if not granted and not (same_account and named is Match.ROLE):
        return "identity"
    if policies.boundary is not None and not _allowing(request, policies.boundary):
        return "boundary"
    session = policies.session
    if session is not None and not any(_allowing(request, each) for each in session):
        return "session"
    return None


def _resource_grants(request: AccessRequest, policy: Policy | None) -> tuple[Match, _Matched]:
    """How directly a resource's policy allows the request, and by which statements."""
    found, most = [], Match.NONE
    if policy is not None:
        for each in _allowing(request, policy):
            match = each.principals.match(request.principal) if each.principals else Match.NONE
            if match is not Match.NONE:
                found.append((policy, each))
                most = max(most, match)
    return most, tuple(found)


def _allowing(request: AccessRequest, policy: Policy) -> list[Statement]:
    return [
        each
        for each in policy.statements
        if each.allows and each.covers(request.action, request.resource, request.context)
    ]


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"
