"""Policy documents: parsed, checked as IAM checks them, and compiled.

Source: "Grammar of the IAM JSON policy language" (IAM User Guide).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from localcloud.core import strict_json
from localcloud.iam import patterns
from localcloud.iam.conditions import Condition, InvalidValueError, UnknownOperatorError
from localcloud.iam.principals import NamedPrincipals, PrincipalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud.iam.patterns import Context

Kind = Literal["identity", "resource", "trust"]

_DOCUMENT = {"Version", "Id", "Statement"}
_STATEMENT = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
    "Condition",
}  # fmt: skip
_VERSIONS = {"2008-10-17", "2012-10-17"}
_VENDOR = re.compile(r"[a-zA-Z0-9.-]+")
_SYNTAX = "Syntax errors in policy."


class MalformedPolicyError(ValueError):
    """A document that IAM rejects as `MalformedPolicyDocument`; the message is IAM's."""


@dataclass(frozen=True)
class Statement:
    """One statement, compiled."""

    sid: str
    allows: bool
    actions: re.Pattern[str]
    not_actions: bool
    resources: _Resources
    principals: NamedPrincipals | None
    conditions: tuple[Condition, ...]

    def covers(self, action: str, resource: str, context: Context) -> bool:
        """Whether action, resource and conditions of the statement match those of a request."""
        if (self.actions.fullmatch(action) is None) != self.not_actions:
            return False
        if not self.resources.match(resource, context):
            return False
        return all(each.holds(context) for each in self.conditions)


@dataclass(frozen=True)
class Policy:
    """A policy; `name` says which one it is where decisions are explained."""

    statements: tuple[Statement, ...]
    name: str = ""


@dataclass(frozen=True)
class _Resources:
    fixed: re.Pattern[str] | None
    variable: tuple[str, ...]
    negated: bool
    unset: bool = False
    """A trust policy has no resources: it is its role's."""

    def match(self, resource: str, context: Context) -> bool:
        if self.unset:
            return True
        found = self.fixed is not None and self.fixed.fullmatch(resource) is not None
        found = found or patterns.matches_any(self.variable, resource, context, patterns.resource)
        return found != self.negated


@lru_cache(maxsize=8192)
def parse(text: str, kind: Kind, name: str = "") -> Policy:
    """Parse the text of a policy.

    Raises:
        MalformedPolicyError: IAM rejects it.
    """
    try:
        document = strict_json.parse(text, unique=True)
    except ValueError as error:
        raise MalformedPolicyError(_SYNTAX) from error
    if not isinstance(document, dict) or not document.keys() <= _DOCUMENT:
        raise MalformedPolicyError(_SYNTAX)
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS or "Statement" not in document:
        raise MalformedPolicyError(_SYNTAX)
    stated = document["Statement"]
    statements = [stated] if isinstance(stated, dict) else stated
    if not isinstance(statements, list) or (not statements and kind != "resource"):
        raise MalformedPolicyError(_SYNTAX)
    variables = version == "2012-10-17"
    parsed = tuple(_statement(each, kind, variables=variables) for each in statements)
    sids = [each.sid for each in parsed if each.sid]
    if len(set(sids)) < len(sids):
        raise MalformedPolicyError("Statement IDs (SID) in a single policy must be unique.")
    return Policy(parsed, name)


def _statement(stated: Any, kind: Kind, *, variables: bool) -> Statement:
    if not isinstance(stated, dict) or not stated.keys() <= _STATEMENT:
        raise MalformedPolicyError(_SYNTAX)
    effect, sid = stated.get("Effect"), stated.get("Sid", "")
    if effect not in {"Allow", "Deny"} or not isinstance(sid, str):
        raise MalformedPolicyError(_SYNTAX)
    for name in ("Action", "Resource", "Principal"):
        if name in stated and f"Not{name}" in stated:
            raise MalformedPolicyError(_SYNTAX)
    return Statement(
        sid,
        effect == "Allow",
        _actions(stated),
        "NotAction" in stated,
        _resources(stated, kind, variables=variables),
        _principals(stated, kind),
        _conditions(stated.get("Condition", {}), variables=variables),
    )


