"""The cells of the benchmark: which traffic meets which fault, and how often it is played.

A period is one minute, a canary lasts an hour. The hour is Spinnaker's own advice for a canary
run (at least 50 points for each metric), so that no rule is judged on less than it asks for.
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
"""Minutes that the canary lasts."""
SECONDS = 60
"""Seconds in a period."""
LATE = 30
"""Minutes of health before a late fault begins."""

REQUESTS_PER_SECOND = (1, 10, 100, 1000)
BASE_RATES = (0.0001, 0.001, 0.005, 0.01)
SHARES = (0.01, 0.05, 0.10, 0.50)
FACTORS = (2.0, 3.0, 5.0, 10.0, 20.0, 50.0)

SLOW_SHARES = (0.5, 0.1, 0.01)
"""Of requests slower than the objective: it stands at the median, the p90 or the p99."""
SLOWDOWNS = (1.5, 2.0, 3.0)
LATENCY_SIGMA = 0.7
"""Of ln(latency): a p99 five times the median, as HTTP services have."""

_LONGEST = 5 * PERIODS


@dataclass(frozen=True)
class Cell:
    """One kind of release under one kind of traffic.

    `base` is the share of requests that go wrong on the stable version (fail; with `latency`, are
    slower than the objective), `canary` the canary's share of the traffic, `factor` how many times
    as often requests fail on the canary (with `latency`: how many times as slow they are).
    """

    scenario: Scenario
    requests_per_second: int
    canary: float
    base: float
    factor: float
    releases: int

    @property
    def is_healthy(self) -> bool:
        """Whether a rollback would be a false one."""
        return self.factor == 1.0

    @property
    def worse(self) -> float:
        """The share that goes wrong on the canary."""
        if self.scenario == "latency":
            return share_slower(self.base, self.factor)
        return self.base * self.factor

    @property
    def requests_per_period(self) -> float:
        """Of both versions together, on the average."""
        return float(self.requests_per_second * SECONDS)

    @property
    def onset(self) -> int:
        """Periods before the fault begins."""
        return LATE if self.scenario == "late" else 0

    @property
    def limit(self) -> float | None:
        """Canary requests that any rule with our alpha needs on average; None where unknown.

        It is known where the rates stand still from the fault's beginning on and each request
        fares by itself, so not under client retries.
        """
        if self.is_healthy or self.scenario == "bursts":
            return None
        total = requests_limit(FALSE_ROLLBACK_RATE, self.worse, self.base, self.canary)
        return self.canary * total

    @property
    def plain_bar(self) -> float | None:
        """Canary requests that we allow ourselves: 1.5 times the limit and one period."""
        return self._bar(1.0)

    @property
    def bar(self) -> float | None:
        """The same, with the evidence that a late start costs by the judge's own statement."""
        cost = late_cost(self.onset + 1) if self.onset else 0.0
        return self._bar(1 + cost / math.log(1 / FALSE_ROLLBACK_RATE))

    @property
    def is_findable(self) -> bool:
        """Whether it "can be found within the canary": the bar is reached before its end."""
        left = (PERIODS - self.onset) * self.canary * self.requests_per_period
        return self.bar is not None and self.bar <= left

    @property
    def periods(self) -> int:
        """Periods to simulate: past the canary's end where that end would cut the mean short."""
        if self.bar is None or not self.is_findable:
            return PERIODS
        enough = math.ceil(6 * self.bar / (self.canary * self.requests_per_period))
        return min(_LONGEST, max(PERIODS, self.onset + enough))

    def _bar(self, more: float) -> float | None:
        if self.limit is None:
            return None
        return 1.5 * more * self.limit + self.canary * self.requests_per_period


def healthy_cells(releases: int) -> list[Cell]:
    """Releases that are no worse: calm, in an incident of both versions, in drift, in bursts."""
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
    """Releases that fail more often, from the start, late, or with clients that retry."""
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
    """Releases whose every request takes longer, seen at an objective on each quantile."""
    return [
        Cell("latency", rps, canary, slow, slowdown, releases)
        for rps, slow, canary, slowdown in product(
            REQUESTS_PER_SECOND, SLOW_SHARES, SHARES, SLOWDOWNS
        )
    ]


def share_slower(share: float, slowdown: float) -> float:
    """The share of requests above an objective that `share` exceeded before the slowdown."""
    if slowdown == 1:
        return share
    normal = NormalDist()
    return normal.cdf(normal.inv_cdf(share) + math.log(slowdown) / LATENCY_SIGMA)
