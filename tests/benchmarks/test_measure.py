from __future__ import annotations

import numpy as np
import pytest

from benchmarks import measure
from benchmarks.cells import PERIODS, Cell
from benchmarks.traffic import Traffic


def _traffic(cell: Cell, bad: int = 1) -> Traffic:
    """Return ten canary requests per period, one of them bad."""
    shape = (cell.releases, PERIODS)
    ten, one, none = np.full(shape, 10), np.full(shape, bad), np.zeros(shape, np.int64)
    return Traffic(cell, ten, one, ten, none, ten, none, np.full(PERIODS, 0.01))


def test_affected_requests_and_users_are_counted_to_the_end_of_the_last_period() -> None:
    traffic = _traffic(Cell("regression", 1, 0.1, 0.01, 5.0, 4))
    found = measure._measure("rule", traffic, np.array([1, 3, 5, 0]))
    assert (found.rolled_back, found.early) == (3, 0)
    assert found.requests == pytest.approx((10 + 30 + 50) / 3)
    assert found.median == 30
    assert found.hurt == pytest.approx((1 + 3 + 5 + 60) / 4)


def test_there_is_no_median_if_less_than_half_are_found() -> None:
    traffic = _traffic(Cell("regression", 1, 0.1, 0.01, 5.0, 4))
    found = measure._measure("rule", traffic, np.array([2, 0, 0, 0]))
    assert (found.requests, found.median) == (20, None)
    never = measure._measure("rule", traffic, np.zeros(4, np.int64))
    assert (never.requests, never.rolled_back) == (None, 0)


def test_a_late_fault_counts_from_its_beginning_and_an_early_rollback_apart() -> None:
    traffic = _traffic(Cell("late", 1, 0.1, 0.01, 5.0, 4))
    found = measure._measure("rule", traffic, np.array([30, 31, 33, 0]))
    assert (found.rolled_back, found.early) == (2, 1)
    assert found.requests == pytest.approx((10 + 30) / 2)
    assert found.hurt == pytest.approx((1 + 3 + 30) / 3)


def test_an_undetected_fault_counts_all_its_requests() -> None:
    traffic = _traffic(Cell("regression", 1, 0.1, 0.01, 5.0, 2))
    assert measure._mean_requests(traffic, np.array([2, 0])) == pytest.approx((20 + 600) / 2)


def test_the_same_seed_simulates_the_same_releases() -> None:
    cell = Cell("regression", 10, 0.1, 0.005, 10.0, 50)
    assert measure.play(cell, 1) == measure.play(cell, 1)
    assert measure.play(cell, 1) != measure.play(cell, 2)


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (100, 10_000, 0.0082, 0.0121),
    ],
)
def test_wilsons_interval(count: int, of: int, low: float, high: float) -> None:
    assert measure.interval(count, of) == pytest.approx((low, high), abs=1e-4)
