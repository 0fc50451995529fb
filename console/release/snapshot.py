"""The state of a release at one time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.words import duration

if TYPE_CHECKING:
    from datetime import datetime

    from console.release.canary import Canary
    from console.release.executions import Execution, Stage
    from console.release.promotion import Outcome


@dataclass(frozen=True)
class Snapshot:
    """The state of a release at one poll."""

    executions: tuple[Execution, ...]
    """The executions that carry the commit, oldest first; empty until there is one."""
    canary: Canary | None
    at: datetime
    """The cloud's time."""
    wall: float
    """Wall-clock seconds since following began."""
    pace: float
    """Cloud seconds per wall-clock second, by the dates of responses: 1 on AWS."""
    unseen: str = ""
    """Why an environment's traffic shift cannot be read; else empty."""
    moving: str = ""
    """The environment whose traffic still moves after the execution's end; else empty."""
    is_first: bool = False
    """Whether this is the first poll; the pace takes two."""
    outcome: Outcome | None = None
    """The outcome; set in the last snapshot only."""

    def took(self, stage: Stage) -> str:
        """Return a stage's wall-clock duration in words; empty at the first poll."""
        return "" if self.is_first else duration(stage.seconds(self.at) / self.pace)
