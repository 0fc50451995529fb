"""Simulate releases: the requests of each version in each period, and the bad ones among them.

Requests arrive at random (Poisson), and each goes to the canary with the canary's share,
independently of the others, as with the weights of a Lambda alias. Our judge assumes nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.cells import LATE, PERIODS, Cell

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Rates = NDArray[np.float64]

INCIDENT = slice(20, 35)
"""Periods in which both versions fail alike."""
INCIDENT_RATE = 0.08
DRIFT_TRAFFIC = 0.6
"""Share by which traffic swings in an hour (a day, compressed)."""
DRIFT_RATE = 3.0
"""Factor by which the failure rate swings, up and down."""
BURST_SHARE = 0.1
"""Share of periods with a burst."""
BURST_FACTOR = 5.0
"""Factor on the traffic in a burst."""
ATTEMPTS = 4
"""Most requests of a client that retries failed ones."""


@dataclass(frozen=True)
class Traffic:
    """Counts of shape (releases, periods), and the base rate of each period for the oracle.

    `baseline_*` are the counts of a baseline group of the canary's size, which Kayenta and PipeCD
    require: a part of the stable version's traffic.
    """

    cell: Cell
    canary_requests: Counts
    canary_bad: Counts
    stable_requests: Counts
    stable_bad: Counts
    baseline_requests: Counts
    baseline_bad: Counts
    base: Rates
    """Share of bad requests of the stable version in each period."""

    def until(self, periods: int) -> Traffic:
        """Return the same releases with only the first periods."""
        return Traffic(
            self.cell,
            self.canary_requests[:, :periods],
            self.canary_bad[:, :periods],
            self.stable_requests[:, :periods],
            self.stable_bad[:, :periods],
            self.baseline_requests[:, :periods],
            self.baseline_bad[:, :periods],
            self.base[:periods],
        )


def simulate(cell: Cell, rng: Generator) -> Traffic:
    """Simulate the releases of a cell."""
    arrivals = np.full(cell.periods, cell.requests_per_period)
    base = np.full(cell.periods, cell.base)
    worse = np.full(cell.periods, cell.worse)
    if cell.scenario == "bursts":
        return _bursts(cell, rng, arrivals)
    if cell.scenario == "incident":
        base[INCIDENT] = worse[INCIDENT] = INCIDENT_RATE
    elif cell.scenario == "drift":
        hours = 2 * math.pi * np.arange(cell.periods) / PERIODS
        arrivals *= 1 + DRIFT_TRAFFIC * np.sin(hours)
        base *= DRIFT_RATE ** np.sin(hours + math.pi / 3)
        worse = base
    elif cell.scenario == "late":
        worse[:LATE] = cell.base
    shape = (cell.releases, cell.periods)
    canary_requests = rng.poisson(cell.canary * arrivals, shape)
    stable_requests = rng.poisson((1 - cell.canary) * arrivals, shape)
    canary_bad = rng.binomial(canary_requests, worse)
    stable_bad = rng.binomial(stable_requests, base)
    return _with_baseline(cell, rng, canary_requests, canary_bad, stable_requests, stable_bad, base)


def _bursts(cell: Cell, rng: Generator, arrivals: Rates) -> Traffic:
    """Simulate clients that come in bursts and retry failed requests, on either version.

    A share `base` of clients fails on both versions, with a bad response for each attempt. The
    canary's additional failures occur only on the canary, and each attempt may reach it again.
    """
    shape = (cell.releases, cell.periods)
    burst = np.where(rng.random(shape) < BURST_SHARE, BURST_FACTOR, 1.0)
    clients = rng.poisson(arrivals * burst)
    hopeless = rng.binomial(clients, cell.base)
    broken = rng.binomial(clients - hopeless, (cell.worse - cell.base) / (1 - cell.base))
    good = clients - hopeless - broken
    bad_everywhere = rng.binomial(ATTEMPTS * hopeless, cell.canary)
    canary_bad = bad_everywhere.copy()
    still = broken
    stable_good = np.zeros(shape, np.int64)
    for _ in range(ATTEMPTS):
        failed = rng.binomial(still, cell.canary)
        stable_good += still - failed
        canary_bad += failed
        still = failed
    canary_good = rng.binomial(good, cell.canary)
    stable_bad = ATTEMPTS * hopeless - bad_everywhere
    base = ATTEMPTS * cell.base / (1 + (ATTEMPTS - 1) * cell.base)
    return _with_baseline(
        cell, rng, canary_good + canary_bad, canary_bad,
        good - canary_good + stable_good + stable_bad, stable_bad, np.full(cell.periods, base),
    )  # fmt: skip


def _with_baseline(
    cell: Cell,
    rng: Generator,
    canary_requests: Counts,
    canary_bad: Counts,
    stable_requests: Counts,
    stable_bad: Counts,
    base: Rates,
) -> Traffic:
    requests, bad = stable_requests[:, :PERIODS], stable_bad[:, :PERIODS]
    part = rng.binomial(requests, min(1.0, cell.canary / (1 - cell.canary)))
    return Traffic(
        cell, canary_requests, canary_bad, stable_requests, stable_bad,
        part, rng.hypergeometric(bad, requests - bad, part), base,
    )  # fmt: skip
