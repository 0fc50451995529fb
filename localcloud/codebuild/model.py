"""Builds, and what became of them."""

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
    """A build."""

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
    """The log group; empty when the project keeps no log."""
    stream: str
    timeout: float
    """Minutes of the wall."""
    ended: float | None = None
    reason: str = ""
    exported: dict[str, str] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)
    """ARNs."""
    phases: list[Phase] = field(default_factory=list)
    process_group: int = 0
    """Of the commands, 0 when none run."""

    def __post_init__(self) -> None:
        self.interrupted = ""
        """STOPPED or TIMED_OUT from the moment when it was to end early."""
        self._end: Callable[[], None] | None = None
        self._waiting: list[threading.Event] = []
        self._lock = threading.Lock()

    @property
    def complete(self) -> bool:
        """Whether it has ended."""
        return self.status in _ENDED

    def tell(self, ended: threading.Event) -> None:
        """Set the event at its end; at once when it has ended already."""
        with self._lock:
            if not self.complete:
                self._waiting.append(ended)
                return
        ended.set()

    def finish(self, status: str) -> None:
        """It has ended: tell all that wait."""
        with self._lock:
            self.status = status
            waiting, self._waiting = self._waiting, []
        for event in waiting:
            event.set()

    def interrupt(self, status: str) -> None:
        """End it early; the first reason stands."""
        with self._lock:
            self.interrupted = self.interrupted or status
            if self._end:
                self._end()

    def interruptible(self, end: Callable[[], None] | None) -> None:
        """What ends its processes from now on, if something does."""
        with self._lock:
            self._end = end
            if self._end and self.interrupted:
                self._end()

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            each.name: [vars(phase) for phase in self.phases]
            if each.name == "phases"
            else getattr(self, each.name)
            for each in fields(self)
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Build:
        """Back from JSON."""
        phases = [Phase(**phase) for phase in document.pop("phases")]
        return cls(**document, phases=phases)
