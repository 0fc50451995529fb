"""Is a release slower than the one promoted last: a test that knows change from noise.

Both are sent the same load in the same seconds, in turn, so that a busy machine, a slow bucket or
a stall of the network meets both. What is left is chance, and it is reckoned with exactly: a run
is cut into short blocks of time, and if nothing has changed, the two sides of a block might as
well have been exchanged. In each block is counted how many more requests of the release than of
the earlier one took longer than the quantile of both together. Among all ways to exchange sides,
the share in which the sum of these differences is at least what was seen is the probability of
being so unlucky (the sign-flip test: Fisher, "The Design of Experiments", 1935, §21). Requests
that suffered together are in one block and exchanged together, so that a stall counts once.

It is asked of the p50 and of the p95, of all requests and of each kind of them, because a release
may be slower throughout or in its tail, and after each of up to so many runs, all together. So
many questions share the false alarms that the environment's file allows (Bonferroni). What is
certain and small is no regression: the quantile must have grown by a share of itself, and by
milliseconds, that the file gives, too.

What does not come and goes within a run, such as a sandbox on a slower machine, the test takes for
the release; the file's least growth has to be above it. docs/gates.md tells what this finds.
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
    from pipeline.gates.load.measured import Measured

RUNS = 3
"""At most so many are made of a release that seems to be slower."""
_QUANTILES = (0.5, 0.95)
_FEWEST = 5
"""Requests beyond a quantile, with which it says something."""
_SUSPICION = 0.05
"""A growth less likely than this by chance is worth another run."""
_SUMS = 10_000
"""So many sums of differences are told apart; more would take time and change nothing."""
_VISIBLE = 2.0
"""A comparison that would not notice even so many times the latency has compared nothing."""


@dataclass(frozen=True)
class Pair:
    """What a release answered in a run, and what the one promoted last answered beside it."""

    release: Measured
    promoted: Measured


@dataclass(frozen=True)
class Growth:
    """How a quantile compares, in milliseconds, over all runs."""

    name: str
    """Of the requests, or `all requests`."""
    quantile: float
    before: float
    now: float
    p_value: float
    """As likely is at least so much where nothing changed."""

    def matters(self, limits: Comparison) -> bool:
        """Whether it would be a regression if it were certain."""
        least = max(self.before * limits.min_growth, limits.min_growth_ms)
        return self.now - self.before >= least


@dataclass(frozen=True)
class _Question:
    """A quantile of some requests; the blocks of each run, of the release and the other."""

    name: str
    quantile: float
    runs: tuple[tuple[Sequence[Histogram], Sequence[Histogram]], ...]

    def has_enough(self) -> bool:
        return all(
            (1 - self.quantile) * sum(block.total for block in blocks) >= _FEWEST
            for run in self.runs
            for blocks in run
        )

    def excesses(self, slower: float = 1.0) -> list[int]:
        """By how many more requests the release, made slower, is over the quantile of both.

        One number for each block; the quantile is each run's own.
        """
        found = []
        for now, before in self.runs:
            stretched = [block.stretched(slower) for block in now]
            limit = Histogram.sum((*stretched, *before)).quantile(self.quantile)
            pairs = zip(stretched, before, strict=True)
            found += [mine.above(limit) - other.above(limit) for mine, other in pairs]
        return found

    def answer(self) -> Growth:
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
    """The p50 and the p95 of all requests together, and of each name with enough of them."""
    return [each.answer() for each in _questions(runs)]


def suspected(found: Iterable[Growth], limits: Comparison) -> bool:
    """Whether another run should tell."""
    return any(each.matters(limits) and each.p_value <= _SUSPICION for each in found)


def regressions(found: Sequence[Growth], limits: Comparison) -> list[Growth]:
    """Those that matter, and are improbable also as the least probable of all that is asked."""
    return [
        each
        for each in found
        if each.matters(limits) and each.p_value <= _allowed(len(found), limits)
    ]


def is_blind(runs: Sequence[Pair], limits: Comparison) -> bool:
    """Whether even a release that takes twice as long would have gone unnoticed."""
    asked = _questions(runs)
    return all(p_value(each.excesses(_VISIBLE)) > _allowed(len(asked), limits) for each in asked)


def _allowed(questions: int, limits: Comparison) -> float:
    return limits.false_alarm_share / (RUNS * questions)


def _questions(runs: Sequence[Pair]) -> list[_Question]:
    sides = [(each.release.with_all(), each.promoted.with_all()) for each in runs]
    names = [name for name in sides[0][0] if all(name in each for run in sides for each in run)]
    asked = [
        _Question(name, quantile, tuple((now[name], before[name]) for now, before in sides))
        for name in names
        for quantile in _QUANTILES
    ]
    return [each for each in asked if each.has_enough()]


def p_value(excesses: Sequence[int]) -> float:
    """The share of all ways to exchange sides in which their sum is at least so large.

    It is exact; of very many requests, for sums of whole dozens or hundreds of them.
    """
    grain = max(1, sum(map(abs, excesses)) // _SUMS)
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