def _actions(stated: dict[str, Any]) -> re.Pattern[str]:
    values = _texts(stated.get("NotAction", stated.get("Action", [])))
    if not values:
        raise MalformedPolicyError("Policy statement must contain actions.")
    for each in values:
        vendor, _, name = each.partition(":")
        if each != "*" and not name:
            raise MalformedPolicyError(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            )
        if ":" in name:
            raise MalformedPolicyError("Actions/Condition can contain only one colon.")
        if each != "*" and not _VENDOR.fullmatch(vendor):
            raise MalformedPolicyError(f"Vendor {vendor} is not valid")
    joined = _joined(values, lambda each: patterns.wildcard(each, ignore_case=True))
    return re.compile(joined, re.DOTALL | re.IGNORECASE)


def _resources(stated: dict[str, Any], kind: Kind, *, variables: bool) -> _Resources:
    given = "Resource" in stated or "NotResource" in stated
    if kind == "trust":
        if given:
            raise MalformedPolicyError("Has prohibited field Resource")
        return _Resources(None, (), negated=False, unset=True)
    values = _texts(stated.get("NotResource", stated.get("Resource", [])))
    if not values:
        raise MalformedPolicyError("Policy statement must contain resources.")
    for each in values:
        if kind == "identity" and each != "*" and not each.startswith("arn:"):
            raise MalformedPolicyError(f'Resource {each} must be in ARN format or "*".')
    variable = [each for each in values if variables and patterns.has_variables(each)]
    fixed = [each.replace("${", "${$}{") for each in values if each not in variable]
    compiled = re.compile(_joined(fixed, patterns.resource), re.DOTALL) if fixed else None
    return _Resources(compiled, tuple(variable), negated="NotResource" in stated)


def _principals(stated: dict[str, Any], kind: Kind) -> NamedPrincipals | None:
    given = "Principal" in stated or "NotPrincipal" in stated
    if kind == "identity":
        if given:
            raise MalformedPolicyError("Policy document should not specify a principal.")
        return None
    if not given:
        raise MalformedPolicyError("Missing required field Principal")
    negated = "NotPrincipal" in stated
    if negated and (kind == "trust" or stated["Effect"] == "Allow"):
        raise MalformedPolicyError("NotPrincipal is supported with the effect Deny only.")
    try:
        return NamedPrincipals.of(stated["NotPrincipal" if negated else "Principal"], negated)
    except PrincipalError as error:
        raise MalformedPolicyError(f"Invalid principal in policy: {error}") from error


def _conditions(stated: Any, *, variables: bool) -> tuple[Condition, ...]:
    if not isinstance(stated, dict) or not all(isinstance(each, dict) for each in stated.values()):
        raise MalformedPolicyError(_SYNTAX)
    found = []
    for operator, keys in stated.items():
        for key, values in keys.items():
            if ":" not in key:
                raise MalformedPolicyError(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
                )
            try:
                found.append(Condition(operator, key, _values(values), variables=variables))
            except (UnknownOperatorError, InvalidValueError) as error:
                raise MalformedPolicyError(_SYNTAX) from error
    return tuple(found)


def _values(stated: Any) -> list[str]:
    """The values of a condition; JSON's booleans and numbers stand for their texts."""
    values = stated if isinstance(stated, list) else [stated]
    if not all(isinstance(each, str | bool | int | float) for each in values):
        raise MalformedPolicyError(_SYNTAX)
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in values]


def _texts(stated: Any) -> list[str]:
    values = stated if isinstance(stated, list) else [stated]
    if not all(isinstance(each, str) for each in values):
        raise MalformedPolicyError(_SYNTAX)
    return values


def _joined(values: Sequence[str], compile_: Callable[[str], re.Pattern[str]]) -> str:
    return "|".join(f"(?:{compile_(each).pattern})" for each in values)
