"""PipeCD's ANALYSIS stage with `CANARY_BASELINE`: Mann-Whitney on the last interval's points.

Its documented example: `deviation: HIGH`, `interval: 5m`, one point a minute. The significance
level is fixed in the source: 5 % for each analysis. The default of `failureLimit` is 0.
"""

from __future__ import annotations

import math
from itertools import combinations
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.sprt import first

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.traffic import Traffic

    Floats = NDArray[np.float64]
    Stops = NDArray[np.int64]

INTERVAL = 5
SIGNIFICANCE = 0.05
_EXACT_LIMIT = 50
_TIES_EXACT_LIMIT = 25
_CHUNK_SAMPLES = 20_000


def pipecd(traffic: Traffic, failure_limit: int = 0) -> Stops:
    """Fail if more than `failure_limit` analyses found the canary to be significantly higher.

    A minute without requests has no rate (0/0), and its analysis does not count, as with
    `skipOnNoData`; without that option it would count as a failure.
    """
    shape = (len(traffic.canary_bad), -1, INTERVAL)
    whole = traffic.canary_bad.shape[1] // INTERVAL * INTERVAL
    with np.errstate(invalid="ignore"):
        canary = (traffic.canary_bad / traffic.canary_requests)[:, :whole].reshape(shape)
        baseline = (traffic.baseline_bad / traffic.baseline_requests)[:, :whole].reshape(shape)
    analyses = canary.shape[:2]
    failed = _significant(canary.reshape(-1, INTERVAL), baseline.reshape(-1, INTERVAL))
    counted = np.cumsum(failed.reshape(analyses), axis=1)
    return INTERVAL * first(counted > failure_limit)


def p_greater(experiment: Floats, control: Floats) -> float | None:
    """Return the one-sided p-value of its Mann-Whitney test; None if all values are the same.

    Exact for small samples (given the ties), otherwise normal with continuity and tie correction.
    """
    n, m = len(experiment), len(control)
    ranks = _ranks(np.concatenate([experiment, control])[None, :])[0]
    ties = np.unique(ranks, return_counts=True)[1]
    if len(ties) == 1:
        return None
    u = float(ranks[:n].sum()) - n * (n + 1) / 2
    limit = _TIES_EXACT_LIMIT if len(ties) < n + m else _EXACT_LIMIT
    if max(n, m) <= limit:
        others = np.array([ranks[list(chosen)].sum() for chosen in combinations(range(n + m), n)])
        return float(np.mean(others - n * (n + 1) / 2 > u - 1))
    total = n + m
    correction = float((ties**3 - ties).sum()) / (total * (total - 1))
    sigma = math.sqrt(n * m * (total + 1 - correction) / 12)
    return 1 - NormalDist().cdf((u - n * m / 2 - 0.5) / sigma)


def _significant(canary: Floats, baseline: Floats) -> NDArray[np.bool_]:
    """Return for many pairs of samples whether the canary is significantly higher."""
    chosen = np.zeros((math.comb(2 * INTERVAL, INTERVAL), 2 * INTERVAL))
    for row, places in enumerate(combinations(range(2 * INTERVAL), INTERVAL)):
        chosen[row, list(places)] = 1
    found = np.zeros(len(canary), np.bool_)
    # By symmetry p is above 0.5 unless the canary's values rank higher on average.
    with np.errstate(invalid="ignore"):
        maybe = np.flatnonzero(canary.max(axis=1) > baseline.min(axis=1))
    for start in range(0, len(maybe), _CHUNK_SAMPLES):
        rows = maybe[start : start + _CHUNK_SAMPLES]
        ranks = _ranks(np.concatenate([canary[rows], baseline[rows]], axis=1))
        sums = ranks[:, :INTERVAL].sum(axis=1)
        higher = sums > INTERVAL * (2 * INTERVAL + 1) / 2
        rows, ranks, sums = rows[higher], ranks[higher], sums[higher]
        as_high = ranks @ chosen.T > sums[:, None] - 1
        found[rows] = as_high.mean(axis=1) <= SIGNIFICANCE
    return found


def _ranks(values: Floats) -> Floats:
    """Return the ranks along each row, with the average rank for ties."""
    below = values[:, None, :] < values[:, :, None]
    same = values[:, None, :] == values[:, :, None]
    result: Floats = below.sum(axis=2) + (same.sum(axis=2) + 1) / 2
    return result
