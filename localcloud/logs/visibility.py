"""The delay after which a log event is visible: some seconds after its write.

`GetLogEvents` and `FilterLogEvents` return the events that CloudWatch Logs has indexed
(aws/aws-sdk-net#1387, rlister/stax#54). They may return nothing although there are events
(aws-actions/aws-codebuild-run-build#171). The Lambda guide names 5 to 10 minutes ("Sending Lambda
function logs to CloudWatch Logs"); users report seconds.

Events of one stream become visible in the order of their writes, events of several streams do not.
Metrics and subscribers are not delayed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.core.delays import Delays

_DELAY_SECONDS = (2.0, 30.0)


class Visibility:
    """Computes the cloud time from which an event is visible."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self._latest: dict[int, float] = {}
        self._writes: dict[int, int] = {}

    def seen(self, stream: int, name: str, now: float) -> float:
        """Return when an event written now is visible; `name` includes the log group."""
        if not self._delays.enabled:
            return 0.0
        number = self._writes[stream] = self._writes.get(stream, 0) + 1
        due = now + self._delays.between(_DELAY_SECONDS, f"{name}/{number}")
        self._latest[stream] = max(due, self._latest.get(stream, 0.0))
        return self._latest[stream]
