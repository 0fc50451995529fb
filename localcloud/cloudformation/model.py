"""Stacks, the steps of their operations, and change sets, as ledger documents."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from localcloud.core.providers import Resource

UPDATABLE_STATUSES = {
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE",
}  # fmt: skip
"""Statuses in which a stack can be updated."""


class StackStatusError(Exception):
    """A stack's status does not allow an operation; the message is AWS's."""


@dataclass
class StackResource:
    """A stack's resource as it is; `physical_id` is empty until it is created."""

    logical_id: str
    type: str
    status: str = ""
    physical_id: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    update_policy: dict[str, Any] = field(default_factory=dict)
    deletion_policy: str = "Delete"
    dependencies: list[str] = field(default_factory=list)
    """Logical ids of the resources that it needs, which are deleted after it."""
    timestamp: float = 0.0
    reason: str = ""
    references: dict[str, str] = field(default_factory=dict)
    """The values of the dynamic references in its properties."""

    def made(self) -> Resource:
        """Return the resource as its provider sees it."""
        return Resource(self.physical_id, self.attributes, self.properties)


@dataclass
class Step:
    """What an operation does to one resource.

    `before` is the resource's earlier state, or None if the step creates it.
    """

    number: int
    logical_id: str
    before: StackResource | None
    replaces: bool = False
    """Whether a new resource replaces `before`, which is deleted later."""
    replace_policy: str = "Delete"

    @classmethod
    def of(cls, document: dict[str, Any]) -> Step:
        """Create a step from its JSON document."""
        before = document.pop("before")
        return cls(**document, before=StackResource(**before) if before else None)


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
    imports: list[str] = field(default_factory=list)
    """Names of the exports that its resources use."""
    resources: dict[str, StackResource] = field(default_factory=dict)
    leftovers: list[StackResource] = field(default_factory=list)
    """Resources that an update no longer needs and still has to delete."""
    termination_protection: bool = False
    change_set_id: str = ""
    session_key: str = ""
    """The access key of its operation's session; "" for an administrator."""

    @property
    def key(self) -> str:
        """The stack's key in the ledger."""
        return f"{self.account}/{self.region}/{self.id}"

    @property
    def in_progress(self) -> bool:
        """Whether an operation is in progress."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def document(self) -> dict[str, Any]:
        """Return the stack as JSON without its resources, which have their own documents."""
        document = {name: value for name, value in vars(self).items() if name != "resources"}
        return document | {"leftovers": [asdict(each) for each in self.leftovers]}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Stack:
        """Create a stack from its JSON document, without resources."""
        leftovers = [StackResource(**each) for each in document.pop("leftovers")]
        return cls(**document, leftovers=leftovers)


@dataclass
class ChangeSet:
    """A change set; `changes` has the shape of `DescribeChangeSet`."""

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
    session_key: str = ""
    """The access key of the session that plans it; "" for an administrator."""
    description: str = ""
    reason: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)
