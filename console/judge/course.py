"""The course of a release as a picture shows it: bad requests of both versions, evidence."""

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
    """All that is drawn of one release, which has at least one closed period."""

    heading: str
    """Such as `files in prod: version 3 was rolled back`."""
    sentence: str
    """Why."""
    canary: str
    """The new version's number."""
    stable: str
    periods: tuple[Period, ...]
    """By time."""
    points: tuple[tuple[datetime, float], ...]
    """When evidence was had, and how much: log10 of the e-value against "the canary is no worse".
    At the beginning there is none."""
    line: float
    """The evidence at which it is rolled back."""
    notes: tuple[str, ...]
    """Lines of small print."""

    @property
    def objectives(self) -> tuple[str, ...]:
        """Those by which a request was bad; the first one where none was."""
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
        """The lowest and the highest evidence that is drawn, the line inside."""
        seen = [evidence for _, evidence in self.points]
        return min(seen), max(self.line, *seen)

    @property
    def crossed(self) -> tuple[datetime, float] | None:
        """When the evidence first reached the line, and what it then was."""
        return next((point for point in self.points if point[1] >= self.line), None)

    def times(self, most: int) -> list[datetime]:
        """The first period's start and ends of periods, evenly thinned out to about so many."""
        every = -(-len(self.periods) // most)
        return [self.periods[0].start, *map(end, self.periods)][::every]


def end(period: Period) -> datetime:
    """When it closed."""
    return period.start + timedelta(seconds=period.seconds)


def share(counts: Counts) -> float | None:
    """The share of bad requests, None without requests."""
    return counts.failures / counts.requests if counts.requests else None
