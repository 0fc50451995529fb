"""Compare the service's own counts with those of Lambda and API Gateway.

Counts of one minute never agree exactly: Lambda and API Gateway date a request when it begins, the
service dates it when it reaches the application, and metrics of the platform and of logs arrive at
different times. So sums over up to an hour are compared. The smaller count also includes the minute
before and the minute after the window, so that a request that one side dates into a neighbouring
minute is no discrepancy. Only minutes that ended `ARRIVAL_BOUND` ago are compared for good
(`pipeline.judge.comparison`).

Requests that an honest service cannot count are excused, by count:

- requests that became no invocation, whatever API Gateway answered: those that it answered by
  itself (429, 403, 413 …), which have no integration latency ("Amazon API Gateway dimensions and
  metrics"), and those that Lambda throttled (5xx) or refused because the event is larger than 6 MB
  (413), which have one. They excuse 4xx first where the gateway counts 4xx, so that a flood of 413
  or 429 hides no 5xx;
- crashes and timeouts, which Lambda counts as errors;
- invocations whose line of metrics has not arrived: they share the tolerance with every other
  difference, and too many of them are a discrepancy of requests;
- invocations that did not come through the gateway, which it cannot count;
- what the gateway counted beyond the service while the stable version alone served, in the same
  share: a stable version that does not count its 4xx responses yet must not block the one that
  does.

Every excuse favours the service. The remaining difference may be up to `Settings.count_tolerance`
of the requests in question, plus `ALLOWED_REQUESTS`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.judge.port import GatewaySeen, Seen
from pipeline.judge.shift import MINUTE
from pipeline.judge.statistics.periods import Discrepancy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from pipeline.judge.port import Minutes
    from pipeline.judge.statistics.periods import Counted

WINDOW = timedelta(hours=1)
"""Time that is compared: hours of correct counts must not dilute a fault."""
BASELINE = timedelta(minutes=10)
"""Time before the shift in which only the stable version served."""
ALLOWED_REQUESTS = 5
"""Requests that may be miscounted at any traffic: a share of few requests is noise."""
_ALONE, _BETWEEN = 1.02, 2
"""The alias's invocations to the stable version's, where no other version served."""
_NOTHING = Seen(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Window:
    """Sums over minutes from `begin` up to `end`, of all that was seen."""

    minutes: Minutes
    gateway: Mapping[datetime, GatewaySeen]
    begin: datetime
    end: datetime

    @property
    def wider(self) -> Window:
        """With the minute before and the minute after."""
        return Window(self.minutes, self.gateway, self.begin - MINUTE, self.end + MINUTE)

    def version(self, version: str) -> Seen:
        """The sums of a version."""
        return total(
            both.get(version, _NOTHING)
            for at, both in self.minutes.items()
            if self.begin <= at < self.end
        )

    def stage(self) -> GatewaySeen:
        """The sums of the gateway's stage."""
        found = [each for at, each in self.gateway.items() if self.begin <= at < self.end]
        return GatewaySeen(
            sum(each.requests for each in found),
            sum(each.integrated for each in found),
            sum(each.client_errors for each in found),
            sum(each.server_errors for each in found),
            sum(each.invocations for each in found),
        )

    def uninvoked(self) -> int:
        """Requests that became no invocation; by the minute, so that no other one offsets them."""
        return sum(
            each.requests - each.integrated + max(0, each.integrated - self._invocations(at))
            for at, each in self.gateway.items()
            if self.begin <= at < self.end
        )

    def _invocations(self, at: datetime) -> int:
        # The alias's count may arrive after those of its versions.
        versions = sum(each.invocations for each in self.minutes.get(at, {}).values())
        return max(self.gateway[at].invocations, versions)


