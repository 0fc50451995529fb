"""What is seen of a release at one time."""

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
    """What was seen at one look."""

    executions: tuple[Execution, ...]
    """Those that carry the commit, oldest first; empty until one does."""
    canary: Canary | None
    at: datetime
    """The cloud's time."""
    wall: float
    """Seconds since following began."""
    pace: float
    """The cloud's seconds in one of the wall's, by the dates of its answers: 1 on AWS."""
    unseen: str = ""
    """Why an environment's shift of traffic cannot be seen, where it cannot."""
    moving: str = ""
    """The environment whose traffic still moves although the execution has ended; else empty."""
    is_first: bool = False
    """Nothing is known of the pace yet: that takes two looks."""
    outcome: Outcome | None = None
    """Set in the last snapshot, and in no other."""

    def took(self, stage: Stage) -> str:
        """How long a stage has taken by the wall's clock, in words; empty at the first look."""
        return "" if self.is_first else duration(stage.seconds(self.at) / self.pace)
