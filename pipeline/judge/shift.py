"""The traffic shift, and the minutes of it that can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = timedelta(minutes=1)
_MAX_STEP_DELAY = timedelta(seconds=5)
"""Time by which CodeDeploy may be late with a step."""


@dataclass(frozen=True)
class Shift:
    """A shift of `percent` of the traffic at once, then of all; or of `percent` each time (linear).

    `minutes` is the time between two steps.
    """

    percent: int
    minutes: int
    linear: bool

    @property
    def steps(self) -> int:
        """Return the number of steps after the first."""
        return -(-100 // self.percent) - 1 if self.linear else 1

    @property
    def length(self) -> timedelta:
        """Return the time from the first step to the last."""
        return timedelta(minutes=self.minutes * self.steps)

    def times(self, began: datetime) -> list[datetime]:
        """Return the times of all steps, the first included."""
        return [began + n * timedelta(minutes=self.minutes) for n in range(self.steps + 1)]


def comparable(shift: Shift, began: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the start of each whole minute between `began` and `until` without a step.

    In a minute with a step, a fault that lasts half a minute may affect one version more than the
    other.
    """
    steps = shift.times(began)
    minute = began.replace(second=0, microsecond=0)
    while minute + MINUTE <= until:
        if minute >= began and not any(minute <= each + _MAX_STEP_DELAY and each < minute + MINUTE
                                       for each in steps):  # fmt: skip
            yield minute
        minute += MINUTE
