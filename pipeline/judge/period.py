"""Turn the counts of a minute into good and bad requests by objective."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.judge.port import VersionCounts
from pipeline.judge.shift import MINUTE
from pipeline.judge.statistics.counts import Counts
from pipeline.judge.statistics.periods import Pair, Period

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.judge.port import Deployment
    from pipeline.judge.statistics.periods import Parameters

_NO_COUNTS = VersionCounts(0, 0, 0, 0, 0, 0)


def period_of(
    start: datetime,
    minute: dict[str, VersionCounts],
    deployment: Deployment,
    parameters: Parameters,
) -> Period:
    """Return the period of a minute with the counts of both versions by objective."""
    canary = minute.get(deployment.canary, _NO_COUNTS)
    stable = minute.get(deployment.stable, _NO_COUNTS)
    counts = {
        "failures": Pair(_failures(canary), _failures(stable)),
        "slow-requests": Pair(_slow(canary), _slow(stable)),
        "error-responses": _error_responses(canary, stable),
    }
    return Period(
        start=start,
        seconds=int(MINUTE.total_seconds()),
        # The objectives of a release do not change after its start.
        counts={name: counts[name] for name in parameters.objectives},
        cold_starts=(canary.cold_starts, stable.cold_starts),
    )


def _failures(counts: VersionCounts) -> Counts:
    # Lambda counts crashes at once, the service's requests may be late: without them, the crashes
    # would be a larger share.
    requests = max(counts.requests + counts.errors, counts.invocations)
    return _counts(requests, counts.failures + counts.errors)


def _slow(counts: VersionCounts) -> Counts:
    # The service never counts a sandbox's first requests as slow, so they must not count as fast.
    left_out = counts.cold_starts if counts.warm_ups is None else counts.warm_ups
    return _counts(counts.requests - left_out, counts.slow)


def _error_responses(canary: VersionCounts, stable: VersionCounts) -> Pair:
    """Return the counts of 4xx and 5xx responses; zeros if a version does not count 4xx responses.

    They count alike: a release that answers 400 where the stable version crashed is no worse.
    """
    if canary.client_errors is None or stable.client_errors is None:
        return Pair(Counts(0, 0), Counts(0, 0))
    return Pair(_with_client_errors(canary), _with_client_errors(stable))


def _with_client_errors(counts: VersionCounts) -> Counts:
    failures = _failures(counts)
    return _counts(failures.requests, failures.failures + (counts.client_errors or 0))


def _counts(requests: int, bad: int) -> Counts:
    """Return valid counts of a service that may report any numbers.

    A service that overstates is reported as a discrepancy elsewhere.
    """
    return Counts(max(0, requests), min(max(0, requests), bad))
