"""Estimate how many canary requests a verdict needs, if both versions continue as observed."""

from __future__ import annotations

import math

from pipeline.judge.statistics.eprocess import log_sum
from pipeline.judge.statistics.information import information

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pipeline.judge.statistics.counts import Counts


class Outlook:
    """The totals of both versions so far, and the estimate that follows from them."""

    def __init__(self) -> None:
        self._requests = [0, 0]
        self._failures = [0, 0]

    def observe(self, canary: Counts, stable: Counts) -> None:
        """Add a period."""
        for version, counts in enumerate((canary, stable)):
            self._requests[version] += counts.requests
            self._failures[version] += counts.failures

    def requests(
        self, goal: float, logs: list[float], odds: tuple[float, ...], null: float
    ) -> float:
        """Return the expected number of canary requests until the bets together reach `goal`.

        It assumes that both versions keep their failure rates (with half a failure and half a
        success added to each, so that no rate is 0 or 1) and that the canary keeps its share of the
        requests. The expected gain of a bet on ψ against ψ0 from one canary request is then
        (information(against ψ0) - information(against ψ)) / share.

        Infinite if it is unknown, until both versions have served and a request has failed, or if
        no bet gains.

        Args:
            goal: the log of the wealth that brings the verdict.
            logs: the log of each bet's wealth.
            odds: the odds ratio of each bet.
            null: the odds ratio of the null hypothesis.
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
        # The sum is convex in the number of requests: below the goal at 0, at the goal by `enough`.
        least = 0.0
        while enough - least > max(0.5, enough / 1000):
            middle = (least + enough) / 2
            worth = [log + middle * gain for log, gain in zip(logs, gains, strict=True)]
            least, enough = (least, middle) if log_sum(worth) >= goal else (middle, enough)
        return enough
