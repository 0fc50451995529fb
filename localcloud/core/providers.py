"""How CloudFormation asks a service for a resource: the port between the two."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import threading


class ProvisioningError(Exception):
    """A resource could not be made, changed or removed; the message is its StatusReason."""


@dataclass(frozen=True)
class ResourceRequest:
    """A resource as the template declares it, with all intrinsic functions resolved."""

    type: str
    logical_id: str
    account: str
    region: str
    stack_name: str
    stack_id: str
    properties: dict[str, Any]
    cancel: threading.Event
    """Set when the stack operation is cancelled: a provider that waits must check it."""
    update_policy: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    """The stack's own tags, which AWS puts on every resource that takes tags."""
    rollback: bool = False
    """True while a failed update goes back: an alias is then set without a new deployment,
    as CloudFormation itself does."""
    operation: str = ""
    """The stack operation's own id."""
    replaces: str = ""
    """The physical id of the resource that this one takes the place of, while both exist."""

    def generated_name(self, most: int = 64) -> str:
        """A physical name of AWS's form, `stack-logical-suffix`: always the same, but for a
        replacement, which is made while what it replaces is still there.
        """
        seed = f"{self.stack_id}/{self.logical_id}/{self.replaces}"
        suffix = hashlib.sha256(seed.encode()).hexdigest()[:12]
        return f"{self.stack_name}-{self.logical_id}"[: most - 13] + f"-{suffix}"


@dataclass(frozen=True)
class Resource:
    """A resource that exists: `Ref` gives its physical id, `Fn::GetAtt` its attributes."""

    physical_id: str
    attributes: dict[str, Any]
    properties: dict[str, Any]
    """The resolved properties it was last made with."""


class Provider(Protocol):
    """Makes the resources of one type, and stores them.

    After a restart CloudFormation does not repeat a call that has returned.

    Each method raises `ProvisioningError` with AWS's own words where AWS has some.
    """

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Return whether the change needs a new resource ("Update requires: Replacement")."""
        ...

    def create(self, request: ResourceRequest) -> Resource:
        """Make it."""
        ...

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """Change it in place; the physical id stays."""
        ...

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """Remove it; one that is gone already is no error."""
        ...


@runtime_checkable
class Claimant(Protocol):
    """A provider that finds resources which a crash left without a record."""

    def unclaimed(self, stack_id: str, logical_id: str) -> str:
        """Return the physical id of what was last made for a logical id, "" if nothing exists."""
        ...
