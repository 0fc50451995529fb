"""Buffers items and flushes them in batches."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)
LONGEST_INTERVAL_SECONDS = 0.25
"""Wall seconds that no buffer exceeds: alarms wait for the metrics that buffers still hold."""
T = TypeVar("T")


class Buffer(Generic[T]):
    """Takes items without waiting; a thread of its own delivers them in their order.

    `interval` is how many wall seconds the thread waits for further items before it delivers.

    Raises:
        ValueError: the interval is longer than `LONGEST_INTERVAL_SECONDS`.
    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[list[T]], None],
        interval: float = LONGEST_INTERVAL_SECONDS,
    ) -> None:
        if interval > LONGEST_INTERVAL_SECONDS:
            raise ValueError(
                f"buffer {name}: interval is {interval}; it must be at most "
                f"{LONGEST_INTERVAL_SECONDS} s"
            )
        self._deliver = deliver
        self._interval = interval
        self._items: deque[T] = deque()
        self._flushing = threading.Lock()
        self._something = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def put(self, item: T) -> None:
        """Take an item."""
        self._items.append(item)
        self._something.set()

    def start(self) -> None:
        """Start to deliver, with the items that were put before."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver the rest and stop."""
        self._stopping.set()
        self._something.set()
        if self._thread.is_alive():
            self._thread.join()

    def flush(self) -> None:
        """Deliver all items now; an error of the delivery is logged, and its items are lost."""
        with self._flushing:
            items = [self._items.popleft() for _ in range(len(self._items))]
            if not items:
                return
            try:
                self._deliver(items)
            except Exception:  # the next items are still delivered
                logger.exception("%s: %d items are not delivered", self._thread.name, len(items))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._something.wait()
            self._stopping.wait(self._interval)
            self._something.clear()
            self.flush()
        # Items that were put during the last delivery.
        self.flush()
