"""Read how long this process ran, and how long it waited for a processor.

Linux counts both for each thread (`/proc/PID/schedstat`, Documentation/scheduler/sched-stats.rst).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SCHEDSTAT = Path("/proc/self/schedstat")


@dataclass(frozen=True)
class ProcessorTime:
    """Running and waiting time of the main thread since its start, in nanoseconds."""

    ran: int
    waited: int

    def stalled_since(self, earlier: ProcessorTime) -> float:
        """Return the share (0 to 1) of the ready time since then in which it waited."""
        ran, waited = self.ran - earlier.ran, self.waited - earlier.waited
        return waited / (ran + waited) if ran + waited else 0.0


def processor_time(schedstat: Path = _SCHEDSTAT) -> ProcessorTime:
    """Read the main thread's times; zeros if the system does not count them."""
    try:
        ran, waited, _timeslices = schedstat.read_text(encoding="ascii").split()
    except (FileNotFoundError, ValueError):
        return ProcessorTime(0, 0)
    return ProcessorTime(int(ran), int(waited))
