"""Builds and their phases."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDED = {"SUCCEEDED", "FAILED", "STOPPED", "TIMED_OUT", "FAULT"}


@dataclass
class Phase:
    """A phase of a build; times are cloud time in seconds since the epoch."""

    name: str
    status: str
    started: float
    ended: float | None = None
    code: str = ""
    message: str = ""


@dataclass
class Build:
    """A build, and the events that wait for its end."""

    id: str
    arn: str
    number: int
    project: str
    account: str
    region: str
    status: str
    started: float
    initiator: str
    source_version: str | None
    group: str
    """The log group; empty if the project disables CloudWatch Logs."""
    stream: str
    timeout: float
    """In minutes of the wall clock."""
    ended: float | None = None
    reason: str = ""
    exported: dict[str, str] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)
    """ARNs."""
    phases: list[Phase] = field(default_factory=list)
    process_group: int = 0
    """The process group of the commands; 0 if none run."""

    def __post_init__(self) -> None:
        self.interrupted = ""
        """STOPPED or TIMED_OUT after `interrupt`, else empty."""
        self._end: Callable[[], None] | None = None
        self._waiting: list[threading.Event] = []
        self._lock = threading.Lock()

    @property
    def complete(self) -> bool:
        """Whether the build has ended."""
        return self.status in _ENDED

    def set_when_complete(self, ended: threading.Event) -> None:
        """Set the event when the build ends; immediately if it has ended."""
        with self._lock:
            if not self.complete:
                self._waiting.append(ended)
                return
        ended.set()

    def finish(self, status: str) -> None:
        """Set the final status and wake all waiters."""
        with self._lock:
            self.status = status
            waiting, self._waiting = self._waiting, []
        for event in waiting:
            event.set()

    def interrupt(self, status: str) -> None:
        """End the build early with a status; a later call does not change the status."""
        with self._lock:
            self.interrupted = self.interrupted or status
            if self._end:
                self._end()

    def on_interrupt(self, end: Callable[[], None] | None) -> None:
        """Set the function that ends the build's processes; None if none run."""
        with self._lock:
            self._end = end
            if self._end and self.interrupted:
                self._end()

    def document(self) -> dict[str, Any]:
        """Return the build as a JSON document."""
        return {
            each.name: [vars(phase) for phase in self.phases]
            if each.name == "phases"
            else getattr(self, each.name)
            for each in fields(self)
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Build:
        """Create a build from its JSON document."""
        phases = [Phase(**phase) for phase in document.pop("phases")]
        return cls(**document, phases=phases)
