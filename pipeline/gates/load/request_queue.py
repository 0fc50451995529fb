"""The requests that one process sends to one address."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from pipeline.gates.load.measurement import NO_ANSWER, Measurement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.load.plan import Plan


class RequestQueue:
    """The requests to an address that are due, in progress, and answered."""

    def __init__(self, plan: Plan, address: str, mark: str) -> None:
        self.address = address.rstrip("/")
        self.mark = mark
        """Suffix of the request names in Locust's own report."""
        self.warm_up_slots = threading.Semaphore(math.ceil(plan.warm_up_users / plan.workers))
        """Limits the concurrent requests of the warm-up."""
        self.seen = Measurement(plan.seconds)
        self._began = 0.0
        self._arrivals: Iterator[float] = iter(())
        self._waiting: set[float] = set()
        self._all_taken = self._closed = False

    def begin(self, began: float, arrivals: Iterator[float]) -> None:
        """Start the run at a time of the performance counter."""
        self._began = began
        self._arrivals = arrivals

    def take(self) -> float | None:
        """Return the due time of the next request by the performance counter; None at the end."""
        offset = next(self._arrivals, None)
        if offset is None:
            self._all_taken = True
            return None
        due = self._began + offset
        self._waiting.add(due)
        return due

    def answered(self, due: float, name: str, failure: str | None, *, cold: bool) -> float:
        """Count an answer, and return the milliseconds since its request was due."""
        milliseconds = (time.perf_counter() - due) * 1000
        if not self._closed:
            self._waiting.discard(due)
            self.seen.answered(name, due - self._began, milliseconds, failure, cold=cold)
        return milliseconds

    @property
    def is_over(self) -> bool:
        """Return whether every request has been sent and answered."""
        return self._all_taken and not self._waiting

    def close(self) -> None:
        """End the run: requests without an answer are counted as failures."""
        self._closed = True
        now = time.perf_counter()
        for due in [*self._waiting, *(self._began + offset for offset in self._arrivals)]:
            self.seen.answered("unanswered", due - self._began, (now - due) * 1000, NO_ANSWER)
