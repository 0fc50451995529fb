"""Deployments, and what became of them. Times are cloud time in seconds since the epoch."""

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
    """One step of a deployment to its target."""

    name: str
    status: str = "Pending"
    started: float | None = None
    ended: float | None = None
    message: str = ""
    """Why it failed."""
    execution_id: str = ""
    """Of its hook, by which the hook's function answers."""


@dataclass(frozen=True)
class Ending:
    """How a deployment ended otherwise than `Succeeded`."""

    status: Literal["Failed", "Stopped"]
    code: str
    """CodeDeploy's `ErrorCode`."""
    message: str
    event: str
    """The `AutoRollbackEvent` that this is."""
    roll_back: bool | None = None
    """Whether it is rolled back; None: as the automatic rollback configuration says."""


@dataclass
class Deployment:
    """A deployment, with its group's settings as they were when it was created."""

    account: str
    region: str
    application: str
    group: str
    group_id: str
    configuration: str
    """The deployment configuration's name."""
    routing: Document
    """Its `TrafficRoutingConfig`."""
    spec: AppSpec
    content: str
    """The AppSpec file as it was given."""
    revision_type: str
    role: str
    creator: str
    created: float
    description: str = ""
    alarms: Document = field(default_factory=dict)
    """The `AlarmConfiguration` that holds."""
    overrides_alarms: bool = False
    auto_rollback: Document = field(default_factory=dict)
    triggers: list[Document] = field(default_factory=list)
    id: str = ""
    status: str = "Created"
    started: float | None = None
    ended: float | None = None
    weight: float = 0.0
    """Per cent of the traffic on the target version."""
    shifts: list[tuple[float, float]] = field(default_factory=list)
    """Time and weight of every shift."""
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
    def under_way(self) -> bool:
        """Whether it has not ended."""
        return self.status in {"Created", "InProgress"}

    @property
    def watched(self) -> list[str]:
        """Names of the alarms that stop it."""
        if not self.alarms.get("enabled"):
            return []
        return [alarm["name"] for alarm in self.alarms.get("alarms") or []]

    def rolls_back_on(self, ending: Ending) -> bool:
        """Whether such an ending is rolled back."""
        if ending.roll_back is not None:
            return ending.roll_back
        events = self.auto_rollback.get("events") or []
        return bool(self.auto_rollback.get("enabled")) and ending.event in events

    def event(self, name: str) -> LifecycleEvent:
        """A lifecycle event by name."""
        return next(each for each in self.events if each.name == name)

    def document(self) -> Document:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, document: Document) -> Deployment:
        """Back from JSON."""
        return cls(
            **document
            | {
                "spec": AppSpec(**document["spec"]),
                "events": [LifecycleEvent(**each) for each in document["events"]],
                "shifts": [(time, weight) for time, weight in document["shifts"]],
            }
        )
