"""Rules and schedules, as the ledger stores them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from localcloud.eventbridge import patterns
from localcloud.eventbridge.expressions import parse


@dataclass
class Rule:
    """A rule of the default event bus; `pattern` is JSON text."""

    account: str
    region: str
    name: str
    created: float
    state: str = "ENABLED"
    description: str = ""
    schedule: str = ""
    pattern: str = ""
    role_arn: str = ""
    targets: list[dict[str, Any]] = field(default_factory=list)
    """In the API's shape, in the order in which they were put."""

    @property
    def key(self) -> str:
        """Its key in the ledger."""
        return f"{self.account}/{self.region}/{self.name}"

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:events:{self.region}:{self.account}:rule/{self.name}"

    @cached_property
    def parsed(self) -> dict[str, Any]:
        """The parsed event pattern."""
        return patterns.parse(self.pattern)

    def due_after(self, time: float) -> float | None:
        """When it fires next."""
        if self.state != "ENABLED" or not self.schedule:
            return None
        return parse(self.schedule, self.created).after(time)


@dataclass
class Schedule:
    """A schedule of the default group; `target` and `window` have the API's shapes."""

    account: str
    region: str
    name: str
    created: float
    modified: float
    expression: str
    target: dict[str, Any]
    window: dict[str, Any]
    zone: str = "UTC"
    state: str = "ENABLED"
    description: str = ""
    start: float | None = None
    end: float | None = None
    after_completion: str = "NONE"

    @property
    def key(self) -> str:
        """Its key in the ledger."""
        return f"{self.account}/{self.region}/{self.name}"

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:scheduler:{self.region}:{self.account}:schedule/default/{self.name}"

    def next_after(self, time: float) -> float | None:
        """Return the next due time, also if the schedule is disabled."""
        origin = self.start if self.start is not None else self.created
        expression = parse(self.expression, origin, ZoneInfo(self.zone))
        due = expression.after(max(time, self.start or time))
        return None if due is None or (self.end is not None and due > self.end) else due

    def due_after(self, time: float) -> float | None:
        """When it fires next."""
        return self.next_after(time) if self.state == "ENABLED" else None


def timestamp(time: float) -> str:
    """Format a time as in events: `2026-11-24T08:30:00Z`."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
