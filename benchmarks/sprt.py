"""Wald's sequential test as an oracle that knows the base rate of each period and the fault."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.judge import FALSE_ROLLBACK_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.traffic import Traffic

HEALTHY_ODDS_RATIO = 5.0
"""Odds ratio that the oracle tests for a canary that is no worse."""


def oracle(traffic: Traffic) -> NDArray[np.int64]:
    """Roll back when the likelihood ratio reaches 1/alpha; there is no early "good"."""
    cell, base = traffic.cell, traffic.base
    odds = cell.worse * (1 - cell.base) / ((1 - cell.worse) * cell.base)
    odds = HEALTHY_ODDS_RATIO if cell.is_healthy else odds
    worse = odds * base / (1 - base + odds * base)
    gain = np.log(worse / base)
    loss = np.log((1 - worse) / (1 - base))
    good = traffic.canary_requests - traffic.canary_bad
    steps = traffic.canary_bad * gain + good * loss
    steps[:, : cell.onset] = 0.0
    return first(np.cumsum(steps, axis=1) >= math.log(1 / FALSE_ROLLBACK_RATE))


def first(fires: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the first period (from 1) in which each release is rolled back; 0 if there is none."""
    return np.where(fires.any(axis=1), fires.argmax(axis=1) + 1, 0)
