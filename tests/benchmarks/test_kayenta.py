"""Kayenta's judge, compared with results that its users published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import kayenta

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.conftest import MakeTraffic


def _series(values: Sequence[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(values, np.float64)


_HUNDREDS = [100.0] * 7 + [1.0] * 3
_ONES = [1.0] * 10


def test_a_hundredfold_metric_in_seven_of_ten_buckets_passes_as_in_kayenta_780() -> None:
    found = kayenta.Shift(_series(_HUNDREDS), _series(_ONES))
    assert found.low == pytest.approx(6.825022991538781e-05, rel=1e-12)
    assert found.high == 99.0
    assert found.estimate == pytest.approx(98.99992904170193, rel=1e-15)
    assert kayenta.TOLERANCE * found.estimate == pytest.approx(24.749982260425483, rel=1e-15)
    assert not kayenta.is_high(_series(_HUNDREDS), _series(_ONES))


def test_it_fails_as_soon_as_the_eighth_bucket_is_a_hundred_as_in_kayenta_780() -> None:
    assert kayenta.is_high(_series([100.0] * 8 + [1.0] * 2), _series(_ONES))


@pytest.mark.parametrize("value", [2.0, 3.0, 1000.0])
def test_the_size_of_the_difference_does_not_matter_as_in_kayenta_780(value: float) -> None:
    assert not kayenta.is_high(_series([value] * 7 + [1.0] * 3), _series(_ONES))
    assert kayenta.is_high(_series([value] * 8 + [1.0] * 2), _series(_ONES))


def test_sparse_errors_pass_as_in_kayenta_426() -> None:
    assert not kayenta.is_high(_series([0, 1, 2, 1, 0, 0]), _series([0] * 6))


def test_the_same_values_in_another_order_pass() -> None:
    assert not kayenta.is_high(_series([3, 1, 2]), _series([1, 2, 3]))


def test_a_lower_mean_is_no_increase() -> None:
    canary, baseline = _series([5] * 9 + [1]), _series([4] * 9 + [1000])
    assert kayenta.Shift(canary, baseline).low > 0
    assert not kayenta.is_high(canary, baseline)


def test_a_metric_without_data_fails() -> None:
    assert kayenta.is_high(_series([np.nan] * 3), _series([1, 2, 3]))


def test_a_batch_of_releases_equals_single_ones() -> None:
    rng = np.random.default_rng(1)
    rate = 10 ** rng.uniform(-2, 1, (120, 1))
    baseline = 100 * rng.poisson(rate, (120, 60)) / rng.integers(20, 60, (120, 60))
    worse = rng.choice([1.0, 2.0, 4.0], (120, 1))
    canary = 100 * rng.poisson(rate * worse, (120, 60)) / rng.integers(20, 60, (120, 60))
    canary[rng.random(canary.shape) < 0.05] = np.nan
    together = kayenta._high(canary, baseline)
    alone = [kayenta.is_high(*pair) for pair in zip(canary, baseline, strict=True)]
    assert together.tolist() == alone
    assert 20 < sum(alone) < 100


def test_kayenta_judges_once_at_the_end(make_traffic: MakeTraffic) -> None:
    worse = make_traffic([*range(40, 100)], requests=1000, baseline_bad=[*range(1, 61)])
    assert kayenta.kayenta(worse).tolist() == [60]
    assert kayenta.kayenta(make_traffic([0] * 60)).tolist() == [0]
