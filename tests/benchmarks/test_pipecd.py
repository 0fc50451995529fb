"""PipeCD's analysis, compared with its own tests' vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import pipecd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.conftest import MakeTraffic

_TENTHS = [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize(
    ("experiment", "control", "p"),
    [
        ([2, 1, 3, 5], [12, 11, 13, 15], 1.0),
        ([12, 11, 13, 15], [2, 1, 3, 5], 0.014285714285714289),
        ([2, 1, 3, 5], [0, 4, 6, 7], 0.8285714285714285),
        ([2, 1, 3, 5], [2, 1, 3, 5], 0.6285714285714286),
        ([2, 1, 3, 5], [2, 2, 2, 2], 0.3571428571428571),
        ([2, 1, 3, 5], [1, 1, 1, 1, 1], 0.04761904761904767),
    ],
)
def test_small_samples_have_the_p_values_of_its_own_tests(
    experiment: Sequence[float], control: Sequence[float], p: float
) -> None:
    found = pipecd.p_greater(np.array(experiment, np.float64), np.array(control, np.float64))
    assert found == pytest.approx(p, rel=1e-12)


def test_large_samples_have_the_p_values_of_its_own_tests() -> None:
    first = np.linspace(0, 998, 500)
    second = np.linspace(-41, 1157, 600)
    third = second.copy()
    third[:30] = first[:30]
    assert pipecd.p_greater(first, second) == pytest.approx(0.9975346930458906, rel=1e-12)
    assert pipecd.p_greater(first, first) == pytest.approx(0.5000436801680628, rel=1e-12)
    assert pipecd.p_greater(first, third) == pytest.approx(0.9980659818257166, rel=1e-12)


def test_identical_samples_have_no_p_value() -> None:
    assert pipecd.p_greater(np.full(4, 2.0), np.full(4, 2.0)) is None


@pytest.mark.parametrize(
    ("experiment", "control", "failed"),
    [
        (_TENTHS, _TENTHS, False),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [10.1, 10.2, 10.3, 10.4, 10.5], False),
        ([10.1, 10.2, 10.3, 10.4, 10.5], _TENTHS, True),
    ],
)
def test_a_high_deviation_fails_as_in_its_own_tests(
    experiment: list[float], control: list[float], *, failed: bool
) -> None:
    found = pipecd._significant(np.array([experiment]), np.array([control]))
    assert found.tolist() == [failed]


def test_a_batch_of_evaluations_equals_single_ones() -> None:
    rng = np.random.default_rng(2)
    canary = rng.poisson(rng.choice([0.3, 2.0, 20.0], (500, 1)), (500, 5)) / 100
    baseline = rng.poisson(rng.choice([0.3, 2.0, 20.0], (500, 1)), (500, 5)) / 100
    together = pipecd._significant(canary, baseline)
    for found, one, other in zip(together, canary, baseline, strict=True):
        p = pipecd.p_greater(one, other)
        assert found == (p is not None and p <= pipecd.SIGNIFICANCE)
    assert 50 < together.sum() < 400


def test_only_the_last_interval_counts_and_only_at_its_end(make_traffic: MakeTraffic) -> None:
    high, low = [10, 11, 12, 13, 14], [0, 1, 0, 1, 0]
    traffic = make_traffic(low + high + low, baseline_bad=1)
    assert pipecd.pipecd(traffic).tolist() == [10]
    assert pipecd.pipecd(traffic, failure_limit=1).tolist() == [0]
    twice = make_traffic(high + low + high, baseline_bad=1)
    assert pipecd.pipecd(twice, failure_limit=1).tolist() == [15]


def test_an_evaluation_with_an_empty_minute_is_skipped(make_traffic: MakeTraffic) -> None:
    requests = [100, 100, 0, 100, 100]
    traffic = make_traffic([10, 11, 0, 13, 14], requests=requests)
    assert pipecd.pipecd(traffic).tolist() == [0]
