"""The alarm state changes of an account, as they come."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.core.bus import Event
    from localcloud.server import LocalCloud


class StateChanges:
    """Records the alarm state changes of an account."""

    def __init__(self, server: LocalCloud, account: str) -> None:
        self.seen: list[Event] = []
        self._account = account
        self._changed = threading.Condition()
        server.cloud.bus.subscribe(self._note)

    def _note(self, event: Event) -> None:
        if event.account == self._account:
            with self._changed:
                self.seen.append(event)
                self._changed.notify_all()

    def wait(self, alarm: str, value: str, after: Event | None = None) -> Event:
        """Wait for an alarm's first change to a state, optionally after another event."""

        def found() -> Event | None:
            first = self.seen.index(after) if after else 0
            return next(
                (
                    event
                    for event in self.seen[first:]
                    if event.detail["alarmName"] == alarm
                    and event.detail["state"]["value"] == value
                ),
                None,
            )

        with self._changed:
            assert self._changed.wait_for(lambda: found() is not None, timeout=60), self.seen
            event = found()
        assert event is not None
        return event
