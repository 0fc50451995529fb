"""A shift of traffic, and the minutes of it that can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = timedelta(minutes=1)
_MARGIN = timedelta(seconds=5)  # by which CodeDeploy may be late with a step


@dataclass(frozen=True)
class Shift:
    """`percent` of the traffic at once, and then all, or as much again each time (linear)."""

    percent: int
    minutes: int
    linear: bool

    @property
    def steps(self) -> int:
        """How often traffic is shifted after the first time."""
        return -(-100 // self.percent) - 1 if self.linear else 1

    @property
    def length(self) -> timedelta:
        """From the first step to the one that gives all."""
        return timedelta(minutes=self.minutes * self.steps)

    def times(self, began: datetime) -> list[datetime]:
        """When traffic is shifted, the first time included."""
        return [began + n * timedelta(minutes=self.minutes) for n in range(self.steps + 1)]


def comparable(shift: Shift, began: datetime, until: datetime) -> Iterator[datetime]:
    """The minutes from `began` to `until` in which no traffic was shifted, each by its start.

    Where it is, one version may have had more of a bad half minute than the other.
    """
    steps = shift.times(began)
    minute = began.replace(second=0, microsecond=0)
    while minute + MINUTE <= until:
        if minute >= began and not any(minute <= each + _MARGIN and each < minute + MINUTE
                                       for each in steps):  # fmt: skip
            yield minute
        minute += MINUTE
