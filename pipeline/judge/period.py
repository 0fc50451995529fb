"""What was counted in a minute, as the rule weighs it: good and bad requests by objective."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.judge.port import Seen
from pipeline.judge.shift import MINUTE
from pipeline.judge.statistics.counts import Counts
from pipeline.judge.statistics.periods import Pair, Period

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.judge.port import Deployment
    from pipeline.judge.statistics.periods import Parameters

_NOTHING = Seen(0, 0, 0, 0, 0, 0)


def period_of(
    start: datetime, seen: dict[str, Seen], deployment: Deployment, parameters: Parameters
) -> Period:
    """Return what both versions did in a minute, by objective."""
    canary = seen.get(deployment.canary, _NOTHING)
    stable = seen.get(deployment.stable, _NOTHING)
    counts = {
        "failures": Pair(_failures(canary), _failures(stable)),
        "slow-requests": Pair(_slow(canary), _slow(stable)),
        "error-responses": _error_responses(canary, stable),
    }
    return Period(
        start=start,
        seconds=int(MINUTE.total_seconds()),
        # A release is judged to its end by the objectives that it began with.
        counts={name: counts[name] for name in parameters.objectives},
        cold_starts=(canary.cold_starts, stable.cold_starts),
    )


def _failures(seen: Seen) -> Counts:
    return _counts(seen.requests + seen.errors, seen.failures + seen.errors)


def _slow(seen: Seen) -> Counts:
    # A cold start is never counted as slow: then it must not be counted as fast either.
    return _counts(seen.requests - seen.cold_starts, seen.slow)


def _error_responses(canary: Seen, stable: Seen) -> Pair:
    """4xx and 5xx alike: a release that answers 400 where the one before crashed is no worse.

    A version that does not count its 4xx responses cannot be compared with one that does.
    """
    if canary.client_errors is None or stable.client_errors is None:
        return Pair(Counts(0, 0), Counts(0, 0))
    return Pair(_with_client_errors(canary), _with_client_errors(stable))


def _with_client_errors(seen: Seen) -> Counts:
    failures = _failures(seen)
    return _counts(failures.requests, failures.failures + (seen.client_errors or 0))


def _counts(requests: int, bad: int) -> Counts:
    """Counts of a service that may report anything; what it overstates is a discrepancy."""
    return Counts(max(0, requests), min(max(0, requests), bad))
