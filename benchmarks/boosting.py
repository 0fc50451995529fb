"""`pipeline.judge.statistics.boosting`, vectorised for many periods, with the same steps.

A period's boost needs the probability that the number of failures J is below the count at which the
wealth reaches the threshold. Each probability is summed from that count outwards, on the side on
which the terms decrease.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.hypergeometric import log_central, mean
from pipeline.judge.statistics.boosting import _IMPRECISION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Floats = NDArray[np.float64]

_CHUNK_PERIODS = 20_000
_BLOCK_TERMS = 16
"""Terms that are summed at once."""
_NEGLIGIBLE = 1e-17
_MAX_EXPONENT = 700.0
"""The exponential of a larger number overflows; such a factor exceeds every cap."""


def log_boosts(
    canary: Counts,
    stable: Counts,
    bad: Counts,
    log_odds: Floats,
    moments: Floats,
    log_shares: Floats,
    log_idle: Floats,
    log_cap: Floats,
) -> Floats:
    """Return log b of each period (row); `moments` and `log_shares` have a column for each bet."""
    # The idle share is a bet on the null hypothesis's own odds ratio: a factor of 1.
    none = np.zeros((len(bad), 1))
    log_odds = np.concatenate([[0.0], log_odds])
    moments = np.concatenate([none, moments], axis=1)
    log_shares = np.concatenate([log_idle[:, None], log_shares], axis=1)
    result = np.zeros(len(bad))
    # With a higher cap the imprecision costs more than the boost gains.
    able = log_cap < -math.log(_IMPRECISION)
    able &= _log_factor(np.minimum(bad, canary), log_odds, moments, log_shares) >= log_cap
    rows = np.flatnonzero(able)
    # Rows of similar length together, because the longest sum of a chunk determines its time.
    rows = rows[np.argsort(bad[rows], kind="stable")]
    for at in range(0, len(rows), _CHUNK_PERIODS):
        part = rows[at : at + _CHUNK_PERIODS]
        split = _Split(canary[part], stable[part], bad[part], log_odds, moments[part])
        result[part] = _log_boosts(split, log_shares[part], log_cap[part])
    return result


def _log_boosts(split: _Split, log_shares: Floats, log_cap: Floats) -> Floats:
    boost = np.ones(len(log_cap))
    rows = np.arange(len(log_cap))
    line = split.line(rows, log_shares, log_cap)
    above, below = split.around(line)
    while True:
        won = np.exp(log_cap[rows]) * (above[rows] + _IMPRECISION)
        left = (np.exp(log_shares[rows]) * below[rows]) @ np.ones(below.shape[1]) + _IMPRECISION
        better = (1 - won) / left
        grows = better > boost[rows]
        rows, better = rows[grows], better[grows]
        if len(rows) == 0:
            return np.log(boost)
        boost[rows] = better
        lower = split.line(rows, log_shares[rows], log_cap[rows] - np.log(better))
        split.move(rows, line[rows], lower, above, below)
        line[rows] = lower


class _Split:
    """The distribution of each period's failures at each odds ratio (the first is 1)."""

    def __init__(
        self, canary: Counts, stable: Counts, bad: Counts, log_odds: Floats, moments: Floats
    ) -> None:
        self._canary, self._stable, self._bad = canary, stable, bad
        self._log_odds, self._moments = log_odds, moments
        self._least, self._most = np.maximum(0, bad - stable), np.minimum(bad, canary)

    def line(self, rows: Counts, log_shares: Floats, log_cap: Floats) -> Counts:
        """Return the first J whose factor reaches the cap; the greatest J does."""
        low, high = self._least[rows], self._most[rows]
        while (low < high).any():
            middle = (low + high) // 2
            factor = _log_factor(middle, self._log_odds, self._moments[rows], log_shares)
            short = (factor < log_cap) & (low < high)
            low, high = np.where(short, middle + 1, low), np.where(short, high, middle)
        return np.asarray(low)

    def around(self, line: Counts) -> tuple[Floats, Floats]:
        """Return P(J >= line) at odds ratio 1, and P(J < line) at each odds ratio."""
        central = log_central(self._canary, self._stable, self._bad, line)
        with np.errstate(divide="ignore"):
            before = central + np.log(self._down(np.arange(len(line)), line))
        above = np.zeros(len(line))
        below = np.zeros((len(line), len(self._log_odds)))
        for bet, log_odds in enumerate(self._log_odds):
            moments = self._moments[:, bet]
            middle = mean(self._canary, self._stable, self._bad, math.exp(log_odds))
            up, down = np.flatnonzero(middle < line), np.flatnonzero(middle >= line)
            at_line = np.exp(central[up] + line[up] * log_odds - moments[up])
            # The null hypothesis's part above the line is multiplied by the cap, so its relative
            # precision matters.
            least = 1.0 if bet else 0.0
            high = self._tail(up, line[up], at_line, math.exp(log_odds), least)
            at_last = np.exp(before[down] + (line[down] - 1) * log_odds - moments[down])
            low = self._tail(down, line[down] - 1, at_last, -math.exp(log_odds), least)
            below[up, bet], below[down, bet] = 1 - high, low
            if bet == 0:
                above[up], above[down] = high, 1 - low
        return above, below

    def move(self, rows: Counts, line: Counts, lower: Counts, above: Floats, below: Floats) -> None:
        """Update the result of `around` for lower lines of some rows."""
        central = log_central(self._canary[rows], self._stable[rows], self._bad[rows], lower)
        at, on = lower.copy(), np.flatnonzero(lower < line)
        while len(on):
            of = rows[on]
            terms = central[on, None] + at[on, None] * self._log_odds - self._moments[of]
            terms = np.exp(terms)
            above[of] += terms[:, 0]
            below[of] -= terms
            central[on] += np.log(self._up(of, at[on]))
            at[on] += 1
            on = on[at[on] < line[on]]

    def _tail(
        self, rows: Counts, start: Counts, first: Floats, odds: float, least: float
    ) -> Floats:
        """Return the sum of the terms from `start` upwards, or downwards with negative odds.

        The omitted terms are below 1e-16 of the sum, or of `least`.
        """
        total, term = first.copy(), first.copy()
        on = np.flatnonzero(term > _NEGLIGIBLE * least)
        steps = np.arange(_BLOCK_TERMS)
        at = start.copy()
        while len(on):
            of = rows[on][:, None]
            if odds > 0:
                ratios = self._up(of, at[on][:, None] + steps) * odds
                at[on] += _BLOCK_TERMS
            else:
                ratios = self._down(of, at[on][:, None] - steps) / -odds
                at[on] -= _BLOCK_TERMS
            terms = np.cumprod(ratios, axis=1) * term[on, None]
            total[on] += terms @ np.ones(_BLOCK_TERMS)
            term[on] = terms[:, -1]
            on = on[term[on] > _NEGLIGIBLE * np.maximum(total[on], least)]
        return total

    def _up(self, rows: Counts, j: Counts) -> Floats:
        """Return the ratio of the central term at j + 1 to that at j; 0 from the greatest j on."""
        canary, bad, spare = (
            self._canary[rows],
            self._bad[rows],
            self._stable[rows] - self._bad[rows],
        )
        chances = np.maximum(canary - j, 0) * np.maximum(bad - j, 0)
        ratio: Floats = chances / ((j + 1) * np.maximum(spare + j + 1, 1))
        return ratio

    def _down(self, rows: Counts, j: Counts) -> Floats:
        """Return the ratio of the central term at j - 1 to that at j; 0 from the least j on."""
        canary, bad, spare = (
            self._canary[rows],
            self._bad[rows],
            self._stable[rows] - self._bad[rows],
        )
        chances = np.maximum(j, 0) * np.maximum(spare + j, 0)
        ratio: Floats = chances / ((canary - j + 1) * (bad - j + 1))
        return ratio


def _log_factor(count: Counts, log_odds: Floats, moments: Floats, log_shares: Floats) -> Floats:
    """Return log r(J), the factor on the wealth for a number of failures."""
    logs = log_shares + count[:, None] * log_odds - moments
    # For a few columns a product with ones is ten times as fast as a sum.
    result: Floats = np.log(np.exp(np.minimum(logs, _MAX_EXPONENT)) @ np.ones(len(log_odds)))
    return result
