"""What a canary can find, told before it is begun: how likely, how soon, and at whose cost.

Statistical power, in the field's word. The judge's evidence is a walk over failures: each belongs
to the canary with probability q = w p1 / (w p1 + (1-w) p0), where w is the canary's share of the
requests and p1 and p0 are the shares that fail on the canary and on the stable version. How many
failures it takes to the line is computed from the judge's own bets; when they come is Poisson.
These things are left out, which makes the figures estimates:

- requests are taken to be many to a failure, which understates the evidence a little;
- evidence whose size depends on the order of events counts as a constant (`_SPARED`);
- the walk is looked at after each failure, the judge after each minute; what is found within a
  minute counts from the minute's end;
- one objective alone is crossed, and of the others no request is bad;
- where the share grows in steps, each minute counts as many minutes at the first share as it
  brings information (`pipeline.judge.statistics.information`) in comparison.
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

_MOST = 4_000  # failures; what needs more of them is not found
_SPARED = 0.45
"""Decades of evidence that the judge does without where a fault is there from the start: what it
has bet on late faults, and boosting (`pipeline.judge.statistics.boosting`), count too. Both depend
on the order of events; this is what suits releases that were played, of 1 to 1,000 requests a
second."""
_NOTHING = 1e-7  # of probability
_EACH = 30  # minutes that are looked at one by one; then every 20th part more


@dataclass(frozen=True)
class Canary:
    """A canary that is to be."""

    requests_per_second: float
    """On both versions together."""
    failure_share: float
    """Of the stable version's requests, those that fail; 0 to 1."""
    shares: tuple[float, ...]
    """The canary's share of the requests in each minute that is judged; 0 to 1, ascending."""
    ends: tuple[float, ...]
    """When each of these minutes ends, in minutes since traffic began to shift."""
    reaction: float
    """Minutes that a canary serves after the end of the one that condemned it."""


@dataclass(frozen=True)
class Prospect:
    """What becomes of a canary of which a given share of requests fails."""

    found: float
    """Probability that it is condemned within the minutes that are judged."""
    minutes: float | None
    """Mean number of minutes until then, of those that are found; None where none is."""
    hurt: float
    """Mean number of the canary's failed requests until it is rolled back, or to the end of the
    last minute that is judged."""


