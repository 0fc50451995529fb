"""How many more canary requests until a verdict, if things go on as they were seen."""

from __future__ import annotations

import math

from pipeline.judge.statistics.eprocess import log_sum
from pipeline.judge.statistics.information import information

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pipeline.judge.statistics.counts import Counts


class Outlook:
    """What both versions did so far, and what that lets expect."""

    def __init__(self) -> None:
        self._requests = [0, 0]
        self._failures = [0, 0]

    def observe(self, canary: Counts, stable: Counts) -> None:
        """One more period."""
        for version, counts in enumerate((canary, stable)):
            self._requests[version] += counts.requests
            self._failures[version] += counts.failures

    def requests(
        self, goal: float, logs: list[float], odds: tuple[float, ...], null: float
    ) -> float:
        """Canary requests until the bets are worth `goal` together, each growing as expected.

        Expected is that both versions go on failing as they did (with half a failure and half a
        success more each, so that no rate is 0 or 1) and the canary goes on getting its share of
        the requests. One of its requests then brings a bet on ψ against ψ0
        (information(against ψ0) - information(against ψ)) / share.

        Infinite where it cannot be said: before both served and one failed, or when no bet gains.

        Args:
            goal: the log of the wealth that decides.
            logs: the log of each bet's wealth.
            odds: each bet's odds ratio.
            null: the odds ratio that it is bet against.
        """
        if log_sum(logs) >= goal:
            return 0.0
        if not all(self._requests) or not any(self._failures):
            return math.inf
        canary, stable = (
            (failures + 0.5) / (requests + 1)
            for failures, requests in zip(self._failures, self._requests, strict=True)
        )
        share = self._requests[0] / sum(self._requests)
        most = information(canary, stable, share, null)
        gains = [(most - information(canary, stable, share, psi)) / share for psi in odds]
        enough = min(
            ((goal - log) / gain for log, gain in zip(logs, gains, strict=True) if gain > 0),
            default=math.inf,
        )
        if math.isinf(enough):
            return math.inf
        # The sum is convex in the number of requests, short of the goal at none, there at enough.
        least = 0.0
        while enough - least > max(0.5, enough / 1000):
            middle = (least + enough) / 2
            worth = [log + middle * gain for log, gain in zip(logs, gains, strict=True)]
            least, enough = (least, middle) if log_sum(worth) >= goal else (middle, enough)
        return enough
