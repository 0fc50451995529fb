"""Kayenta's NetflixACAJudge, Spinnaker's canary stage, for one metric with `direction: increase`.

It compares two series with a point each minute, of the canary and of a baseline of equal size. The
metric is High if the lower end of a 98 % confidence interval of the shift (R's `wilcox.test`:
normal approximation, corrected for ties and continuity, ends by root finding) is above a quarter of
the estimated shift, and the ratio of the means is at least `allowedIncrease`, 1. With a single
metric, High is a score of 0, below any threshold.

Spinnaker advises at least 50 points; the 60 points of the hour are judged once, at its end.
"""

from __future__ import annotations

import math
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from benchmarks.traffic import Traffic

    Floats = NDArray[np.float64]

TOLERANCE = 0.25
CONFIDENCE = 0.98
ROOT_TOLERANCE = 1e-4
_QUANTILE = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_CHUNK_RELEASES = 500


def kayenta(traffic: Traffic) -> NDArray[np.int64]:
    """Judge each release at the end of its canary."""
    # In per cent, because the root finder's tolerance is absolute.
    with np.errstate(invalid="ignore"):
        canary = 100 * traffic.canary_bad / traffic.canary_requests
        baseline = 100 * traffic.baseline_bad / traffic.baseline_requests
    high = np.zeros(len(canary), np.bool_)
    for start in range(0, len(canary), _CHUNK_RELEASES):
        rows = slice(start, start + _CHUNK_RELEASES)
        high[rows] = _high(canary[rows], baseline[rows])
    return np.where(high, canary.shape[1], 0)


def is_high(canary: Floats, baseline: Floats) -> bool:
    """Return whether Kayenta classifies one pair of series as High, with its own steps."""
    x, y = canary[~np.isnan(canary)], baseline[~np.isnan(baseline)]
    if len(x) == 0 or len(y) == 0:
        return True  # "Nodata" of half the metrics or more fails the canary
    if np.array_equal(np.sort(x), np.sort(y)) or len(np.unique(np.concatenate([x, y]))) == 1:
        return False
    found = Shift(x, y)
    if found.low <= 0 or found.low <= TOLERANCE * abs(found.estimate):
        return False
    return not float(np.mean(x)) < float(np.mean(y))


class Shift:
    """The estimated difference of the canary's points, with Kayenta's own steps."""

    def __init__(self, canary: Floats, baseline: Floats) -> None:
        self._canary, self._baseline = canary, np.sort(baseline)
        self._least = float(canary.min() - baseline.max())
        self._most = float(canary.max() - baseline.min())

    @cached_property
    def low(self) -> float:
        """Return the lower end of the confidence interval."""
        return self._end(_QUANTILE)

    @cached_property
    def high(self) -> float:
        """Return the upper end of the confidence interval."""
        return self._end(-_QUANTILE)

    @cached_property
    def estimate(self) -> float:
        """Return the Hodges-Lehmann estimate."""
        return zero(self._z, self._least, self._most)

    def _end(self, quantile: float) -> float:
        def function(by: float) -> float:
            return self._z(by) - quantile

        if function(self._least) <= 0:
            return self._least
        if function(self._most) >= 0:
            return self._most
        return zero(function, self._least, self._most)

    def _z(self, by: float) -> float:
        """Return the standardised rank sum of the canary's points after subtracting `by`."""
        moved, baseline = self._canary - by, self._baseline
        n, m = len(moved), len(baseline)
        below = baseline.searchsorted(moved) + baseline.searchsorted(moved, "right")
        difference = float(below.sum() - n * m) / 2
        merged = np.sort(np.concatenate([moved, baseline]))
        ends = np.flatnonzero(np.concatenate([merged[1:] != merged[:-1], [True]]))
        sizes = np.diff(ends, prepend=-1).astype(np.float64)
        ties = float((sizes**3 - sizes).sum())
        sigma = math.sqrt(n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1))))
        sign = (difference > 0) - (difference < 0)
        return (difference - 0.5 * sign) / sigma if sigma else 0.0


