"""Latencies, counted in buckets that are 1 % wide: small, and added up across workers."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 1.01
"""Each bucket's upper edge over its lower: a quantile is at most 0.5 % away from the sample's."""
_LEAST = 0.001
"""Milliseconds; what is faster counts as this."""


class Histogram:
    """Counts of latencies in milliseconds."""

    def __init__(self, counts: dict[int, int] | None = None) -> None:
        self.counts = Counter(counts or {})

    def add(self, milliseconds: float) -> None:
        """Count one latency."""
        self.counts[_bucket(milliseconds)] += 1

    @property
    def total(self) -> int:
        """How many were counted."""
        return self.counts.total()

    def quantile(self, share: float) -> float:
        """The least latency that this share of all does not exceed; 0 of none.

        It is the middle of a bucket, as the scale goes.
        """
        rank = max(1, math.ceil(share * self.total))
        for bucket in sorted(self.counts):
            rank -= self.counts[bucket]
            if rank <= 0:
                return math.pow(WIDTH, bucket + 0.5)
        return 0.0

    def above(self, milliseconds: float) -> int:
        """How many are in a bucket above the one that this is in."""
        return sum(count for bucket, count in self.counts.items() if bucket > _bucket(milliseconds))

    def stretched(self, factor: float) -> Self:
        """What it were if every latency were so many times as long."""
        by = round(math.log(factor, WIDTH))
        return type(self)({bucket + by: count for bucket, count in self.counts.items()})

    def shortened(self, milliseconds: float) -> Self:
        """What it were if every latency were so much shorter, as the middle of its bucket goes."""
        shorter = type(self)()
        for bucket, count in self.counts.items():
            shorter.counts[_bucket(math.pow(WIDTH, bucket + 0.5) - milliseconds)] += count
        return shorter

    @classmethod
    def sum(cls, histograms: Iterable[Histogram]) -> Self:
        """All of them in one."""
        counts: Counter[int] = Counter()
        for each in histograms:
            counts.update(each.counts)
        return cls(counts)


def _bucket(milliseconds: float) -> int:
    return math.floor(math.log(max(milliseconds, _LEAST), WIDTH))
