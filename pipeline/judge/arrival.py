"""Decide whether the metrics of a minute have arrived from all three sources.

CloudWatch does not say whether more data will arrive. So the service, Lambda and API Gateway are
compared: a source is late if another one counts requests that it does not. Lambda sends the metrics
of an invocation when the invocation ends, with the timestamp of its start, once a minute ("Using
CloudWatch metrics with Lambda"). Crashes and timeouts may therefore arrive after all other
invocations; the service cannot count them, but API Gateway does. Metrics in log lines arrive when
CloudWatch Logs has read the lines, in any order ("Setting alarms on metrics created with the
embedded metric format").
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from pipeline.judge.port import StageCounts, VersionCounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pipeline.judge.port import Minutes

Source = Literal["the service", "Lambda", "API Gateway"]

SETTLED = timedelta(seconds=60)
"""Time after a minute's end before it is judged, even if all counts agree."""
ARRIVAL_BOUND = timedelta(minutes=5)
"""Time after a minute's end for which the judge waits for its metrics. Lambda sends its own up to a
minute after the slowest invocation has ended; three further minutes are a reserve."""
_MIN_COUNTED_SHARE, _SLACK_REQUESTS = 0.9, 2
"""Share of another source's requests that a source must count, less a few requests: the timestamp
of one request may be before the minute's end at one source and after it at the other."""
_MIN_PLATFORM_SHARE = 0.999
"""The same between Lambda and API Gateway, whose timestamps of a request nearly agree. It is
strict because a crash counts against the canary, which has few requests."""
_MAX_OVERCOUNT_RATIO = 1.02
"""Ratio of the service's requests to API Gateway's up to which the service does not overstate."""
_NO_VERSION_COUNTS = VersionCounts(0, 0, 0, 0, 0, 0)
_NO_STAGE_COUNTS = StageCounts(0, 0, 0, 0, 0)


class Arrivals:
    """The counts of some minutes that have arrived so far, by source."""

    def __init__(
        self,
        minutes: Minutes,
        stage: Mapping[datetime, StageCounts],
        versions: Sequence[str],
    ) -> None:
        self._minutes = minutes
        self._stage = stage
        self._versions = versions

    def late(self, minute: datetime) -> tuple[Source, ...]:
        """Return the sources whose counts of a minute are incomplete."""
        counts = {version: self._of(minute, version) for version in self._versions}
        stage = self._stage.get(minute, _NO_STAGE_COUNTS)
        requests = sum(each.requests for each in counts.values())
        found: list[Source] = []
        if any(_is_short(self._reported(minute, version), counts[version].invocations)
               for version in self._versions):  # fmt: skip
            found.append("the service")
        if self._misses_invocations(minute) or self._misses_integrations(minute):
            found.append("Lambda")
        if _is_short(stage.integrated, requests):
            found.append("API Gateway")
        return tuple(found)

    def lost(self, minute: datetime) -> bool:
        """Return whether Lambda's counts of a minute are missing.

        If the service reports more requests than Lambda counts, API Gateway decides which of the
        two is wrong. Lambda's counts are missing if API Gateway counts as many requests as the
        service reports, and more than Lambda; or if API Gateway counts none either. Otherwise
        the service overstates.
        """
        if not self._misses_invocations(minute):
            return False
        integrated = self._stage.get(minute, _NO_STAGE_COUNTS).integrated
        requests = sum(self._of(minute, each).requests for each in self._versions)
        return not integrated or (
            self._misses_integrations(minute)
            and requests <= _MAX_OVERCOUNT_RATIO * integrated + _SLACK_REQUESTS
        )

    def has_requests(self, minute: datetime) -> bool:
        """Return whether any source counts a request in a minute."""
        return bool(
            self._stage.get(minute, _NO_STAGE_COUNTS).integrated
            or any(
                each.requests or each.errors or each.invocations
                for each in self._minutes.get(minute, {}).values()
            )
        )

    def _misses_invocations(self, minute: datetime) -> bool:
        """Return whether Lambda counts fewer invocations of a version than it reports requests.

        Cold starts are left out: Lambda's timestamp is before the cold start, the service's after.
        """
        return any(
            _is_short(each.invocations, each.requests - each.cold_starts)
            for each in (self._of(minute, version) for version in self._versions)
        )

    def _misses_integrations(self, minute: datetime) -> bool:
        """Return whether Lambda counts fewer requests than API Gateway passed to it."""
        counted = sum(
            each.invocations + each.throttles
            for each in (self._of(minute, version) for version in self._versions)
        )
        integrated = self._stage.get(minute, _NO_STAGE_COUNTS).integrated
        return counted < _MIN_PLATFORM_SHARE * integrated - _SLACK_REQUESTS

    def _reported(self, minute: datetime, version: str) -> int:
        """Return a version's requests by its own count, with crashes and later cold starts."""
        counts = self._of(minute, version)
        cold_starts = sum(
            both.get(version, _NO_VERSION_COUNTS).cold_starts
            for later, both in self._minutes.items()
            if later > minute
        )
        return counts.requests + counts.errors + cold_starts

    def _of(self, minute: datetime, version: str) -> VersionCounts:
        return self._minutes.get(minute, {}).get(version, _NO_VERSION_COUNTS)


def _is_short(count: int, other: int) -> bool:
    return count < _MIN_COUNTED_SHARE * other - _SLACK_REQUESTS
