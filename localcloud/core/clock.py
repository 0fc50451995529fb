"""The one clock of the local cloud: waits and timestamps are scaled, work is not."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading


class Clock:
    """Cloud time, which passes `speed` times as fast as the wall clock.

    Cloud time is in seconds since the epoch. It starts at `origin` (the wall's own time, or
    where an earlier process left off, so that history never runs backwards) and only grows.
    """

    def __init__(self, speed: float = 1.0, origin: float | None = None) -> None:
        if not speed > 0:
            message = f"speed is {speed}; it must be above 0"
            raise ValueError(message)
        self.speed = speed
        self._wall = time.time()
        self._monotonic = time.monotonic()
        self._origin = max(origin or 0.0, self._wall)

    def timestamp(self) -> float:
        """Cloud time now, in seconds since the epoch."""
        return self._origin + (time.monotonic() - self._monotonic) * self.speed

    def now(self) -> datetime:
        """Cloud time now, aware, in UTC."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def of_wall(self, wall: float) -> float:
        """The cloud time at which the wall clock showed `wall` (seconds since the epoch).

        Processes that the cloud runs stamp what they write with the wall clock.
        """
        return self._origin + (wall - self._wall) * self.speed

    def wall_seconds(self, seconds: float) -> float:
        """Convert `seconds` of cloud time to seconds of the wall clock."""
        return seconds / self.speed

    def wait(self, seconds: float, until: threading.Event) -> bool:
        """Wait `seconds` of cloud time or until the event is set; returns whether it was set."""
        return until.wait(max(0.0, seconds) / self.speed)
