"""The normaliser of the e-value, vectorised for many periods.

Given a period's requests (n_c, n_b) and its k bad ones, a canary that is no worse gets J of them,
with J hypergeometric. With odds ratio ψ the probability of j is multiplied by ψ^j and divided by
the normaliser E[ψ^J]. `pipeline.judge.statistics` sums its terms for one period. Here its logarithm
is computed for arrays of periods:

- for few bad requests, by the sum itself;
- for more, by the saddlepoint approximation of [z^k] (1+ψz)^n_c (1+z)^n_b with the corrections of
  order 1/σ² and 1/σ⁴ (Daniels 1954), and by the sum if the last correction is not tiny.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Floats = NDArray[np.float64]

_MAX_SUMMED_REQUESTS = 24
"""Bad requests up to which the sum is cheaper."""
_MAX_CORRECTION = 3e-8
"""Last correction up to which the error of the approximation is about 1e-10."""
_CHUNK_ELEMENTS = 1 << 21
"""Elements in memory at once."""
_UNDERFLOW_SUM = 1e-200
"""A smaller sum may have lost terms to underflow."""


def log_moments(canary: Counts, stable: Counts, bad: Counts, log_odds: Floats) -> Floats:
    """Return log E[ψ^J] for each period (row) and each ψ (column)."""
    result = np.zeros((len(bad), len(log_odds)))
    compared = (bad > 0) & (canary > 0) & (stable > 0)
    alone = (bad > 0) & (stable == 0)
    result[alone] = bad[alone, None] * log_odds
    many = np.flatnonzero(compared & (bad > _MAX_SUMMED_REQUESTS))
    size = max(1, _CHUNK_ELEMENTS // (8 * len(log_odds)))
    sums = [np.flatnonzero(compared & (bad <= _MAX_SUMMED_REQUESTS))]
    for start in range(0, len(many), size):
        rows = many[start : start + size]
        result[rows], last = _saddlepoint(canary[rows], stable[rows], bad[rows], log_odds)
        sums.append(rows[last > _MAX_CORRECTION])
    few = np.concatenate(sums)
    # Rows of similar length together: the longest row of a chunk determines its width.
    lengths = np.minimum(bad[few], canary[few]) - np.maximum(0, bad[few] - stable[few])
    order = np.argsort(lengths, kind="stable")
    few, lengths = few[order], lengths[order]
    at = 0
    while at < len(few):
        longest = int(lengths[at]) + int(lengths[at]) // 20
        size = max(1, _CHUNK_ELEMENTS // (longest + 1))
        rows = few[at : min(at + size, int(np.searchsorted(lengths, longest, side="right")))]
        result[rows] = _summed(canary[rows], stable[rows], bad[rows], log_odds)
        at += len(rows)
    return result


def _summed(canary: Counts, stable: Counts, bad: Counts, log_odds: Floats) -> Floats:
    least = np.maximum(0, bad - stable)
    most = np.minimum(bad, canary)
    steps = np.arange(int((most - least).max()))
    j = (least[:, None] + steps).astype(np.float64)
    up = np.maximum(canary[:, None] - j, 0) * np.maximum(bad[:, None] - j, 0)
    with np.errstate(divide="ignore"):
        ratios = np.log(up / ((j + 1) * np.maximum((stable - bad)[:, None] + j + 1, 1)))
    terms = np.zeros((len(bad), len(steps) + 1))
    np.cumsum(ratios, axis=1, out=terms[:, 1:])
    terms -= terms.max(axis=1, keepdims=True)
    # One matrix product computes all sums, if each row is close to the highest at every step.
    ceiling = terms.max(axis=0)
    tilts = np.arange(len(ceiling))[:, None] * np.concatenate([[0.0], log_odds])
    highest = (ceiling[:, None] + tilts).max(axis=0)
    sums = np.exp(terms - ceiling) @ np.exp(ceiling[:, None] + tilts - highest)
    far = np.flatnonzero((sums < _UNDERFLOW_SUM).any(axis=1))
    sums[far] = 1.0
    logs = np.log(sums) + highest
    for row in far:
        weights = terms[row][:, None] + tilts
        top = weights.max(axis=0)
        logs[row] = np.log(np.exp(weights - top).sum(axis=0)) + top
    result: Floats = logs[:, 1:] - logs[:, :1] + least[:, None] * log_odds
    return result


def _saddlepoint(
    canary: Counts, stable: Counts, bad: Counts, log_odds: Floats
) -> tuple[Floats, Floats]:
    """Return log E[ψ^J], and the largest change by the last correction."""
    plain, last_of_plain = _log_coefficients(canary, stable, bad, np.zeros(1))
    tilted, last = _log_coefficients(canary, stable, bad, log_odds)
    return tilted - plain, np.ascontiguousarray(np.abs(last - last_of_plain).T).max(axis=0)


def _log_coefficients(
    canary: Counts, stable: Counts, bad: Counts, log_odds: Floats
) -> tuple[Floats, Floats]:
    """Return log [z^k] (1+ψz)^n_c (1+z)^n_b, and its last correction."""
    n = canary[:, None].astype(np.float64)
    m = stable[:, None].astype(np.float64)
    k = bad[:, None].astype(np.float64)
    odds = np.exp(log_odds)
    # The saddle: n·ψz/(1+ψz) + m·z/(1+z) = k, a quadratic; its positive root without cancellation.
    a = odds * (n + m - k)
    b = odds * n + m - k * (1 + odds)
    root = np.sqrt(b * b + 4 * a * k)
    z = np.where(b > 0, 2 * k / (b + root), (root - b) / (2 * a))
    exponent = n * np.log1p(odds * z) + m * np.log1p(z) - k * np.log(z)
    cumulants = [
        n * first + m * second
        for first, second in zip(
            _bernoulli_cumulants(odds * z / (1 + odds * z)),
            _bernoulli_cumulants(z / (1 + z)),
            strict=True,
        )
    ]
    variance = cumulants[0]
    l3, l4, l5, l6 = (
        cumulant / variance ** (order / 2) for order, cumulant in enumerate(cumulants[1:], 3)
    )
    first = l4 / 8 - 5 * l3**2 / 24
    second = -l6 / 48 + 7 * l3 * l5 / 48 + l4**2 / 12 - 25 * l3**2 * l4 / 48 + 5 * l3**4 / 16
    return exponent - 0.5 * np.log(2 * np.pi * variance) + first + second, second


def _bernoulli_cumulants(p: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return the second to the sixth cumulant of a Bernoulli variable."""
    v = p * (1 - p)
    skew = 1 - 2 * p
    return (
        v,
        v * skew,
        v * (1 - 6 * v),
        v * skew * (1 - 12 * v),
        v * (1 - 30 * v + 120 * v * v),
    )


