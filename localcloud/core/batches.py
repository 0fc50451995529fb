"""Buffer items and flush them in batches."""

from __future__ import annotations

import threading
import traceback
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_EVERY = 0.25  # wall seconds
T = TypeVar("T")


class Batches(Generic[T]):
    """Buffers items without blocking; a thread delivers them in order."""

    def __init__(self, name: str, deliver: Callable[[list[T]], None]) -> None:
        self._deliver = deliver
        self._items: deque[T] = deque()
        self._something = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def put(self, item: T) -> None:
        """Append an item to the buffer."""
        self._items.append(item)
        self._something.set()

    def start(self) -> None:
        """Start to deliver, first the items that are already in the buffer."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver the rest and stop."""
        self._stopping.set()
        self._something.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._something.wait()
            self._stopping.wait(_EVERY)
            self._something.clear()
            self._pass_on()
        # Items that arrived during the last delivery.
        self._pass_on()

    def _pass_on(self) -> None:
        items = [self._items.popleft() for _ in range(len(self._items))]
        if not items:
            return
        try:
            self._deliver(items)
        except Exception:  # noqa: BLE001  # what comes next is still to be delivered
            traceback.print_exc()