class Power:
    """The power of a rule for one objective, at one share of the requests.

    Args:
        parameters: the rule's.
        objective: its name; what is said of failures is said of its bad requests.
        share: the canary's share of the requests when it begins; 0 to 1.
    """

    def __init__(self, parameters: Parameters, objective: str, share: float) -> None:
        self._parameters = parameters
        self._share = share
        part = parameters.objectives[objective]
        tilt = [parameters.tolerance * ratio for ratio in WORSE]
        # By bet: log of its share, of a failure's factor on the canary, of any failure's divisor.
        self._bets = [
            (
                math.log(part * FROM_THE_START * bet),
                math.log(odds / parameters.tolerance),
                math.log(self._mix(odds) / self._mix(parameters.tolerance)),
            )
            for odds, bet in zip(tilt, WORSE_SHARES, strict=True)
        ]
        self._line = (line(parameters) - _SPARED) * math.log(10)
        self._boundary = [1]  # of the canary's failures, by all failures

    def prospect(self, canary: Canary, bad: float) -> Prospect:
        """What becomes of a canary of which the share `bad` of its requests fails."""
        rate, clock = self._rate(canary, bad), _clock(canary, bad)
        passage = self._passage(canary.failure_share, bad, _most(rate * clock[-1]))
        looks = _looks(len(clock))
        found = [0.0] + [_found(passage, rate * clock[look - 1]) for look in looks[1:]]
        ends = [0.0, *canary.ends]
        minutes = served = condemned = 0.0
        for index, (start, stop) in enumerate(pairwise(looks)):
            # The mean, over the minutes between two looks, of what was not found before each.
            count = stop - start
            left = 1 - found[index] - (found[index + 1] - found[index]) * (count - 1) / (2 * count)
            minutes += left * (ends[stop] - ends[start])
            share = sum(canary.shares[start:stop]) / count
            served += left * (ends[stop] - ends[start]) * share
            condemned += (found[index + 1] - found[index]) * share
        if found[-1] < _NOTHING:
            return Prospect(0.0, None, 60 * canary.requests_per_second * bad * served)
        served += condemned * canary.reaction
        return Prospect(
            found=found[-1],
            minutes=(minutes - ends[-1] * (1 - found[-1])) / found[-1],
            hurt=60 * canary.requests_per_second * bad * served,
        )

    def suffices(self, canary: Canary, bad: float, certainty: float) -> Callable[[Canary], bool]:
        """Whether canaries at this traffic and this first share find that with this probability.

        The answer is for canaries of any length; the work is done once.
        """
        passage = self._passage(canary.failure_share, bad, _MOST)
        enough = math.inf
        if sum(passage) > certainty:
            most = float(_most(len(passage)))
            enough = _least(lambda mean: _found(passage, mean) >= certainty, 0.0, most, 14)
        rate = self._rate(canary, bad)
        return lambda other: rate * _clock(other, bad)[-1] >= enough

    def smallest(self, canary: Canary, certainty: float) -> float | None:
        """The smallest share of failures that is found with this probability.

        None where even a canary that fails at every request is not.
        """

        def found(logarithm: float) -> bool:
            bad = math.exp(logarithm)
            failures = self._rate(canary, bad) * _clock(canary, bad)[-1]
            passage = self._passage(canary.failure_share, bad, _most(failures))
            return _found(passage, failures) >= certainty

        if not found(0.0):
            return None
        return math.exp(_least(found, math.log(max(canary.failure_share, 1e-6)), 0.0, 9))

    def limit(self, canary: Canary, bad: float) -> float:
        """Minutes at the first share that any rule needs on average, however long it may take."""
        requests = requests_limit(
            self._parameters.false_rollback_rate,
            bad,
            canary.failure_share,
            self._share,
            self._parameters.tolerance,
        )
        return requests / (60 * canary.requests_per_second)

    def _rate(self, canary: Canary, bad: float) -> float:
        """Failures in a minute, of both versions, at the first share."""
        rest = (1 - self._share) * canary.failure_share
        return 60 * canary.requests_per_second * (self._share * bad + rest)

    def _passage(self, failure_share: float, bad: float, most: int) -> list[float]:
        """By number of failures, the probability that the line is reached with just so many."""
        theirs, ours = (1 - self._share) * failure_share, self._share * bad
        q = ours / (theirs + ours) if ours else 0.0
        passage, left = [0.0], 1.0
        first, among = 0, [1.0]  # the probability of so many of the canary's, from `first` on
        for failures in range(1, most + 1):
            among = [
                stays * (1 - q) + comes * q
                for stays, comes in zip([*among, 0.0], [0.0, *among], strict=True)
            ]
            boundary, hit = self._boundary_at(failures), 0.0
            while among and first + len(among) > boundary:
                hit += among.pop()
            while among and among[0] < _NOTHING**2:
                del among[0]
                first += 1
            passage.append(hit)
            left -= hit
            if left < _NOTHING or not among:
                break
        return passage

    def _boundary_at(self, failures: int) -> int:
        """The least number of the canary's among so many failures that rolls it back."""
        while len(self._boundary) <= failures:
            count, ours = len(self._boundary), self._boundary[-1]
            while ours <= count and self._evidence(ours, count) < self._line:
                ours += 1
            self._boundary.append(ours)
        return self._boundary[failures]

    def _evidence(self, ours: int, failures: int) -> float:
        """Its log, where requests are many to a failure: the hypergeometric is then binomial."""
        return log_sum([bet + ours * on - failures * by for bet, on, by in self._bets])

    def _mix(self, odds: float) -> float:
        return 1 - self._share + self._share * odds


def _clock(canary: Canary, bad: float) -> list[float]:
    """Minutes at the first share that bring as much information as those up to each minute."""
    first = information(bad, canary.failure_share, canary.shares[0])
    worth, passed, clock = {canary.shares[0]: 1.0}, 0.0, []
    for share in canary.shares:
        if share not in worth:
            worth[share] = information(bad, canary.failure_share, share) / first if first else 1.0
        passed += worth[share]
        clock.append(passed)
    return clock


def _looks(minutes: int) -> list[int]:
    """Minutes from 0 to the last at which to look: every one at first, then fewer and fewer."""
    looks = [0]
    while looks[-1] < minutes:
        looks.append(min(minutes, looks[-1] + 1 + max(0, looks[-1] - _EACH) // 20))
    return looks


def _most(mean: float) -> int:
    """More events than a Poisson variable of this mean ever counts."""
    return min(_MOST, math.ceil(mean + 8 * math.sqrt(mean) + 20))


def _found(passage: list[float], mean: float) -> float:
    """The probability that a Poisson number of failures is enough."""
    if mean <= 0:
        return 0.0
    found, fewer, logarithm = 0.0, 0.0, math.log(mean)
    for failures, probability in enumerate(passage):
        if probability:
            found += probability * (1 - fewer)
        fewer = min(1.0, fewer + math.exp(failures * logarithm - mean - math.lgamma(failures + 1)))
    return found


def _least(holds: Callable[[float], bool], low: float, high: float, halvings: int) -> float:
    """The least number between two at which it holds, after so many halvings; `high` holds."""
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
