"""The statistics of a guard rail: how many bad requests a minute may have by chance.

A rail tests one version in one minute against a fixed limit, such as 10 % failed requests. If a
version keeps the limit, and its requests fail independently of each other, the failed ones of n
requests are at most binomial with n and the limit. A rail fires when their number is in the upper
tail of that distribution.

An alarm has no binomial quantile, so it computes a z-score, `deviations`, and compares it with the
quantile of the normal distribution. That is no approximation: for every n, every limit p and
every k with p < (k - 1) / n,

    P(X >= k) <= 1 - Phi(sqrt(2 n KL((k - 1) / n, p))),

where KL is the Kullback-Leibler divergence. The right side at k + 1 is also a lower bound of
P(X >= k), so that the rail fires at most one bad request later than an exact one would (Zubkov and
Serov, "A complete proof of universal inequalities for the distribution function of the binomial
law", Theory of Probability and its Applications 57, 2013).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from pipeline.judge.arrival import ARRIVAL_BOUND
from pipeline.judge.causes import rails_rate
from pipeline.judge.shift import MINUTE
from pipeline.names import RAILS

if TYPE_CHECKING:
    from datetime import timedelta

LOOKS = 1 + int(ARRIVAL_BOUND / MINUTE)
"""Evaluations of a minute while its counts may grow: within it, and each minute until they are
complete. Each may see a different part of the requests, so each may fire by chance."""
_LATE_BAKE = ARRIVAL_BOUND + MINUTE
"""Time to which late metrics extend a bake, with the evaluation that ends it."""
_EDGE_MINUTES = 3
"""The minutes in which a shift begins and a bake ends, and the delay of the bake's begin."""
_STEPS = 100
"""Steps in 1 to which a threshold is rounded up."""


def watched_minutes(shift: timedelta, bake: timedelta) -> int:
    """Return the most minutes in which the rails watch a release; args: its least durations."""
    return math.ceil((shift + max(bake, _LATE_BAKE)) / MINUTE) + _EDGE_MINUTES


def threshold(false_rollback_rate: float, minutes: int) -> float:
    """Return the z-score from which a rail fires, rounded up to 0.01.

    Args:
        false_rollback_rate: that of the whole release; the rails get their share of it.
        minutes: how many the rails watch.
    """
    tail = rails_rate(false_rollback_rate) / (len(RAILS) * minutes * LOOKS)
    return math.ceil(-NormalDist().inv_cdf(tail) * _STEPS) / _STEPS


def deviations(bad: int, requests: int, limit: float) -> float:
    """Return the z-score of a minute's bad requests against a limit; 0 if they are within it.

    The alarm's expression computes the same (`pipeline.delivery.stacks.rails`).

    Args:
        bad: the number of bad requests.
        requests: the number of all requests.
        limit: the share of bad requests that is allowed; 0 to 1 exclusive.
    """
    fewer = bad - 1
    if fewer <= limit * requests:
        return 0.0
    rest = requests - fewer
    log_ratio = fewer * math.log(fewer / (limit * requests)) + rest * math.log(
        rest / ((1 - limit) * requests)
    )
    return math.sqrt(2 * abs(log_ratio))


def firing_count(requests: int, limit: float, threshold: float) -> int | None:
    """Return the fewest bad requests at which a rail fires; None if not even all of them do."""
    if deviations(requests, requests, limit) < threshold:
        return None
    low, high = 0, requests
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if deviations(middle, requests, limit) >= threshold else (middle, high)
        )
    return high
