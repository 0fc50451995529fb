"""Test whether a release is slower than the one promoted last.

Both get the same load at the same time, in turn, so that a busy machine, a slow bucket or a network
stall affects both. Chance is accounted for exactly. A run is divided into short blocks of time. If
the releases are equal, the two sides of a block are exchangeable. For each block, the test counts
how many more requests of the new release than of the other one took longer than the quantile of
both together. The p-value is the share of all exchanges of sides in which the sum of these
differences is at least the observed sum (the sign-flip test: Fisher, "The Design of Experiments",
1935, §21). Requests that are slow for a common reason are in one block and are exchanged together,
so that a stall counts once.

The test is applied to the p50 and the p95, of all requests and of each name, after each run over
all runs so far. These tests share the rate of false alarms in the environment file (Bonferroni). A
significant but small growth is no regression: the quantile must also grow by the share and by the
milliseconds in the file.

A difference that lasts for the whole run, such as a sandbox on a slower machine, is attributed to
the release; the least growth in the file must be larger. docs/gates.md says what the test finds.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.gates.load.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from environments.gates import Comparison
    from pipeline.gates.load.measurement import Measurement

RUNS = 3
"""Most runs of a release."""
_QUANTILES = (0.5, 0.95)
_MIN_REQUESTS_BEYOND = 5
"""Fewest requests beyond a quantile for it to be tested."""
_SUSPICION_LEVEL = 0.05
"""A growth with a smaller p-value leads to another run."""
_MAX_SUMS = 10_000
"""Most distinct sums of differences; more would take time without changing the result."""
_MIN_VISIBLE_FACTOR = 2.0
"""A comparison that would not find a latency longer by this factor is blind."""


@dataclass(frozen=True)
class Pair:
    """The measurements of a release and of the one promoted last in the same run."""

    release: Measurement
    promoted: Measurement


@dataclass(frozen=True)
class Growth:
    """A quantile of both releases over all runs, in milliseconds."""

    name: str
    """Name of the requests, or `all requests`."""
    quantile: float
    before: float
    now: float
    p_value: float
    """Probability of at least this growth if the releases are equal."""

    def is_large(self, limits: Comparison) -> bool:
        """Return whether the growth is large enough for a regression."""
        least = max(self.before * limits.min_growth, limits.min_growth_ms)
        return self.now - self.before >= least


@dataclass(frozen=True)
class _Test:
    """The test of one quantile, with the blocks of both releases in each run."""

    name: str
    quantile: float
    runs: tuple[tuple[Sequence[Histogram], Sequence[Histogram]], ...]

    def has_enough(self) -> bool:
        return all(
            (1 - self.quantile) * sum(block.total for block in blocks) >= _MIN_REQUESTS_BEYOND
            for run in self.runs
            for blocks in run
        )

    def excesses(self, slower: float = 1.0) -> list[int]:
        """Return by how many requests the release exceeds the other beyond the common quantile.

        One number for each block; the quantile is that of each run. `slower` is a factor on the
        latencies of the release.
        """
        found = []
        for now, before in self.runs:
            stretched = [block.stretched(slower) for block in now]
            limit = Histogram.sum((*stretched, *before)).quantile(self.quantile)
            pairs = zip(stretched, before, strict=True)
            found += [mine.above(limit) - other.above(limit) for mine, other in pairs]
        return found

    def growth(self) -> Growth:
        now, before = (
            Histogram.sum(block for run in self.runs for block in run[side]) for side in (0, 1)
        )
        return Growth(
            self.name,
            self.quantile,
            before.quantile(self.quantile),
            now.quantile(self.quantile),
            p_value(self.excesses()),
        )


def growths(runs: Sequence[Pair]) -> list[Growth]:
    """Return the p50 and the p95 of all requests, and of each name with enough requests."""
    return [each.growth() for each in _tests(runs)]


def suspected(found: Iterable[Growth], limits: Comparison) -> bool:
    """Return whether another run is needed to decide."""
    return any(each.is_large(limits) and each.p_value <= _SUSPICION_LEVEL for each in found)


def regressions(found: Sequence[Growth], limits: Comparison) -> list[Growth]:
    """Return the growths that are large and significant after the correction for all tests."""
    return [
        each
        for each in found
        if each.is_large(limits) and each.p_value <= _level(len(found), limits)
    ]


def is_blind(runs: Sequence[Pair], limits: Comparison) -> bool:
    """Return whether the tests would not even find a release that takes twice as long."""
    tests = _tests(runs)
    return all(
        p_value(each.excesses(_MIN_VISIBLE_FACTOR)) > _level(len(tests), limits) for each in tests
    )


def _level(tests: int, limits: Comparison) -> float:
    """Return the significance level of each test."""
    return limits.false_alarm_share / (RUNS * tests)


def _tests(runs: Sequence[Pair]) -> list[_Test]:
    sides = [(each.release.with_all(), each.promoted.with_all()) for each in runs]
    names = [name for name in sides[0][0] if all(name in each for run in sides for each in run)]
    tests = [
        _Test(name, quantile, tuple((now[name], before[name]) for now, before in sides))
        for name in names
        for quantile in _QUANTILES
    ]
    return [each for each in tests if each.has_enough()]


def p_value(excesses: Sequence[int]) -> float:
    """Return the share of all exchanges of sides in which the sum is at least as large.

    It is exact, except that many requests are counted in units of dozens or hundreds.
    """
    grain = max(1, sum(map(abs, excesses)) // _MAX_SUMS)
    coarse = [round(each / grain) for each in excesses]
    ways = Counter({0: 1})
    for each in coarse:
        after: Counter[int] = Counter()
        for total, count in ways.items():
            after[total + each] += count
            after[total - each] += count
        ways = after
    seen = sum(coarse)
    unlucky = sum(count for total, count in ways.items() if total >= seen)
    return math.ldexp(unlucky, -len(excesses))
