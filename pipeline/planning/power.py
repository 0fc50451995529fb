"""Statistical power of a canary: probability, time and cost of detection.

The judge's evidence is a walk over failures: each belongs to the canary with probability q = w p1 /
(w p1 + (1-w) p0), where w is the canary's share of the requests, and p1 and p0 are the failure
shares of the canary and the stable version. The number of failures until the walk crosses the line
is computed from the judge's own bets; their times are Poisson.

The figures are estimates, because of these simplifications:

- there are many requests per failure, which understates the evidence a little;
- evidence that depends on the order of events is a constant (`_SPARED_DECADES`);
- the walk is evaluated after each failure, the judge's after each minute; a detection within a
  minute counts from the minute's end;
- only one objective crosses the line, and no request is bad by another;
- if the share grows in steps, each minute counts as the number of minutes at the first share with
  the same information (`pipeline.judge.statistics.information`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.judge.statistics.bets import FROM_THE_START, WORSE, WORSE_SHARES
from pipeline.judge.statistics.eprocess import log_sum
from pipeline.judge.statistics.information import information, requests_limit
from pipeline.judge.statistics.judging import line

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.judge.statistics.periods import Parameters

_MAX_FAILURES = 4_000  # failures; a regression that needs more is not detected
_SPARED_DECADES = 0.45
"""Decades of evidence that the judge gains in other ways.

If a fault exists from the start, bets on late faults and boosting
(`pipeline.judge.statistics.boosting`) count, too. Both depend on the order of events; this value
fits simulated releases of 1 to 1,000 requests a second.
"""
_MIN_PROBABILITY = 1e-7  # of probability
_SINGLE_MINUTES = 30  # minutes evaluated one by one; then steps of 1/20


@dataclass(frozen=True)
class Canary:
    """A planned canary."""

    requests_per_second: float
    """Requests a second to both versions together."""
    failure_share: float
    """Share of the stable version's requests that fail; 0 to 1."""
    shares: tuple[float, ...]
    """The canary's share of the requests in each judged minute; 0 to 1, ascending."""
    ends: tuple[float, ...]
    """The end of each judged minute, in minutes since the shift began."""
    reaction: float
    """Minutes that a canary serves after the end of the minute that condemns it."""


@dataclass(frozen=True)
class Prospect:
    """The prospects of a canary with a given failure share."""

    found: float
    """Probability that it is condemned within the judged minutes."""
    minutes: float | None
    """Mean minutes to the condemnation, if there is one; None if it never happens."""
    hurt: float
    """Mean number of the canary's failed requests until its rollback.

    Without a rollback, they are counted to the end of the last judged minute.
    """


