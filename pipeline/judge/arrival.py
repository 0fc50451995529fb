"""Whether the metrics of a minute have arrived: the service's, Lambda's and API Gateway's.

Metrics say nothing about what is still to come, so the three sources vouch for one another: a
source is late where another one counts requests that it does not. Lambda sends an invocation's
metrics when it ends, dated at its start, in intervals of a minute ("Using CloudWatch metrics with
Lambda"), so that crashes and timeouts may arrive after all other invocations; the service cannot
count those, but API Gateway does. Metrics in log lines arrive when CloudWatch Logs has read them,
in any order ("Setting alarms on metrics created with the embedded metric format").
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from pipeline.judge.port import GatewaySeen, Seen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pipeline.judge.port import Minutes

Source = Literal["the service", "Lambda", "API Gateway"]

SETTLED = timedelta(seconds=60)
"""Time after a minute's end before it is judged, even if its counts agree."""
ARRIVAL_BOUND = timedelta(minutes=5)
"""Time after a minute's end for which its metrics are waited for. Lambda's own are sent up to a
minute after the slowest invocation has ended; with three minutes more they are still in time."""
_SHARE, _REQUESTS = 0.9, 2
"""Share of another source's requests that a source must count, but for a few: what one dates
before the minute's end, the other may date after it."""
_PLATFORM_SHARE = 0.999
"""The same between Lambda and API Gateway, which date a request at nearly the same time. It must
be strict: a crash counts against the new version, and the new version has few requests."""
_MORE = 1.02
"""The service's requests to those of API Gateway, up to which the service does not overstate."""
_NO_REQUESTS = Seen(0, 0, 0, 0, 0, 0)
_NO_RESPONSES = GatewaySeen(0, 0, 0, 0, 0)


class Arrivals:
    """The counts of some minutes so far, by source."""

    def __init__(
        self,
        minutes: Minutes,
        gateway: Mapping[datetime, GatewaySeen],
        versions: Sequence[str],
    ) -> None:
        self._minutes = minutes
        self._gateway = gateway
        self._versions = versions

    def late(self, minute: datetime) -> tuple[Source, ...]:
        """Return the sources whose counts of a minute are not complete."""
        seen = {version: self._seen(minute, version) for version in self._versions}
        stage = self._gateway.get(minute, _NO_RESPONSES)
        requests = sum(each.requests for each in seen.values())
        found: list[Source] = []
        if any(_short(self._counted(minute, version), seen[version].invocations)
               for version in self._versions):  # fmt: skip
            found.append("the service")
        if self._misses_invocations(minute) or self._misses_integrations(minute):
            found.append("Lambda")
        if _short(stage.integrated, requests):
            found.append("API Gateway")
        return tuple(found)

    def lost(self, minute: datetime) -> bool:
        """Return whether it is Lambda that does not count what the service reports.

        API Gateway decides: if it counts as many requests as the service reports, and more than
        Lambda, or nothing either, then the platform's metrics are missing. Else the service
        overstates.
        """
        if not self._misses_invocations(minute):
            return False
        integrated = self._gateway.get(minute, _NO_RESPONSES).integrated
        requests = sum(self._seen(minute, each).requests for each in self._versions)
        return not integrated or (
            self._misses_integrations(minute) and requests <= _MORE * integrated + _REQUESTS
        )

    def anything(self, minute: datetime) -> bool:
        """Return whether a source counts a request in a minute."""
        return bool(
            self._gateway.get(minute, _NO_RESPONSES).integrated
            or any(
                each.requests or each.errors or each.invocations
                for each in self._minutes.get(minute, {}).values()
            )
        )

    def _misses_invocations(self, minute: datetime) -> bool:
        """Whether Lambda counts fewer invocations of a version than this reports requests.

        Lambda dates a request that met a cold start before it, and the service behind it.
        """
        return any(
            _short(each.invocations, each.requests - each.cold_starts)
            for each in (self._seen(minute, version) for version in self._versions)
        )

    def _misses_integrations(self, minute: datetime) -> bool:
        """Whether Lambda counts fewer requests than API Gateway handed on to it."""
        counted = sum(
            each.invocations + each.throttles
            for each in (self._seen(minute, version) for version in self._versions)
        )
        integrated = self._gateway.get(minute, _NO_RESPONSES).integrated
        return counted < _PLATFORM_SHARE * integrated - _REQUESTS

    def _counted(self, minute: datetime, version: str) -> int:
        """The version's requests by its own count, crashes and later cold starts included."""
        mine = self._seen(minute, version)
        waited = sum(
            both.get(version, _NO_REQUESTS).cold_starts
            for later, both in self._minutes.items()
            if later > minute
        )
        return mine.requests + mine.errors + waited

    def _seen(self, minute: datetime, version: str) -> Seen:
        return self._minutes.get(minute, {}).get(version, _NO_REQUESTS)


def _short(count: int, other: int) -> bool:
    return count < _SHARE * other - _REQUESTS
