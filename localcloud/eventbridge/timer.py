"""A timer on the cloud's clock, with one thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.core.clock import Clock

logger = logging.getLogger(__name__)


class Timer:
    """Calls actions at their times, in order; actions must not block."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._places = itertools.count()
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; pending actions are not called."""
        self._stopped = True
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Call the action at a cloud time, or immediately if it has passed."""
        with self._lock:
            heapq.heappush(self._waiting, (time, next(self._places), action))
        self._changed.set()

    def _run(self) -> None:
        while True:
            self._changed.clear()
            if self._stopped:
                return
            with self._lock:
                first = self._waiting[0] if self._waiting else None
                wait = first[0] - self._clock.timestamp() if first else None
                if wait is not None and wait <= 0:
                    heapq.heappop(self._waiting)
            if first is None or wait is None:
                self._changed.wait()
            elif wait > 0:
                self._clock.wait(wait, self._changed)
            else:
                try:
                    first[2]()
                except Exception:  # the other actions are still due
                    logger.exception("A scheduled action fails")