def total(seen: Iterable[Seen]) -> Seen:
    """The sum of what was seen; a version that counts no 4xx responses has none."""
    found = list(seen)
    return Seen(
        requests=sum(each.requests for each in found),
        failures=sum(each.failures for each in found),
        slow=sum(each.slow for each in found),
        cold_starts=sum(each.cold_starts for each in found),
        invocations=sum(each.invocations for each in found),
        errors=sum(each.errors for each in found),
        throttles=sum(each.throttles for each in found),
        client_errors=sum(each.client_errors or 0 for each in found),
    )


def contradictions(
    window: Window, before: Window, stable: str, canary: str, tolerance: float
) -> tuple[Discrepancy, ...]:
    """The counts of the service that the platform contradicts.

    Args:
        window: the minutes of the shift to compare.
        before: minutes in which the stable version served alone.
        stable: the version that served before.
        canary: the version that is to take over.
        tolerance: the share of requests by which counts may differ.
    """
    found = [_requests(window, version, tolerance) for version in (stable, canary)] + _responses(
        window, before, stable, canary, tolerance
    )
    return tuple(each for each in found if each is not None)


def _requests(window: Window, version: str, tolerance: float) -> Discrepancy | None:
    """A version that reports more requests than Lambda invoked it for, or fewer."""
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
    """4xx and 5xx responses of both versions together, by what the gateway answered."""
    both = (stable, canary)
    exact, wider = _sum(window, both), _sum(window.wider, both)
    stage, around = window.stage(), window.wider.stage()
    missing = max(0, exact.invocations - wider.requests - wider.errors)
    direct = max(0, exact.invocations - stage.integrated)
    usual = [math.ceil(share * stage.integrated) for share in _usual(before, stable)]
    beyond = _beyond(stage, wider)
    excused = _excused(window, wider, max(0, beyond[0] - usual[0]), max(0, beyond[1] - usual[1]))
    # The canary's requests: a tolerance of all requests would hide a canary that has few of them.
    allowed = _allowed(tolerance, window.version(canary).invocations)

    def compare(
        what: Counted, reported: int, around_reported: int, counted: int, around_counted: int,
        excused: int,
    ) -> Discrepancy | None:  # fmt: skip
        # Not their sum: a service that drops lines would hide twice what is allowed.
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


def _beyond(stage: GatewaySeen, seen: Seen) -> tuple[int, int]:
    """The 4xx and 5xx responses that the gateway counts beyond the service and its crashes."""
    return (
        max(0, stage.client_errors - (seen.client_errors or 0)),
        max(0, stage.server_errors - seen.failures - seen.errors),
    )


def _excused(window: Window, seen: Seen, client: int, server: int) -> tuple[int, int]:
    """The most 4xx and 5xx responses that were given without an invocation.

    A request without an invocation has one response: as many as the gateway counts of the one kind
    beyond the service (`client`, `server`) cannot excuse the other.
    """
    uninvoked = window.uninvoked()
    return max(0, uninvoked - server), max(seen.throttles, uninvoked - client)


def _usual(before: Window, stable: str) -> tuple[float, float]:
    """The shares of 4xx and 5xx responses that the gateway counts beyond the stable version."""
    alone = {
        at: each
        for at, each in before.gateway.items()
        if before.begin <= at < before.end
        and each.invocations <= _ALONE * _invocations(before, at, stable) + _BETWEEN
    }
    window = Window(
        {at: before.minutes.get(at, {}) for at in alone}, alone, before.begin, before.end
    )
    stage, seen = window.stage(), window.version(stable)
    if not stage.integrated:
        return 0.0, 0.0
    client, server = _beyond(stage, seen)
    excused = _excused(window, seen, client, server)
    return (
        max(0, client - excused[0]) / stage.integrated,
        max(0, server - excused[1]) / stage.integrated,
    )


def _invocations(window: Window, at: datetime, version: str) -> int:
    return window.minutes.get(at, {}).get(version, _NOTHING).invocations


def _sum(window: Window, versions: Sequence[str]) -> Seen:
    return total(window.version(each) for each in versions)


def _allowed(tolerance: float, requests: int) -> int:
    return math.ceil(tolerance * requests) + ALLOWED_REQUESTS
