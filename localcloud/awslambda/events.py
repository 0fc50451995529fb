"""Asynchronous invocations: queued in the ledger, retried, and dropped in the end.

Source: "How Lambda handles errors and retries with asynchronous invocation". After a function error
the event is retried after one and after two minutes. A throttled event is queued again, and so is
one after an error of Lambda's own (5xx), with intervals that grow from one second to five minutes,
until its maximum age.
"""

from __future__ import annotations

import heapq
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from localcloud.awslambda.encryption import TEMPORARY_ERRORS
from localcloud.core.ports import InvocationError

if TYPE_CHECKING:
    from localcloud.core.clock import Clock
    from localcloud.core.ledger import Ledger

logger = logging.getLogger(__name__)
_KIND = "functions:event"
_RETRIED_ERRORS = {"TooManyRequestsException"} | TEMPORARY_ERRORS
_MAX_CONCURRENT_EVENTS = 16
_DEFAULT_RETRIES = 2
_DEFAULT_MAX_AGE_SECONDS = 21600.0  # cloud seconds
_MAX_BACKOFF_SECONDS = 300.0  # cloud seconds


@dataclass
class Event:
    """A queued event. Times are cloud time."""

    id: str
    account: str
    region: str
    function: str
    qualifier: str
    payload: str
    trace: str
    accepted: float
    due: float
    failures: int = 0
    throttles: int = 0


class Target(Protocol):
    """Invokes functions for events, and knows their retry settings."""

    def attempt(self, event: Event) -> bool:
        """Invoke the function; return whether it succeeded.

        Raises:
            InvocationError: the function cannot be invoked.
        """
        ...

    def retry_settings(self, event: Event) -> dict[str, int]:
        """Return the configured `MaximumRetryAttempts`, `MaximumEventAgeInSeconds`."""
        ...

    def dropped(self, event: Event, why: str) -> None:
        """Log that an event was dropped."""
        ...


class EventQueue:
    """The queue of events; delivers each at least once."""

    def __init__(self, clock: Clock, ledger: Ledger, target: Target) -> None:
        self._clock = clock
        self._ledger = ledger
        self._target = target
        self._lock = threading.Lock()
        self._due: list[tuple[float, str, Event]] = []
        self._changed = threading.Event()
        self._stopping = False
        self._running = ThreadPoolExecutor(
            _MAX_CONCURRENT_EVENTS, thread_name_prefix="functions-event"
        )
        self._thread = threading.Thread(target=self._run, name="functions-events", daemon=True)

    def start(self) -> None:
        """Queue the events in the ledger and start the thread."""
        for _, document in self._ledger.all(_KIND):
            self._queue(Event(**document))
        self._thread.start()

    def stop(self) -> None:
        """Start no more invocations; the next start repeats those that still run."""
        self._stopping = True
        self._changed.set()
        self._thread.join()

    def join(self) -> None:
        """Wait for the running invocations, whose workers must have been killed."""
        self._running.shutdown(cancel_futures=True)

    def put(self, event: Event) -> None:
        """Write an event to the ledger and queue it."""
        self._ledger.put(_KIND, event.id, asdict(event))
        self._queue(event)

    def _queue(self, event: Event) -> None:
        with self._lock:
            heapq.heappush(self._due, (event.due, event.id, event))
        self._changed.set()

    def _run(self) -> None:
        while not self._stopping:
            self._changed.clear()
            now = self._clock.timestamp()
            with self._lock:
                while self._due and self._due[0][0] <= now:
                    self._running.submit(self._deliver, heapq.heappop(self._due)[2])
                delay = self._due[0][0] - now if self._due else None
            if delay is None:
                self._changed.wait()
            else:
                self._clock.wait(delay, self._changed)

    def _deliver(self, event: Event) -> None:
        try:
            self._try(event)
        except Exception:  # log an internal error; the event stays in the ledger
            logger.exception(
                "Event %s of function %s waits for the next start", event.id, event.function
            )

    def _try(self, event: Event) -> None:
        retry_settings = self._target.retry_settings(event)
        oldest = event.accepted + retry_settings.get(
            "MaximumEventAgeInSeconds", _DEFAULT_MAX_AGE_SECONDS
        )
        try:
            succeeded = self._target.attempt(event)
        except InvocationError as error:
            if error.code not in _RETRIED_ERRORS:
                self._end(event, str(error))
                return
            event.throttles += 1
            delay = min(2.0 ** (event.throttles - 1), _MAX_BACKOFF_SECONDS)
        else:
            if succeeded:
                self._end(event)
                return
            event.failures += 1
            delay = 60.0 * event.failures
        if self._stopping:  # it failed because its worker was killed
            return
        event.due = self._clock.timestamp() + delay
        if event.failures > retry_settings.get("MaximumRetryAttempts", _DEFAULT_RETRIES):
            self._end(event, f"it failed {event.failures} times")
        elif event.due > oldest:
            self._end(event, "it exceeded its maximum age")
        else:
            self.put(event)

    def _end(self, event: Event, why: str = "") -> None:
        self._ledger.delete(_KIND, event.id)
        if why:
            self._target.dropped(event, why)
