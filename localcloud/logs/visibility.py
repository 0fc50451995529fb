"""When a log event can be read: some seconds after it was written.

`GetLogEvents` and `FilterLogEvents` return what CloudWatch Logs has indexed (aws/aws-sdk-net#1387,
rlister/stax#54), and may return nothing although there is data
(aws-actions/aws-codebuild-run-build#171). The Lambda guide allows 5 to 10 minutes ("Sending Lambda
function logs to CloudWatch Logs"); users who follow logs see seconds.

The events of a stream are seen in the order in which they were written, those of several streams
are not. Metrics and subscribers do not wait for this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.core.delays import Delays

_SECONDS = (2.0, 30.0)


class Visibility:
    """The cloud times from which on the events of streams are seen."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self._latest: dict[int, float] = {}
        self._writes: dict[int, int] = {}

    def seen(self, stream: int, name: str, now: float) -> float:
        """When what is written to a stream now is seen; `name` is the stream's with its group."""
        if not self._delays.enabled:
            return 0.0
        number = self._writes[stream] = self._writes.get(stream, 0) + 1
        due = now + self._delays.between(_SECONDS, f"{name}/{number}")
        self._latest[stream] = max(due, self._latest.get(stream, 0.0))
        return self._latest[stream]
