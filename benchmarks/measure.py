"""Measure the results of all rules in a cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import judge
from benchmarks.cells import PERIODS, Cell
from benchmarks.rules import verdicts
from benchmarks.traffic import simulate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.traffic import Traffic

    Counts = NDArray[np.int64]

_Z95 = 1.959963984540054


@dataclass(frozen=True)
class RuleResult:
    """The result of one rule in one cell; requests count from the start of the fault."""

    rule: str
    rolled_back: int
    """Releases rolled back; with a late fault only those stopped after it began."""
    early: int
    """Releases with a late fault that were stopped before it began."""
    requests: float | None
    """Mean canary requests until the rollback, over the releases rolled back."""
    median: float | None
    """Median over all releases; None if fewer than half are rolled back."""
    hurt: float
    """Mean bad responses of the canary until the rollback or its end."""


@dataclass(frozen=True)
class Unlimited:
    """The result of our judge if the canary continues after its end, over all releases."""

    requests: float
    """Mean canary requests until the rollback."""
    missed: int
    """Releases that were not found; they count with all their requests."""
    told: float | None
    """The mean of a judge that knows the fault; None with a late fault."""


@dataclass(frozen=True)
class Result:
    """The results of all rules in one cell."""

    cell: Cell
    rules: tuple[RuleResult, ...]
    unlimited: Unlimited | None
    """None if the regression cannot be found within the canary."""

    def of_rule(self, rule: str) -> RuleResult | None:
        """Return the result of a rule; None if it does not apply to the cell."""
        return next((each for each in self.rules if each.rule == rule), None)


def play(cell: Cell, seed: int) -> Result:
    """Simulate a cell and apply every rule; the same seed simulates the same releases."""
    numbers = (cell.requests_per_second, cell.canary, cell.base, cell.factor)
    key = [round(1e6 * number) for number in numbers]
    entropy = [seed, *cell.scenario.encode(), *key]
    rng = np.random.default_rng(np.random.SeedSequence(entropy))
    traffic = simulate(cell, rng)
    stops, unlimited = verdicts(traffic, PERIODS)
    rules = tuple(_measure(rule, traffic, stop) for rule, stop in stops.items())
    return Result(cell, rules, _unlimited(traffic, unlimited) if cell.is_findable else None)


def _unlimited(traffic: Traffic, stop: Counts) -> Unlimited:
    cell = traffic.cell
    told = None
    if not cell.onset:
        odds = cell.worse * (1 - cell.base) / ((1 - cell.worse) * cell.base)
        told = _mean_requests(traffic, judge.stops(traffic, bets=judge.told(odds)))
    return Unlimited(_mean_requests(traffic, stop), int((stop == 0).sum()), told)


def _mean_requests(traffic: Traffic, stop: Counts) -> float:
    counted = _after_onset(traffic, stop)
    # Index -1 is the last period: a release that was not found counts with all its requests.
    return float(_requests(traffic)[np.arange(len(stop)), stop - 1][counted].mean())


def _measure(rule: str, traffic: Traffic, stop: Counts) -> RuleResult:
    requests = _requests(traffic)
    counted = _after_onset(traffic, stop)
    found = counted & (stop > 0)
    until = requests[np.arange(len(stop)), stop - 1][found]
    bad = traffic.canary_bad[:, traffic.cell.onset : PERIODS]
    served = np.arange(traffic.cell.onset, PERIODS) < np.where(stop > 0, stop, PERIODS)[:, None]
    hurt = (bad * served).sum(axis=1)[counted]
    half = (len(stop) + 1) // 2
    return RuleResult(
        rule,
        int(found.sum()),
        int((~counted).sum()),
        float(until.mean()) if len(until) else None,
        float(np.sort(until)[half - 1]) if len(until) >= half else None,
        float(hurt.mean()) if len(hurt) else 0.0,
    )


def _requests(traffic: Traffic) -> Counts:
    """Return the canary requests from the start of the fault to the end of each period."""
    requests = traffic.canary_requests.copy()
    requests[:, : traffic.cell.onset] = 0
    return np.cumsum(requests, axis=1)


def _after_onset(traffic: Traffic, stop: Counts) -> NDArray[np.bool_]:
    return np.asarray((stop == 0) | (stop > traffic.cell.onset))


def interval(count: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % confidence interval of a share."""
    share = count / of
    spread = _Z95 * math.sqrt(share * (1 - share) / of + _Z95**2 / (4 * of * of))
    centre = share + _Z95**2 / (2 * of)
    scale = 1 + _Z95**2 / of
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
