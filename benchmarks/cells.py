"""The cells of the benchmark: combinations of traffic and fault, with a number of releases.

A period is one minute, and a canary lasts one hour. This is Spinnaker's advice for a canary (at
least 50 points for each metric), so that every rule gets as much data as it requires.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import Literal

from benchmarks.judge import FALSE_ROLLBACK_RATE, late_cost
from pipeline.judge.statistics.information import requests_limit

Scenario = Literal["healthy", "incident", "drift", "bursts", "regression", "late", "latency"]

PERIODS = 60
"""Duration of the canary in minutes."""
SECONDS = 60
"""Duration of a period in seconds."""
LATE = 30
"""Minutes before a late fault begins."""

REQUESTS_PER_SECOND = (1, 10, 100, 1000)
BASE_RATES = (0.0001, 0.001, 0.005, 0.01)
SHARES = (0.01, 0.05, 0.10, 0.50)
FACTORS = (2.0, 3.0, 5.0, 10.0, 20.0, 50.0)

SLOW_SHARES = (0.5, 0.1, 0.01)
"""Shares of requests slower than the objective, which is at the median, the p90 or the p99."""
SLOWDOWNS = (1.5, 2.0, 3.0)
LATENCY_SIGMA = 0.7
"""Standard deviation of ln(latency): the p99 is five times the median, as for HTTP services."""

_MAX_PERIODS = 5 * PERIODS


@dataclass(frozen=True)
class Cell:
    """One kind of release with one kind of traffic.

    `base` is the share of bad requests of the stable version (failed ones; with `latency`, slower
    than the objective), `canary` the canary's share of the traffic, and `factor` the ratio of the
    canary's failure rate to `base` (with `latency`: the ratio of latencies).
    """

    scenario: Scenario
    requests_per_second: int
    canary: float
    base: float
    factor: float
    releases: int

    @property
    def is_healthy(self) -> bool:
        """Return whether a rollback would be a false one."""
        return self.factor == 1.0

    @property
    def worse(self) -> float:
        """Return the share of bad requests of the canary."""
        if self.scenario == "latency":
            return share_slower(self.base, self.factor)
        return self.base * self.factor

    @property
    def requests_per_period(self) -> float:
        """Return the mean number of requests of both versions together."""
        return float(self.requests_per_second * SECONDS)

    @property
    def onset(self) -> int:
        """Return the number of periods before the fault begins."""
        return LATE if self.scenario == "late" else 0

    @property
    def limit(self) -> float | None:
        """Return the canary requests that every rule with our alpha needs on average.

        None if it is unknown: if rates change after the start of the fault, or requests depend on
        each other, as with client retries.
        """
        if self.is_healthy or self.scenario == "bursts":
            return None
        total = requests_limit(FALSE_ROLLBACK_RATE, self.worse, self.base, self.canary)
        return self.canary * total

    @property
    def plain_bar(self) -> float | None:
        """Return the canary requests that our goal allows: 1.5 times the limit and one period."""
        return self._bar(1.0)

    @property
    def bar(self) -> float | None:
        """Return the same with the additional evidence for a late fault (see `late_cost`)."""
        cost = late_cost(self.onset + 1) if self.onset else 0.0
        return self._bar(1 + cost / math.log(1 / FALSE_ROLLBACK_RATE))

    @property
    def is_findable(self) -> bool:
        """Return whether the fault can be found within the canary: the bar is before its end."""
        left = (PERIODS - self.onset) * self.canary * self.requests_per_period
        return self.bar is not None and self.bar <= left

    @property
    def periods(self) -> int:
        """Return the periods to simulate: longer than the canary if its end would bias the mean."""
        if self.bar is None or not self.is_findable:
            return PERIODS
        enough = math.ceil(6 * self.bar / (self.canary * self.requests_per_period))
        return min(_MAX_PERIODS, max(PERIODS, self.onset + enough))

    def _bar(self, more: float) -> float | None:
        if self.limit is None:
            return None
        return 1.5 * more * self.limit + self.canary * self.requests_per_period


def healthy_cells(releases: int) -> list[Cell]:
    """Return cells that are no worse: calm, and with an incident, drift or bursts."""
    scenarios: tuple[Scenario, ...] = ("healthy", "incident", "drift", "bursts")
    cells = [
        Cell(scenario, rps, canary, base, 1.0, releases)
        for scenario, rps, base, canary in product(
            scenarios, REQUESTS_PER_SECOND, BASE_RATES, SHARES
        )
    ]
    return cells + [
        Cell("latency", rps, canary, slow, 1.0, releases)
        for rps, slow, canary in product(REQUESTS_PER_SECOND, SLOW_SHARES, SHARES)
    ]


def faulty_cells(releases: int) -> list[Cell]:
    """Return cells that fail more often: from the start, late, or with clients that retry."""
    faults: tuple[tuple[Scenario, tuple[float, ...]], ...] = (
        ("regression", FACTORS),
        ("late", (5.0, 20.0)),
        ("bursts", (10.0,)),
    )
    return [
        Cell(scenario, rps, canary, base, factor, releases)
        for scenario, factors in faults
        for rps, base, canary, factor in product(REQUESTS_PER_SECOND, BASE_RATES, SHARES, factors)
    ]


def slow_cells(releases: int) -> list[Cell]:
    """Return cells whose requests all take longer, with an objective at each quantile."""
    return [
        Cell("latency", rps, canary, slow, slowdown, releases)
        for rps, slow, canary, slowdown in product(
            REQUESTS_PER_SECOND, SLOW_SHARES, SHARES, SLOWDOWNS
        )
    ]


def share_slower(share: float, slowdown: float) -> float:
    """Return the share of requests above an objective that `share` exceeded before a slowdown."""
    if slowdown == 1:
        return share
    normal = NormalDist()
    return normal.cdf(normal.inv_cdf(share) + math.log(slowdown) / LATENCY_SIGMA)
