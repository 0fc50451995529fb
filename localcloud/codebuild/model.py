"""Builds, and what became of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

_ENDED = {"SUCCEEDED", "FAILED", "STOPPED", "TIMED_OUT", "FAULT"}


@dataclass
class Phase:
    """A phase of a build; times are cloud time in seconds since the epoch."""

    name: str
    status: str
    started: float
    ended: float | None = None
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
    stream: str
    ended: float | None = None
    reason: str = ""
    exported: dict[str, str] = field(default_factory=dict)
    phases: list[Phase] = field(default_factory=list)
    process_group: int = 0
    """Of the commands that run now, 0 when none do."""

    def __post_init__(self) -> None:
        self.done = threading.Event()
        self.stop = threading.Event()
        if self.status in _ENDED:
            self.done.set()

    def wait(self, cancel: threading.Event) -> None:
        """Wait for its end; a cancelled wait stops the build first."""
        while not self.done.wait(0.05):
            if cancel.is_set():
                self.stop.set()
                self.done.wait()

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            name: [vars(phase) for phase in value] if name == "phases" else value
            for name, value in vars(self).items()
            if name not in {"done", "stop"}
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Build:
        """Back from JSON."""
        phases = [Phase(**phase) for phase in document.pop("phases")]
        return cls(**document, phases=phases)
