"""The evidence of `pipeline.judge.statistics.CanaryTest`, vectorised for many releases at once.

The bets and their shares are read from `pipeline.judge.statistics.bets`; a test compares the
results of both. `CanaryTest` itself takes a millisecond per period, and the benchmark has a few
hundred million periods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.boosting import log_boosts
from benchmarks.hypergeometric import log_moments
from pipeline.judge.statistics.bets import FROM_THE_START, WORSE, WORSE_SHARES, start_share, waiting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.traffic import Traffic

    Counts = NDArray[np.int64]
    Floats = NDArray[np.float64]

FALSE_ROLLBACK_RATE = 0.01
"""The alpha of our judge, of the oracle and of the limit."""

_MAX_PERIODS = 1000
_LOG_START_SHARES = np.log([start_share(period) for period in range(1, _MAX_PERIODS)])
_LOG_WAITING_SHARES = np.log([waiting(period) for period in range(_MAX_PERIODS)])
_LN10 = math.log(10)


@dataclass(frozen=True)
class Bets:
    """Odds ratios with their shares, and the share on faults from the start."""

    log_odds: Floats
    log_shares: Floats
    from_the_start: float
    """Share bet on a fault from the start; the rest is bet on later ones."""


OURS = Bets(np.log(WORSE), np.log(WORSE_SHARES), FROM_THE_START)


def told(odds: float) -> Bets:
    """Return the bets of a judge that knows the fault, and that it exists from the start."""
    return Bets(np.array([math.log(odds)]), np.zeros(1), 1.0)


def late_cost(period: int) -> float:
    """Return the additional nats for a fault that begins with a period."""
    return math.log(FROM_THE_START) - math.log((1 - FROM_THE_START) * start_share(period))


class Judge:
    """One CanaryTest (tolerance 1) for each release."""

    def __init__(
        self, releases: int, alpha: float = FALSE_ROLLBACK_RATE, bets: Bets = OURS
    ) -> None:
        self._bets = bets
        self._log_line = -math.log(alpha)
        with np.errstate(divide="ignore"):
            whole, late = np.log([bets.from_the_start, 1 - bets.from_the_start])
        self._log_late_shares = late + bets.log_shares
        self._whole = np.tile(whole + bets.log_shares, (releases, 1))
        self._late = np.full(self._whole.shape, -np.inf)
        self._log_late = late
        self._begun = np.zeros(releases, np.int64)
        self._log_boost = np.zeros(releases)

    def observe(
        self, canary: Counts, canary_bad: Counts, stable: Counts, stable_bad: Counts
    ) -> None:
        """Add a period of every release."""
        bad = canary_bad + stable_bad
        rows = np.flatnonzero((canary > 0) & (stable > 0) & (bad > 0) & (bad < canary + stable))
        canary, stable, bad = canary[rows], stable[rows], bad[rows]
        odds = self._bets.log_odds
        moments = log_moments(canary, stable, bad, odds)
        log_e = canary_bad[rows, None] * odds - moments
        self._begun[rows] += 1
        starts = _LOG_START_SHARES[self._begun[rows] - 1]
        self._late[rows] = np.logaddexp(self._late[rows], starts[:, None] + self._log_late_shares)
        wealth = self._log_wealth[rows]
        cap = self._log_line - wealth - self._log_boost[rows]
        self._log_boost[rows] += log_boosts(
            canary, stable, bad, odds, moments,
            np.logaddexp(self._whole[rows], self._late[rows]) - wealth[:, None],
            self._log_waiting[rows] - wealth,
            np.where(cap > 0, cap, np.inf),
        )  # fmt: skip
        self._whole[rows] += log_e
        self._late[rows] += log_e

    @property
    def evidence(self) -> Floats:
        """Return `CanaryTest.evidence` of every release."""
        return _log_sum(self._whole) / _LN10

    @property
    def late_evidence(self) -> Floats:
        """Return `CanaryTest.late_evidence` of every release."""
        return (self._log_wealth + self._log_boost) / _LN10

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Continue with only the chosen releases."""
        self._whole, self._late = self._whole[chosen], self._late[chosen]
        self._begun, self._log_boost = self._begun[chosen], self._log_boost[chosen]

    @property
    def _log_waiting(self) -> Floats:
        waiting_: Floats = self._log_late + _LOG_WAITING_SHARES[self._begun]
        return waiting_

    @property
    def _log_wealth(self) -> Floats:
        return _log_sum(
            np.concatenate([self._whole, self._late, self._log_waiting[:, None]], axis=1)
        )


def stops(traffic: Traffic, alpha: float = FALSE_ROLLBACK_RATE, bets: Bets = OURS) -> Counts:
    """Return the period of each release's rollback; 0 if there is none."""
    active = np.arange(len(traffic.canary_bad))
    found = np.zeros(len(active), np.int64)
    judge = Judge(len(active), alpha, bets)
    for period in range(traffic.canary_bad.shape[1]):
        judge.observe(
            traffic.canary_requests[active, period],
            traffic.canary_bad[active, period],
            traffic.stable_requests[active, period],
            traffic.stable_bad[active, period],
        )
        fires = judge.late_evidence >= -math.log10(alpha)
        found[active[fires]] = period + 1
        active = active[~fires]
        judge.keep(~fires)
        if len(active) == 0:
            break
    return found


def _log_sum(logs: Floats) -> Floats:
    # For a few columns this is many times as fast as a maximum and a sum along axis 1.
    top = np.ascontiguousarray(logs.T).max(axis=0)
    result: Floats = top + np.log(np.exp(logs - top[:, None]) @ np.ones(logs.shape[1]))
    return result
