"""How an execution is told to end before its time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class AbandonedError(Exception):
    """What runs is not waited for any more."""


class Halt:
    """Stopping lets what runs come to its end, abandoning does not.

    Whoever waits for something hangs its event in here, and is woken.
    """

    def __init__(self) -> None:
        self.stopping = False
        self.abandoned = False
        self._lock = threading.Lock()
        self._waiting: list[tuple[threading.Event, bool]] = []

    def stop(self) -> None:
        """Begin nothing any more."""
        self._wake(abandon=False)

    def abandon(self) -> None:
        """Wait for nothing any more."""
        self._wake(abandon=True)

    def check(self) -> None:
        """Raise what ends an action that is abandoned.

        Raises:
            AbandonedError: it is.
        """
        if self.abandoned:
            raise AbandonedError

    @contextmanager
    def waking(self, event: threading.Event, *, when_stopping: bool = False) -> Iterator[None]:
        """Set the event when it is over: at abandoning, or also at stopping."""
        entry = (event, when_stopping)
        with self._lock:
            self._waiting.append(entry)
            if self.abandoned or (when_stopping and self.stopping):
                event.set()
        try:
            yield
        finally:
            with self._lock:
                self._waiting.remove(entry)

    def _wake(self, *, abandon: bool) -> None:
        with self._lock:
            self.stopping = True
            self.abandoned = self.abandoned or abandon
            for event, when_stopping in self._waiting:
                if abandon or when_stopping:
                    event.set()
