"""Is a release slower than the one before: a test that knows change from noise.

Both runs met the same arrivals and are cut into the same number of blocks of time. Of each block
only its p95 is used, so that requests that suffered together, from one pause of the machine or
one cold start, count once. If nothing has changed, any half of the blocks might have been the
new release's: the share of all ways to choose half of them in which the ranks of the chosen add
up to at least what was seen is the exact probability of being so unlucky (Wilcoxon, "Individual
comparisons by ranking methods", 1945; with ties, the same over midranks). A stall can spoil a few
blocks of a run and says little; a slower release is slower in most of them.

What distinguishes the two runs as wholes, such as a busier machine, the ranks cannot know from
the release. So the p95 of the median block must also have grown by a share of itself and by
milliseconds that the environment's file gives.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.gates import Comparison
    from pipeline.gates.load.histogram import Histogram
    from pipeline.gates.load.measured import Measured

_QUANTILE = 0.95
_FEWEST = 10
"""Requests in each block, with which its p95 says something."""


@dataclass(frozen=True)
class Growth:
    """How the p95 of the median block changed, in milliseconds."""

    name: str
    """Of the requests, or `all requests`."""
    before: float
    now: float
    p_value: float
    """At most this likely where nothing changed."""

    def is_regression(self, limits: Comparison, compared: int) -> bool:
        """Whether it is large, and improbable also as the greatest of so many comparisons."""
        return (
            self.now >= self.before * (1 + limits.min_growth)
            and self.now - self.before >= limits.min_growth_ms
            and self.p_value * compared <= limits.false_alarm_share  # Bonferroni
        )


def growths(before: Measured, now: Measured) -> list[Growth]:
    """The change of all requests together, and of each name with enough in every block."""
    earlier, later = before.with_all(), now.with_all()
    return [
        _growth(name, earlier[name], later[name])
        for name in earlier
        if name in later and _enough(earlier[name]) and _enough(later[name])
    ]


def regressions(found: Sequence[Growth], limits: Comparison) -> list[Growth]:
    """Those that refuse a release."""
    return [each for each in found if each.is_regression(limits, len(found))]


def _enough(blocks: Sequence[Histogram]) -> bool:
    return all(block.total >= _FEWEST for block in blocks)


def _growth(name: str, before: Sequence[Histogram], now: Sequence[Histogram]) -> Growth:
    earlier = [block.quantile(_QUANTILE) for block in before]
    later = [block.quantile(_QUANTILE) for block in now]
    return Growth(name, median(earlier), median(later), p_value(earlier, later))


def p_value(before: Sequence[float], now: Sequence[float]) -> float:
    """The probability of ranks of `now` at least so high, where nothing has changed; exact."""
    pooled = [*before, *now]
    # Doubled, so that the midrank of equals is whole.
    ranks = [2 * sum(other < each for other in pooled) + pooled.count(each) + 1 for each in pooled]
    seen = sum(ranks[len(before) :])
    # How many choices of so many blocks have which sum of ranks.
    choices: list[Counter[int]] = [Counter({0: 1}), *(Counter() for _ in now)]
    for rank in ranks:
        for size in range(len(now), 0, -1):
            for total, count in choices[size - 1].items():
                choices[size][total + rank] += count
    unlucky = sum(count for total, count in choices[len(now)].items() if total >= seen)
    return unlucky / math.comb(len(pooled), len(now))
