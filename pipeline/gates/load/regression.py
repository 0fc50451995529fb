"""Is a release slower than the one before: a test that knows change from noise.

Every run meets the same arrivals and is cut into the same number of blocks of time. Of each block
only its p95 is used, so that requests that suffered together, from one pause of the machine or
one cold start, count once. If nothing has changed, any of the blocks might have been the earlier
release's: the share of all ways to choose so many of them in which the ranks of the others add up
to at least what was seen is the exact probability of being so unlucky (Wilcoxon, "Individual
comparisons by ranking methods", 1945; with ties, the same over midranks). A stall can spoil a few
blocks of a run and says little; a slower release is slower in most of them.

What distinguishes runs as wholes, such as a busier machine, the ranks cannot know from the
release. Two things can. A neighbour comes and goes: the p95 of the median block has to be larger
in every run of the release, by a share of itself and by milliseconds that the environment's file
gives. And a neighbour makes the generator late as well: a growth counts only beyond the noise,
which is what a request waits for a processor on its way if it waits each time as long as the
generator does. So a quiet machine finds what is small, and a busy one accuses nobody of its
noise. Where that would hide even a p95 of four times the earlier one, nothing was compared.

docs/gates.md tells what this finds, and how the constants were measured.
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
_WAITS = 3
"""So often a request waits as long as the generator does: at the API, in the sandbox, and back."""
_BLIND = 3
"""Noise of so many times the earlier p95 would hide that it is four times what it was."""


@dataclass(frozen=True)
class Growth:
    """How the p95 of the median block changed, in milliseconds."""

    name: str
    """Of the requests, or `all requests`."""
    before: float
    now: tuple[float, ...]
    """In each run of the release."""
    noise: tuple[float, ...]
    """Of each run: so much of its growth may be the machine's."""
    p_value: float
    """At most this likely where nothing changed; of all runs together."""

    def is_suspected(self, limits: Comparison) -> bool:
        """Whether no run has shown that it is no slower."""
        least = max(self.before * limits.min_growth, limits.min_growth_ms)
        return all(
            now - self.before >= least
            and (now - self.before > noise or noise > _BLIND * self.before)
            for now, noise in zip(self.now, self.noise, strict=True)
        )

    @property
    def is_hidden(self) -> bool:
        """Whether the noise of a run may be all of its growth."""
        pairs = zip(self.now, self.noise, strict=True)
        return any(now - self.before <= noise for now, noise in pairs)


def noise(seen: Measured) -> float:
    """Milliseconds by which a busy machine may have raised the p95 of a run."""
    return _WAITS * seen.lateness.quantile(_QUANTILE)


def growths(before: Measured, runs: Sequence[Measured]) -> list[Growth]:
    """The change of all requests together, and of each name with enough in every block."""
    earlier, later = before.with_all(), [seen.with_all() for seen in runs]
    noises = tuple(noise(seen) for seen in runs)
    return [
        _growth(name, earlier[name], [each[name] for each in later], noises)
        for name in earlier
        if all(_enough(each.get(name, ())) for each in (earlier, *later))
    ]


def suspected(found: Sequence[Growth], limits: Comparison) -> list[Growth]:
    """Those that another run may clear."""
    return [each for each in found if each.is_suspected(limits)]


def regressions(found: Sequence[Growth], limits: Comparison) -> list[Growth]:
    """Those that are left, and improbable also as the greatest of so many (Bonferroni)."""
    return [
        each
        for each in suspected(found, limits)
        if each.p_value * len(found) <= limits.false_alarm_share
    ]


def _enough(blocks: Sequence[Histogram]) -> bool:
    return bool(blocks) and all(block.total >= _FEWEST for block in blocks)


def _growth(
    name: str,
    before: Sequence[Histogram],
    runs: Sequence[Sequence[Histogram]],
    noises: tuple[float, ...],
) -> Growth:
    earlier = [block.quantile(_QUANTILE) for block in before]
    later = [[block.quantile(_QUANTILE) for block in blocks] for blocks in runs]
    together = [each for blocks in later for each in blocks]
    medians = tuple(median(blocks) for blocks in later)
    return Growth(name, median(earlier), medians, noises, p_value(earlier, together))


def p_value(before: Sequence[float], now: Sequence[float]) -> float:
    """The probability of ranks of `now` at least so high, where nothing has changed; exact."""
    pooled = [*before, *now]
    # Doubled, so that the midrank of equals is whole.
    ranks = [2 * sum(other < each for other in pooled) + pooled.count(each) + 1 for each in pooled]
    seen = sum(ranks[: len(before)])
    # How many choices of so many blocks have which sum of ranks.
    choices: list[Counter[int]] = [Counter({0: 1}), *(Counter() for _ in before)]
    for rank in ranks:
        for size in range(len(before), 0, -1):
            for total, count in choices[size - 1].items():
                choices[size][total + rank] += count
    # The higher the ranks of `now` are, the lower are those of `before`.
    unlucky = sum(count for total, count in choices[len(before)].items() if total <= seen)
    return unlucky / math.comb(len(pooled), len(before))
