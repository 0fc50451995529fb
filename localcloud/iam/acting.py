"""The actors of calls that a service of the local cloud makes for itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localcloud.core.credentials import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class ServicePrincipal:
    """A service that acts for a resource, without a role: EventBridge for a rule."""

    name: str
    """Such as `events.amazonaws.com`."""
    source_arn: str = ""
    """The resource (`aws:SourceArn`), whose account is `aws:SourceAccount`."""
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further condition keys, by names in lower case."""

    @property
    def described(self) -> str:
        """The service as a denial names it."""
        return f"Resource: {self.source_arn}" if self.source_arn else f"Service: {self.name}"


def role_session(role_arn: str, name: str) -> Session:
    """A session of a role for decisions alone: it has no keys, and nothing can be signed with it.

    For services that act in this process; one that calls the API takes its session from
    `localcloud.iam.service_roles.assume_service_role`.
    """
    return Session("", "", "", role_arn.split(":")[4], role_arn, name)
