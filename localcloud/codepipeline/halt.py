"""The stop signal of an execution."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class AbandonedError(Exception):
    """The execution was abandoned while an action waited."""


class Halt:
    """The stop signal of one execution.

    Stopping waits for running actions, abandoning does not. A thread that waits registers its
    event with `waking`, and the signal sets it.
    """

    def __init__(self) -> None:
        self.stopping = False
        self.abandoned = False
        self._lock = threading.Lock()
        self._waiting: list[tuple[threading.Event, bool]] = []

    def stop(self) -> None:
        """Start no further actions."""
        self._wake(abandon=False)

    def abandon(self) -> None:
        """Start no further actions, and do not wait for those that run."""
        self._wake(abandon=True)

    def check(self) -> None:
        """Raise if the execution was abandoned.

        Raises:
            AbandonedError: the execution was abandoned.
        """
        if self.abandoned:
            raise AbandonedError

    @contextmanager
    def waking(self, event: threading.Event, *, when_stopping: bool = False) -> Iterator[None]:
        """Set the event when the execution is abandoned; optionally also when stopped."""
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