def mean(canary: Counts, stable: Counts, bad: Counts, odds: float) -> Floats:
    """Return the approximate mean x of J: (n_b - k + x) x = ψ (n_c - x) (k - x)."""
    total = (odds - 1) * (canary + bad) + canary + stable
    part = odds * canary * bad
    result: Floats = 2 * part / (total + np.sqrt(total**2 - 4 * (odds - 1) * part))
    return result


def log_central(canary: Counts, stable: Counts, bad: Counts, count: Counts) -> Floats:
    """Return log P(J = count) if no version is worse, precise for large counts (Loader 2000)."""
    share = bad / (canary + stable)
    return (
        _log_binomial(count, canary, share)
        + _log_binomial(bad - count, stable, share)
        - _log_binomial(bad, canary + stable, share)
    )


_SMALL_STIRLING_ERRORS = np.array(
    [0.0]
    + [
        math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)
        for n in range(1, 16)
    ]
)


def _log_binomial(x: Counts, n: Counts, p: Floats) -> Floats:
    rest = n - x
    inside = (x > 0) & (rest > 0)
    x1, rest1 = np.where(inside, x, 1), np.where(inside, rest, 1)
    n1 = np.where(inside, n, 2)
    result = (
        _stirling_error(n1) - _stirling_error(x1) - _stirling_error(rest1)
        - _deviance(x1, n1 * p) - _deviance(rest1, n1 * (1 - p))
        + 0.5 * np.log(n1 / (2 * np.pi * x1 * rest1))
    )  # fmt: skip
    edge = np.where(x > 0, n * np.log(p), n * np.log1p(-p))
    return np.where(inside, result, edge)


def _stirling_error(n: Counts) -> Floats:
    """Return log n! minus Stirling's formula."""
    big = np.maximum(n, len(_SMALL_STIRLING_ERRORS)).astype(np.float64)
    series = np.zeros_like(big)
    for coefficient in (1188, -1680, 1260, -360, 12):
        series = series / big**2 + 1 / coefficient
    return np.where(
        n < len(_SMALL_STIRLING_ERRORS),
        _SMALL_STIRLING_ERRORS[np.minimum(n, len(_SMALL_STIRLING_ERRORS) - 1)],
        series / big,
    )


def _deviance(x: Counts, mean: Floats) -> Floats:
    off = (x - mean) / mean
    return mean * ((1 + off) * np.log1p(off) - off)
