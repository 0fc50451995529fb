"""Find counts of the service that contradict those of Lambda and API Gateway.

Counts of one minute never agree exactly: Lambda and API Gateway use the time at which a request
begins, the service uses the time at which it reaches the application, and metrics of the platform
and of logs arrive at different times. So sums over up to an hour are compared. The smaller count
also includes the minute before and the minute after the window, so that a request is no discrepancy
if one side counts it in a neighbouring minute. `pipeline.judge.comparison` chooses the minutes.

Requests that a correct service cannot count are excused, by count:

- requests without an invocation, whatever API Gateway answered: those that it answered itself
  (429, 403, 413 …), which have no integration latency ("Amazon API Gateway dimensions and
  metrics"), and those that Lambda throttled (5xx) or rejected because the event is larger than 6 MB
  (413), which have one. If the gateway counts 4xx responses, they excuse these first, so that many
  413 or 429 responses hide no 5xx;
- crashes and timeouts, which Lambda counts as errors;
- invocations whose log line has not arrived: they share the tolerance with all other differences,
  and too many of them are a discrepancy of requests;
- invocations that did not come through the gateway, which it cannot count;
- responses that the gateway counted and the service did not while only the stable version served,
  in the same share: a stable version that does not count 4xx responses must not block the first
  canary that does.

Every excuse favours the service. The remaining difference may be up to `Settings.count_tolerance`
of the requests in question, plus `ALLOWED_REQUESTS`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.judge.port import StageCounts, VersionCounts
from pipeline.judge.shift import MINUTE
from pipeline.judge.statistics.periods import Discrepancy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from pipeline.judge.port import Minutes
    from pipeline.judge.statistics.periods import Counted

WINDOW_TIME = timedelta(hours=1)
"""Longest time over which sums are compared: hours of correct counts must not dilute a fault."""
BASELINE_TIME = timedelta(minutes=10)
"""Time before the shift in which only the stable version served."""
ALLOWED_REQUESTS = 5
"""Requests by which counts may differ at any traffic: a share of few requests is noise."""
_MAX_ALIAS_RATIO, _SLACK_INVOCATIONS = 1.02, 2
"""Ratio of the alias's invocations to the stable version's, plus a few, up to which only the stable
version served."""
_NO_COUNTS = VersionCounts(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Window:
    """The counts of the minutes from `begin` up to `end`, with methods that sum them up."""

    minutes: Minutes
    stage_minutes: Mapping[datetime, StageCounts]
    begin: datetime
    end: datetime

    @property
    def wider(self) -> Window:
        """Return the window with the minute before and the minute after."""
        return Window(self.minutes, self.stage_minutes, self.begin - MINUTE, self.end + MINUTE)

    def version(self, version: str) -> VersionCounts:
        """Return the sums of a version."""
        return total(
            both.get(version, _NO_COUNTS)
            for at, both in self.minutes.items()
            if self.begin <= at < self.end
        )

    def stage(self) -> StageCounts:
        """Return the sums of the stage."""
        found = [each for at, each in self.stage_minutes.items() if self.begin <= at < self.end]
        return StageCounts(
            sum(each.requests for each in found),
            sum(each.integrated for each in found),
            sum(each.client_errors for each in found),
            sum(each.server_errors for each in found),
            sum(each.invocations for each in found),
        )

    def uninvoked(self) -> int:
        """Return the requests without an invocation.

        They are counted minute by minute, so that a surplus in one minute offsets no other.
        """
        return sum(
            each.requests - each.integrated + max(0, each.integrated - self._invocations(at))
            for at, each in self.stage_minutes.items()
            if self.begin <= at < self.end
        )

    def _invocations(self, at: datetime) -> int:
        # The alias's count may arrive after those of its versions.
        versions = sum(each.invocations for each in self.minutes.get(at, {}).values())
        return max(self.stage_minutes[at].invocations, versions)


def total(counts: Iterable[VersionCounts]) -> VersionCounts:
    """Return the sum of counts; 4xx responses that were not counted are 0."""
    found = list(counts)
    return VersionCounts(
        requests=sum(each.requests for each in found),
        failures=sum(each.failures for each in found),
        slow=sum(each.slow for each in found),
        cold_starts=sum(each.cold_starts for each in found),
        invocations=sum(each.invocations for each in found),
        errors=sum(each.errors for each in found),
        throttles=sum(each.throttles for each in found),
        client_errors=sum(each.client_errors or 0 for each in found),
    )


def find_discrepancies(
    window: Window, before: Window, stable: str, canary: str, tolerance: float
) -> tuple[Discrepancy, ...]:
    """Return the counts of the service that the platform contradicts.

    Args:
        window: the minutes of the shift to compare.
        before: the minutes in which only the stable version served.
        stable: the stable version.
        canary: the canary.
        tolerance: the share of requests (0 to 1) by which counts may differ.
    """
    found = [_requests(window, version, tolerance) for version in (stable, canary)] + _responses(
        window, before, stable, canary, tolerance
    )
    return tuple(each for each in found if each is not None)


def _requests(window: Window, version: str, tolerance: float) -> Discrepancy | None:
    """Return the discrepancy of a version whose requests differ from Lambda's invocations."""
    exact, wider = window.version(version), window.wider.version(version)
    allowed = _allowed(tolerance, exact.invocations)
    if exact.requests > wider.invocations + allowed:
        return Discrepancy("requests", version, exact.requests, wider.invocations, allowed)
    counted = wider.requests + wider.errors
    if counted + allowed < exact.invocations:
        return Discrepancy("requests", version, counted, exact.invocations, allowed)
    return None


