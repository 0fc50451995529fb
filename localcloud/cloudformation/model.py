"""Stacks and change sets as documents of the ledger."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field
from typing import Any

from localcloud.resources import Resource

FAILED_FOR_GOOD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
SETTLED = {
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE",
}  # fmt: skip
"""Statuses from which a stack may be updated."""


@dataclass
class StackResource:
    """One resource of a stack, as it is now."""

    logical_id: str
    type: str
    status: str
    physical_id: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    update_policy: dict[str, Any] = field(default_factory=dict)
    deletion_policy: str = "Delete"
    timestamp: float = 0.0
    reason: str = ""

    def made(self) -> Resource:
        """The resource as its provider knows it."""
        return Resource(self.physical_id, self.attributes, self.properties)


@dataclass
class Stack:
    """A stack; times are cloud time in seconds since the epoch."""

    id: str
    name: str
    account: str
    region: str
    status: str
    created: float
    reason: str = ""
    updated: float | None = None
    deleted: float | None = None
    template: str = "{}"
    parameters: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    role_arn: str = ""
    outputs: list[dict[str, Any]] = field(default_factory=list)
    resources: dict[str, StackResource] = field(default_factory=dict)
    termination_protection: bool = False
    change_set_id: str = ""

    @property
    def key(self) -> str:
        """Where the ledger keeps it."""
        return f"{self.account}/{self.region}/{self.id}"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Stack:
        """Back from JSON."""
        resources = {
            name: StackResource(**each) for name, each in document.pop("resources").items()
        }
        return cls(**document, resources=resources)

    def snapshot(self) -> Stack:
        """A copy to go back to."""
        return copy.deepcopy(self)


@dataclass
class ChangeSet:
    """A change set; `changes` in the shape that `DescribeChangeSet` answers."""

    id: str
    name: str
    stack_id: str
    stack_name: str
    type: str
    status: str
    execution_status: str
    created: float
    template: str
    parameters: dict[str, Any]
    tags: dict[str, str]
    capabilities: list[str]
    role_arn: str = ""
    description: str = ""
    reason: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)
