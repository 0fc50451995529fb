"""Time that this process ran, and time that it waited for a processor.

Linux counts both for each thread (`/proc/PID/schedstat`, Documentation/scheduler/sched-stats.rst).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SCHEDSTAT = Path("/proc/self/schedstat")


@dataclass(frozen=True)
class Scheduled:
    """Nanoseconds since the main thread began."""

    ran: int
    waited: int

    def stalled_since(self, earlier: Scheduled) -> float:
        """Return the share (0 to 1) of the ready time since then that was spent waiting."""
        ran, waited = self.ran - earlier.ran, self.waited - earlier.waited
        return waited / (ran + waited) if ran + waited else 0.0


def scheduled(schedstat: Path = _SCHEDSTAT) -> Scheduled:
    """Read the main thread's times; zeros where the system does not count them."""
    try:
        ran, waited, _timeslices = schedstat.read_text(encoding="ascii").split()
    except (FileNotFoundError, ValueError):
        return Scheduled(0, 0)
    return Scheduled(int(ran), int(waited))
