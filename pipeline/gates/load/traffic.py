"""What one process sends to one address, and what it answered."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from pipeline.gates.load.measured import NO_ANSWER, Measured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.load.plan import Plan


class Traffic:
    """The requests to an address that are due, under way, and answered."""

    def __init__(self, plan: Plan, address: str, mark: str) -> None:
        self.address = address.rstrip("/")
        self.mark = mark
        """Of the requests in Locust's own report."""
        self.few = threading.Semaphore(math.ceil(plan.warm_up_users / plan.workers))
        """Holds up the requests of a warm-up."""
        self.seen = Measured(plan.seconds)
        self._began = 0.0
        self._arrivals: Iterator[float] = iter(())
        self._waiting: set[float] = set()
        self._all_taken = self._closed = False

    def begin(self, began: float, arrivals: Iterator[float]) -> None:
        """From now on, by the performance counter, requests are due."""
        self._began = began
        self._arrivals = arrivals

    def take(self) -> float | None:
        """When the next request is due, by the performance counter; None after the last."""
        offset = next(self._arrivals, None)
        if offset is None:
            self._all_taken = True
            return None
        due = self._began + offset
        self._waiting.add(due)
        return due

    def answered(self, due: float, name: str, failure: str | None, *, cold: bool) -> float:
        """Count an answer; returns the milliseconds since its request was due."""
        milliseconds = (time.perf_counter() - due) * 1000
        if not self._closed:
            self._waiting.discard(due)
            self.seen.answered(name, due - self._began, milliseconds, failure, cold=cold)
        return milliseconds

    @property
    def is_over(self) -> bool:
        """Whether every request has been sent and answered."""
        return self._all_taken and not self._waiting

    def close(self) -> None:
        """Wait no longer: what has no answer by now is counted as what it is."""
        self._closed = True
        now = time.perf_counter()
        for due in [*self._waiting, *(self._began + offset for offset in self._arrivals)]:
            self.seen.answered("unanswered", due - self._began, (now - due) * 1000, NO_ANSWER)
