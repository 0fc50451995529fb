"""Deployments and their state. Times are cloud time in seconds since the epoch."""

from __future__ import annotations

import secrets
import string
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from localcloud.codedeploy.appspec import AppSpec

if TYPE_CHECKING:
    from localcloud.core.ports import Document

EVENTS = ("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")
"""The lifecycle events of a Lambda deployment, in order."""


@dataclass
class LifecycleEvent:
    """A lifecycle event of a deployment."""

    name: str
    status: str = "Pending"
    started: float | None = None
    ended: float | None = None
    message: str = ""
    """The reason of a failure."""
    execution_id: str = ""
    """The id with which the hook's function reports its result."""


@dataclass(frozen=True)
class Ending:
    """The end of a deployment that did not succeed."""

    status: Literal["Failed", "Stopped"]
    code: str
    """CodeDeploy's `ErrorCode`."""
    message: str
    event: str
    """The `AutoRollbackEvent`."""
    roll_back: bool | None = None
    """Whether to roll back; None uses the automatic rollback configuration."""


@dataclass
class Deployment:
    """A deployment, with the settings of its group at its creation."""

    account: str
    region: str
    application: str
    group: str
    group_id: str
    configuration: str
    """The name of the deployment configuration."""
    routing: Document
    """The `TrafficRoutingConfig` of the deployment configuration."""
    spec: AppSpec
    content: str
    """The text of the AppSpec file."""
    revision_type: str
    role: str
    creator: str
    created: float
    description: str = ""
    alarms: Document = field(default_factory=dict)
    """The effective `AlarmConfiguration`."""
    overrides_alarms: bool = False
    auto_rollback: Document = field(default_factory=dict)
    triggers: list[Document] = field(default_factory=list)
    id: str = ""
    status: str = "Created"
    started: float | None = None
    ended: float | None = None
    weight: float = 0.0
    """The percentage of traffic on the target version."""
    shifts: list[tuple[float, float]] = field(default_factory=list)
    """Time and weight of each shift."""
    error_code: str = ""
    error_message: str = ""
    rollback_of: str = ""
    rolled_back_by: str = ""
    rollback_message: str = ""
    messages: list[str] = field(default_factory=list)
    events: list[LifecycleEvent] = field(
        default_factory=lambda: [LifecycleEvent(name) for name in EVENTS]
    )

    def __post_init__(self) -> None:
        if not self.id:
            alphabet = string.ascii_uppercase + string.digits
            self.id = "d-" + "".join(secrets.choice(alphabet) for _ in range(9))

    @property
    def in_progress(self) -> bool:
        """Whether the deployment has not ended."""
        return self.status in {"Created", "InProgress"}

    @property
    def watched(self) -> list[str]:
        """The names of the alarms that stop the deployment."""
        if not self.alarms.get("enabled"):
            return []
        return [alarm["name"] for alarm in self.alarms.get("alarms") or []]

    def rolls_back_on(self, ending: Ending) -> bool:
        """Return whether this ending is rolled back."""
        if ending.roll_back is not None:
            return ending.roll_back
        events = self.auto_rollback.get("events") or []
        return bool(self.auto_rollback.get("enabled")) and ending.event in events

    def event(self, name: str) -> LifecycleEvent:
        """Return a lifecycle event by name."""
        return next(each for each in self.events if each.name == name)

    def document(self) -> Document:
        """Return the deployment as a JSON document."""
        return asdict(self)

    @classmethod
    def of(cls, document: Document) -> Deployment:
        """Create a deployment from its JSON document."""
        return cls(
            **document
            | {
                "spec": AppSpec(**document["spec"]),
                "events": [LifecycleEvent(**each) for each in document["events"]],
                "shifts": [(time, weight) for time, weight in document["shifts"]],
            }
        )
