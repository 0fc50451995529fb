"""Count latencies in buckets that are 1 % wide, so that workers' counts can be added up."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

BUCKET_RATIO = 1.01
"""Ratio of a bucket's upper to its lower edge: the error of a quantile is at most 0.5 %."""
_MIN_MILLISECONDS = 0.001
"""Smaller latencies count as this one."""


class Histogram:
    """Counts of latencies in milliseconds."""

    def __init__(self, counts: dict[int, int] | None = None) -> None:
        self.counts = Counter(counts or {})

    def add(self, milliseconds: float) -> None:
        """Count one latency."""
        self.counts[_bucket(milliseconds)] += 1

    @property
    def total(self) -> int:
        """Return the number of latencies."""
        return self.counts.total()

    def quantile(self, share: float) -> float:
        """Return the latency that this share (0 to 1) does not exceed; 0 if there is none.

        It is the geometric middle of a bucket.
        """
        rank = max(1, math.ceil(share * self.total))
        for bucket in sorted(self.counts):
            rank -= self.counts[bucket]
            if rank <= 0:
                return math.pow(BUCKET_RATIO, bucket + 0.5)
        return 0.0

    def above(self, milliseconds: float) -> int:
        """Return the number of latencies in buckets above that of a latency."""
        return sum(count for bucket, count in self.counts.items() if bucket > _bucket(milliseconds))

    def stretched(self, factor: float) -> Self:
        """Return the histogram with every latency multiplied by a factor."""
        by = round(math.log(factor, BUCKET_RATIO))
        return type(self)({bucket + by: count for bucket, count in self.counts.items()})

    def shortened(self, milliseconds: float) -> Self:
        """Return the histogram with the middle of every bucket reduced by some milliseconds."""
        shorter = type(self)()
        for bucket, count in self.counts.items():
            shorter.counts[_bucket(math.pow(BUCKET_RATIO, bucket + 0.5) - milliseconds)] += count
        return shorter

    @classmethod
    def sum(cls, histograms: Iterable[Histogram]) -> Self:
        """Add histograms up."""
        counts: Counter[int] = Counter()
        for each in histograms:
            counts.update(each.counts)
        return cls(counts)


def _bucket(milliseconds: float) -> int:
    return math.floor(math.log(max(milliseconds, _MIN_MILLISECONDS), BUCKET_RATIO))
