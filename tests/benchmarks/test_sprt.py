from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import sprt
from benchmarks.cells import Cell
from benchmarks.traffic import simulate

if TYPE_CHECKING:
    from tests.benchmarks.conftest import MakeTraffic


def test_the_sprt_stops_at_the_likelihood_ratio_one_over_alpha(
    make_traffic: MakeTraffic,
) -> None:
    """1 % against 5 %, 100 requests a period: log(100) = 4.6 nats."""
    gain, loss = math.log(5), math.log(0.95 / 0.99)
    nats = {bad: bad * gain + (100 - bad) * loss for bad in (3, 4, 5, 6)}
    assert nats == pytest.approx({3: 0.83, 4: 2.48, 5: 4.13, 6: 5.78}, abs=0.01)
    assert sprt.oracle(make_traffic([6, 0])).tolist() == [1]
    assert sprt.oracle(make_traffic([5, 3, 0])).tolist() == [2]
    assert sprt.oracle(make_traffic([3, 3, 4, 3])).tolist() == [4]
    assert sprt.oracle(make_traffic([1, 1, 1])).tolist() == [0]


def test_the_sample_size_is_close_to_walds() -> None:
    """359 canary requests for 0.5 % to 2 %, plus the overshoot."""
    traffic = simulate(Cell("regression", 10, 0.1, 0.005, 4.0, 2000), np.random.default_rng(7))
    stops = sprt.oracle(traffic)
    assert (stops > 0).all()
    needed = np.cumsum(traffic.canary_requests, axis=1)[np.arange(2000), stops - 1].mean()
    assert needed - 30 == pytest.approx(359 * 1.15, rel=0.1)


def test_first_counts_periods_from_one() -> None:
    fires = np.array([[False, True, True], [False, False, False], [True, False, False]])
    assert sprt.first(fires).tolist() == [2, 0, 1]
