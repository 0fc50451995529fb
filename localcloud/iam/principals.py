"""Who makes a request, and whom the `Principal` of a policy names.

Sources, in the IAM User Guide: "AWS JSON policy elements: Principal" and "… NotPrincipal".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

_ACCOUNT = re.compile(r"\d{12}")
_ROOT = re.compile(r"arn:[\w-]+:iam::(\d{12}):root")
_NAMED = re.compile(
    r"A[A-Z]{3}[A-Z0-9]{12,124}"
    r"|arn:[\w-]+:iam::(?:\d{12}|cloudfront):(?:user|role)/[^*?]+"
    r"|arn:[\w-]+:sts::\d{12}:(?:assumed-role|federated-user)/[^*?]+"
)
"""ARNs, and the unique ids of roles and users, which AWS puts in place of a deleted one's ARN."""
_TYPES = {"AWS", "Service", "Federated", "CanonicalUser"}


class PrincipalError(ValueError):
    """A value that no policy may name as principal."""


class Match(IntEnum):
    """How directly a statement names a principal."""

    NONE = 0
    ACCOUNT = 1
    """Its account, which leaves the decision to the account's identity policies."""
    ROLE = 2
    """Its role, or everyone: boundary and session policies still limit what is allowed."""
    SESSION = 3
    """The session or the user itself: no implicit denial of another policy takes it back."""


@dataclass(frozen=True)
class Principal:
    """Who makes a request."""

    kind: Literal["session", "user", "account", "service"]
    arn: str
    """A session's, a user's or a root user's ARN; a service's name."""
    account: str = ""
    """Empty for a service."""
    role_arn: str = ""
    """Of a session."""


@dataclass(frozen=True)
class NamedPrincipals:
    """The principals that a statement names, or excepts if `negated`."""

    everyone: bool
    accounts: frozenset[str]
    arns: frozenset[str]
    services: frozenset[str]
    negated: bool = False

    @staticmethod
    def of(stated: Any, negated: bool = False) -> NamedPrincipals:
        """Parse the value of `Principal` or `NotPrincipal`.

        Raises:
            PrincipalError: a value is no principal.
        """
        if stated == "*":
            return NamedPrincipals(True, frozenset(), frozenset(), frozenset(), negated)
        if not isinstance(stated, dict) or not stated or not stated.keys() <= _TYPES:
            raise PrincipalError(f"{stated}")
        names = {kind: _texts(values) for kind, values in stated.items()}
        accounts, arns, everyone = set(), set(), False
        for each in names.get("AWS", []):
            root = _ROOT.fullmatch(each)
            if each == "*":
                everyone = True
            elif _ACCOUNT.fullmatch(each) or root:
                accounts.add(root[1] if root else each)
            elif _NAMED.fullmatch(each):
                arns.add(each)
            else:
                raise PrincipalError(f'"AWS":"{each}"')
        services = frozenset(names.get("Service", []))
        if any("*" in each for each in services):
            raise PrincipalError('"Service":"*"')
        return NamedPrincipals(everyone, frozenset(accounts), frozenset(arns), services, negated)

    def match(self, principal: Principal, *, bounded: bool = False) -> Match:
        """How directly a principal is named.

        A statement with `NotPrincipal` excepts a session only if it lists session, role and
        account, and nobody who has a permissions boundary (`bounded`).
        """
        if self.negated:
            return Match.NONE if self._excepts(principal, bounded) else Match.SESSION
        if principal.kind == "service":
            named = self.everyone or principal.arn in self.services
            return Match.SESSION if named else Match.NONE
        if principal.arn in self.arns:
            return Match.SESSION
        if principal.role_arn in self.arns or self.everyone:
            return Match.ROLE
        return Match.ACCOUNT if principal.account in self.accounts else Match.NONE

    def _excepts(self, principal: Principal, bounded: bool) -> bool:
        if self.everyone:
            return True
        if principal.kind == "service":
            return principal.arn in self.services
        if bounded or principal.account not in self.accounts:
            return False
        if principal.kind == "account":
            return True
        return {principal.arn, principal.role_arn or principal.arn} <= self.arns


def _texts(stated: Any) -> list[str]:
    values = stated if isinstance(stated, list) else [stated]
    if not values or not all(isinstance(each, str) for each in values):
        raise PrincipalError(f"{stated}")
    return values