class Power:
    """The power of the judge's rule for one objective, at one first share.

    Args:
        parameters: the judge's.
        objective: its name; its bad requests are called failures here.
        share: the canary's share of the requests when it begins; 0 to 1.
    """

    def __init__(self, parameters: Parameters, objective: str, share: float) -> None:
        self._parameters = parameters
        self._share = share
        part = parameters.objectives[objective]
        tilt = [parameters.tolerance * ratio for ratio in WORSE]
        # For each bet: log of its share, of a failure's factor on the canary, of any failure's
        # divisor.
        self._bets = [
            (
                math.log(part * FROM_THE_START * bet),
                math.log(odds / parameters.tolerance),
                math.log(self._mix(odds) / self._mix(parameters.tolerance)),
            )
            for odds, bet in zip(tilt, WORSE_SHARES, strict=True)
        ]
        self._line = (line(parameters) - _SPARED_DECADES) * math.log(10)
        self._boundary = [1]  # minimum canary failures, by all failures

    def prospect(self, canary: Canary, bad: float) -> Prospect:
        """Return the prospects of a canary whose failure share is `bad`."""
        rate, clock = self._rate(canary, bad), _information_minutes(canary, bad)
        passage = self._passage(canary.failure_share, bad, _max_count(rate * clock[-1]))
        looks = _evaluation_minutes(len(clock))
        found = [0.0] + [_crossing(passage, rate * clock[look - 1]) for look in looks[1:]]
        ends = [0.0, *canary.ends]
        minutes = served = condemned = 0.0
        for index, (start, stop) in enumerate(pairwise(looks)):
            # Mean over the minutes between two evaluations, weighted by what was not detected
            # before each.
            count = stop - start
            left = 1 - found[index] - (found[index + 1] - found[index]) * (count - 1) / (2 * count)
            minutes += left * (ends[stop] - ends[start])
            share = sum(canary.shares[start:stop]) / count
            served += left * (ends[stop] - ends[start]) * share
            condemned += (found[index + 1] - found[index]) * share
        if found[-1] < _MIN_PROBABILITY:
            return Prospect(0.0, None, 60 * canary.requests_per_second * bad * served)
        served += condemned * canary.reaction
        return Prospect(
            found=found[-1],
            minutes=(minutes - ends[-1] * (1 - found[-1])) / found[-1],
            hurt=60 * canary.requests_per_second * bad * served,
        )

    def suffices(self, canary: Canary, bad: float, certainty: float) -> Callable[[Canary], bool]:
        """Return a predicate: whether a canary detects `bad` with this probability.

        It accepts canaries of any length at this traffic and first share, and does the work only
        once.
        """
        passage = self._passage(canary.failure_share, bad, _MAX_FAILURES)
        enough = math.inf
        if sum(passage) > certainty:
            most = float(_max_count(len(passage)))
            enough = _bisect(lambda mean: _crossing(passage, mean) >= certainty, 0.0, most, 14)
        rate = self._rate(canary, bad)
        return lambda other: rate * _information_minutes(other, bad)[-1] >= enough

    def smallest(self, canary: Canary, certainty: float) -> float | None:
        """Return the smallest failure share that is detected with this probability.

        Returns None if even a canary that fails every request is not.
        """

        def found(logarithm: float) -> bool:
            bad = math.exp(logarithm)
            failures = self._rate(canary, bad) * _information_minutes(canary, bad)[-1]
            passage = self._passage(canary.failure_share, bad, _max_count(failures))
            return _crossing(passage, failures) >= certainty

        if not found(0.0):
            return None
        return math.exp(_bisect(found, math.log(max(canary.failure_share, 1e-6)), 0.0, 9))

    def limit(self, canary: Canary, bad: float) -> float:
        """Return the mean minutes at the first share that any rule needs, however long."""
        requests = requests_limit(
            self._parameters.false_rollback_rate,
            bad,
            canary.failure_share,
            self._share,
            self._parameters.tolerance,
        )
        return requests / (60 * canary.requests_per_second)

    def _rate(self, canary: Canary, bad: float) -> float:
        """Return the failures a minute, of both versions, at the first share."""
        rest = (1 - self._share) * canary.failure_share
        return 60 * canary.requests_per_second * (self._share * bad + rest)

    def _passage(self, failure_share: float, bad: float, most: int) -> list[float]:
        """Return the probability of crossing the line at exactly n failures, for each n."""
        theirs, ours = (1 - self._share) * failure_share, self._share * bad
        q = ours / (theirs + ours) if ours else 0.0
        passage, left = [0.0], 1.0
        first, among = 0, [1.0]  # distribution of the canary's failures, from `first` on
        for failures in range(1, most + 1):
            among = [
                stays * (1 - q) + comes * q
                for stays, comes in zip([*among, 0.0], [0.0, *among], strict=True)
            ]
            boundary, hit = self._boundary_at(failures), 0.0
            while among and first + len(among) > boundary:
                hit += among.pop()
            while among and among[0] < _MIN_PROBABILITY**2:
                del among[0]
                first += 1
            passage.append(hit)
            left -= hit
            if left < _MIN_PROBABILITY or not among:
                break
        return passage

    def _boundary_at(self, failures: int) -> int:
        """Return the least number of canary failures, of all failures, that rolls it back."""
        while len(self._boundary) <= failures:
            count, ours = len(self._boundary), self._boundary[-1]
            while ours <= count and self._evidence(ours, count) < self._line:
                ours += 1
            self._boundary.append(ours)
        return self._boundary[failures]

    def _evidence(self, ours: int, failures: int) -> float:
        """Return the log of the evidence, with a binomial as limit of the hypergeometric.

        The limit holds for many requests per failure.
        """
        return log_sum([bet + ours * on - failures * by for bet, on, by in self._bets])

    def _mix(self, odds: float) -> float:
        return 1 - self._share + self._share * odds


def _information_minutes(canary: Canary, bad: float) -> list[float]:
    """Return each minute's cumulative information, in minutes at the first share."""
    first = information(bad, canary.failure_share, canary.shares[0])
    worth, passed, clock = {canary.shares[0]: 1.0}, 0.0, []
    for share in canary.shares:
        if share not in worth:
            worth[share] = information(bad, canary.failure_share, share) / first if first else 1.0
        passed += worth[share]
        clock.append(passed)
    return clock


def _evaluation_minutes(minutes: int) -> list[int]:
    """Return the minutes to evaluate, from 0 to the last: at first each, then fewer."""
    looks = [0]
    while looks[-1] < minutes:
        looks.append(min(minutes, looks[-1] + 1 + max(0, looks[-1] - _SINGLE_MINUTES) // 20))
    return looks


def _max_count(mean: float) -> int:
    """Return a number that a Poisson variable of this mean practically never exceeds."""
    return min(_MAX_FAILURES, math.ceil(mean + 8 * math.sqrt(mean) + 20))


def _crossing(passage: list[float], mean: float) -> float:
    """Return the probability that a Poisson number of failures crosses the line."""
    if mean <= 0:
        return 0.0
    found, fewer, logarithm = 0.0, 0.0, math.log(mean)
    for failures, probability in enumerate(passage):
        if probability:
            found += probability * (1 - fewer)
        fewer = min(1.0, fewer + math.exp(failures * logarithm - mean - math.lgamma(failures + 1)))
    return found


def _bisect(holds: Callable[[float], bool], low: float, high: float, halvings: int) -> float:
    """Return the least number for which a predicate holds, by bisection; `high` holds."""
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