def _responses(
    window: Window, before: Window, stable: str, canary: str, tolerance: float
) -> list[Discrepancy | None]:
    """Return the discrepancies of both versions' 5xx and 4xx responses with API Gateway's."""
    both = (stable, canary)
    exact, wider = _sum(window, both), _sum(window.wider, both)
    stage, around = window.stage(), window.wider.stage()
    missing = max(0, exact.invocations - wider.requests - wider.errors)
    direct = max(0, exact.invocations - stage.integrated)
    usual = [math.ceil(share * stage.integrated) for share in _usual(before, stable)]
    surplus = _surplus(stage, wider)
    excused = _excused(window, wider, max(0, surplus[0] - usual[0]), max(0, surplus[1] - usual[1]))
    # A share of all requests would hide the canary, which has few of them.
    allowed = _allowed(tolerance, window.version(canary).invocations)

    def compare(
        what: Counted, reported: int, around_reported: int, counted: int, around_counted: int,
        excused: int,
    ) -> Discrepancy | None:  # fmt: skip
        # The maximum and not the sum, which would allow twice as much if log lines are missing.
        fewer = max(allowed, missing) + excused
        if counted > around_reported + fewer:
            return Discrepancy(what, None, around_reported, counted, fewer)
        more = allowed + direct
        if reported > around_counted + more:
            return Discrepancy(what, None, reported, around_counted, more)
        return None

    return [
        compare(
            "5xx responses", exact.failures, wider.failures + wider.errors,
            stage.server_errors, around.server_errors, excused[1] + usual[1],
        ),
        compare(
            "4xx responses", exact.client_errors or 0, wider.client_errors or 0,
            stage.client_errors, around.client_errors, excused[0] + usual[0],
        ),
    ]  # fmt: skip


def _surplus(stage: StageCounts, counts: VersionCounts) -> tuple[int, int]:
    """Return the 4xx and 5xx responses that the gateway counts and the service does not.

    Crashes of the service are no surplus.
    """
    return (
        max(0, stage.client_errors - (counts.client_errors or 0)),
        max(0, stage.server_errors - counts.failures - counts.errors),
    )


def _excused(window: Window, counts: VersionCounts, client: int, server: int) -> tuple[int, int]:
    """Return the most 4xx and 5xx responses that can belong to requests without an invocation.

    Such a request has one response: a surplus of one kind (`client`, `server`) uses up requests
    that then cannot excuse the other kind.
    """
    uninvoked = window.uninvoked()
    return max(0, uninvoked - server), max(counts.throttles, uninvoked - client)


def _usual(before: Window, stable: str) -> tuple[float, float]:
    """Return the usual surpluses of 4xx and 5xx responses, as shares of the requests.

    They are measured in the minutes before the shift in which only the stable version served.
    """
    alone = {
        at: each
        for at, each in before.stage_minutes.items()
        if before.begin <= at < before.end
        and each.invocations
        <= _MAX_ALIAS_RATIO * _invocations(before, at, stable) + _SLACK_INVOCATIONS
    }
    window = Window(
        {at: before.minutes.get(at, {}) for at in alone}, alone, before.begin, before.end
    )
    stage, counts = window.stage(), window.version(stable)
    if not stage.integrated:
        return 0.0, 0.0
    client, server = _surplus(stage, counts)
    excused = _excused(window, counts, client, server)
    return (
        max(0, client - excused[0]) / stage.integrated,
        max(0, server - excused[1]) / stage.integrated,
    )


def _invocations(window: Window, at: datetime, version: str) -> int:
    return window.minutes.get(at, {}).get(version, _NO_COUNTS).invocations


def _sum(window: Window, versions: Sequence[str]) -> VersionCounts:
    return total(window.version(each) for each in versions)


def _allowed(tolerance: float, requests: int) -> int:
    return math.ceil(tolerance * requests) + ALLOWED_REQUESTS