def zero(function: Callable[[float], float], a: float, b: float) -> float:
    """Find a root with Brent's method (1973, chapter 4) and Kayenta's tolerance."""
    fa, fb = function(a), function(b)
    c, fc = a, fa
    if fa == 0:
        return a
    while fb != 0:
        step = b - a
        if abs(fc) < abs(fb):
            a, b, c, fa, fb, fc = b, c, b, fb, fc, fb
        tolerance = 2 * math.ulp(1.0) * abs(b) + ROOT_TOLERANCE / 2
        half = (c - b) / 2
        if abs(half) <= tolerance:
            break
        move = half
        if abs(step) >= tolerance and abs(fa) > abs(fb):
            ratio = fb / fa
            if a == c:
                p, q = 2 * half * ratio, 1 - ratio
            else:
                q, r = fa / fc, fb / fc
                p = ratio * (2 * half * q * (q - r) - (b - a) * (r - 1))
                q = (q - 1) * (r - 1) * (ratio - 1)
            p, q = (p, -q) if p > 0 else (-p, q)
            if p < 1.5 * half * q - abs(tolerance * q) / 2 and p < abs(step * q / 2):
                move = p / q
        if abs(move) < tolerance:
            move = math.copysign(tolerance, move)
        a, fa = b, fb
        b += move
        fb = function(b)
        if (fb > 0) == (fc > 0) and fb != 0:
            c, fc = a, fa
    return b


def _z(canary: Floats, baseline: Floats, by: Floats) -> Floats:
    """Return `Shift._z` for each row, without NaN points."""
    x = canary - by[:, None]
    merged = np.concatenate([x, baseline], axis=1)
    n, m = (~np.isnan(x)).sum(axis=1), (~np.isnan(baseline)).sum(axis=1)
    order = np.argsort(merged, axis=1)
    ordered = np.take_along_axis(merged, order, axis=1)
    there = ~np.isnan(ordered)
    begins = np.ones(ordered.shape, np.bool_)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    width = ordered.shape[1]
    groups = np.cumsum(begins, axis=1) - 1 + width * np.arange(len(ordered))[:, None]
    sizes = np.bincount(groups[there], minlength=width * len(ordered))
    ends = np.cumsum(sizes.reshape(len(ordered), width), axis=1)
    ranks = (ends - (sizes.reshape(ends.shape) - 1) / 2).ravel()[groups]
    of_canary = (order < x.shape[1]) & there
    difference = (ranks * of_canary).sum(axis=1) - n * (n + 1) / 2 - n * m / 2
    ties = (sizes.astype(np.float64) ** 3 - sizes).reshape(ends.shape).sum(axis=1)
    total = n + m
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.sqrt(n * m / 12 * (total + 1 - ties / (total * (total - 1))))
        result: Floats = (difference - 0.5 * np.sign(difference)) / sigma
    return result


def _high(canary: Floats, baseline: Floats) -> NDArray[np.bool_]:
    """Return `is_high` for many pairs.

    The rank sum just above the bound decides on which side of it the interval's end is. Only if it
    passes the quantile exactly at a shift of 0, as it does if most points are 0, the result depends
    on the root finder's last step: these pairs are judged one by one.
    """
    found = np.asarray(np.isnan(canary).all(axis=1) | np.isnan(baseline).all(axis=1))
    with np.errstate(invalid="ignore"):
        rows = np.flatnonzero(~found & (_z(canary, baseline, np.zeros(len(canary))) > _QUANTILE))
    if len(rows) == 0:
        return found
    x, y = canary[rows], baseline[rows]
    clear = _z(x, y, np.full(len(rows), ROOT_TOLERANCE)) > _QUANTILE
    for row in rows[~clear]:
        found[row] = is_high(canary[row], baseline[row])
    rows, x, y = rows[clear], x[clear], y[clear]
    if len(rows):
        differences = (x[:, :, None] - y[:, None, :]).reshape(len(rows), -1)
        bound = TOLERANCE * np.abs(np.nanmedian(differences, axis=1))
        high = _z(x, y, bound + ROOT_TOLERANCE) > _QUANTILE
        found[rows] = high & (np.nanmean(x, axis=1) >= np.nanmean(y, axis=1))
    return found
