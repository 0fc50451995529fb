"""The course of a release: bad requests of both versions, and evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.judge.statistics import Counts
    from pipeline.judge.statistics.periods import Period


@dataclass(frozen=True)
class Course:
    """The data of one release's picture; it has at least one closed period."""

    heading: str
    """Such as `files in prod: version 3 was rolled back`."""
    sentence: str
    """The reason for the outcome."""
    canary: str
    """The new version's number."""
    stable: str
    periods: tuple[Period, ...]
    """The closed periods, by time."""
    points: tuple[tuple[datetime, float], ...]
    """Time and log10 of the e-value against "the canary is no worse".

    The first periods have none.
    """
    line: float
    """The evidence at which the canary is rolled back."""
    notes: tuple[str, ...]
    """Lines of small print."""

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives with bad requests; the first one if there are none."""
        every = tuple(self.periods[0].counts)
        spoke = tuple(
            name
            for name in every
            if any(pair.failures for each in self.periods for pair in each.counts[name])
        )
        return spoke or every[:1]

    def top_share(self, objective: str) -> float:
        """The largest share of bad requests in a period, of either version; never 0."""
        shares = (share(counts) for each in self.periods for counts in each.counts[objective])
        return max(filter(None, shares), default=0.01)

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest drawn evidence; includes the line."""
        seen = [evidence for _, evidence in self.points]
        return min(seen), max(self.line, *seen)

    @property
    def crossed(self) -> tuple[datetime, float] | None:
        """Time and value of the first evidence at or above the line, or None."""
        return next((point for point in self.points if point[1] >= self.line), None)

    def times(self, most: int) -> list[datetime]:
        """Return the first start and about `most` evenly spaced ends of periods."""
        every = -(-len(self.periods) // most)
        return [self.periods[0].start, *map(end, self.periods)][::every]


def end(period: Period) -> datetime:
    """Return the end of a period."""
    return period.start + timedelta(seconds=period.seconds)


def share(counts: Counts) -> float | None:
    """Return the share of bad requests, or None without requests."""
    return counts.failures / counts.requests if counts.requests else None
