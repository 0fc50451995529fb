"""The default event bus, to which the services publish.

Event shapes follow "Events from AWS services" of the EventBridge user guide.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.core.clock import Clock


@dataclass(frozen=True)
class Event:
    """One event; `time` is cloud time in seconds since the epoch."""

    account: str
    region: str
    source: str
    detail_type: str
    detail: dict[str, Any]
    resources: tuple[str, ...] = ()
    time: float = 0.0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class EventBus:
    """Hands each event to every subscriber, in order, on the publisher's thread.

    A subscriber must return at once: it queues what takes time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._subscribers: list[Callable[[Event], None]] = []
        self._lock = threading.Lock()

    def subscribe(self, subscriber: Callable[[Event], None]) -> Callable[[], None]:
        """Call `subscriber` with each later event; returns a function that unsubscribes it."""
        with self._lock:
            self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def publish(
        self,
        account: str,
        region: str,
        source: str,
        detail_type: str,
        detail: dict[str, Any],
        resources: tuple[str, ...] = (),
    ) -> Event:
        """Publish an event stamped with cloud time."""
        event = Event(
            account, region, source, detail_type, detail, resources, self._clock.timestamp()
        )
        with self._lock:
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            subscriber(event)
        return event
