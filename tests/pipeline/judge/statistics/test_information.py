from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.judge.statistics.information import divergence, information, requests_limit

rates = st.floats(0.001, 0.999)
shares = st.floats(0.01, 0.99)


@pytest.mark.parametrize(
    ("stable", "canary", "total", "of_canary"),
    [
        # The table of bounds on which the design is based: alpha = 1 %, a canary of 10 %.
        (0.0001, 0.01, 2_296, 230),
        (0.001, 0.01, 4_238, 424),
        (0.001, 0.05, 501, 50),
        (0.001, 0.20, 104, 10),
        (0.005, 0.02, 4_274, 427),
        (0.005, 0.05, 836, 84),
        (0.01, 0.02, 13_448, 1_345),
        (0.01, 0.05, 1_350, 135),
    ],
)
def test_the_limit(stable: float, canary: float, total: int, of_canary: int) -> None:
    limit = requests_limit(0.01, canary, stable, 0.1)
    assert limit == pytest.approx(total, rel=0.005)
    assert 0.1 * limit == pytest.approx(of_canary, abs=0.6)


def test_an_equal_canary_is_never_detected() -> None:
    assert requests_limit(0.01, 0.02, 0.02, 0.1) == math.inf
    assert requests_limit(0.01, 0.01, 0.02, 0.1) == math.inf
    assert requests_limit(0.01, 0.0, 0.0, 0.1) == math.inf
    assert requests_limit(0.01, 1.0, 1.0, 0.1) == math.inf
    assert requests_limit(0.01, 2 / 102, 0.01, 0.1, tolerance=2.0) == math.inf


def test_a_tolerance_reduces_the_information() -> None:
    limits = [requests_limit(0.01, 0.05, 0.01, 0.1, tolerance) for tolerance in (1, 1.5, 2, 4)]
    assert limits == sorted(limits)
    assert all(math.isfinite(limit) for limit in limits)


def test_a_small_share_gives_the_information_of_a_known_base_rate() -> None:
    assert information(0.05, 0.01, 1e-7) / 1e-7 == pytest.approx(divergence(0.05, 0.01), rel=1e-4)


def test_versions_that_never_and_always_fail() -> None:
    assert information(1.0, 0.0, 0.5) == pytest.approx(math.log(2))
    assert information(0.0, 0.0, 0.5) == information(1.0, 1.0, 0.5) == 0
    assert divergence(0.5, 0.0) == divergence(0.5, 1.0) == math.inf
    assert divergence(0.0, 0.0) == divergence(1.0, 1.0) == 0


@given(rates, rates, shares, st.floats(0.05, 20))
def test_no_null_is_nearer_than_the_nearest_null(
    canary: float, stable: float, share: float, odds: float
) -> None:
    least = information(canary, stable, share, odds)
    logits = [step / 8 for step in range(-80, 81)]
    for logit in logits:
        x = math.exp(logit)
        as_canary, as_stable = odds * x / (1 + odds * x), x / (1 + x)
        other = share * divergence(canary, as_canary) + (1 - share) * divergence(stable, as_stable)
        assert least <= other + 1e-9
    own = canary * (1 - stable) / ((1 - canary) * stable)
    assert information(canary, stable, share, own) == pytest.approx(0, abs=1e-9)


@given(rates, rates, shares)
def test_information_is_symmetric(canary: float, stable: float, share: float) -> None:
    here = information(canary, stable, share)
    assert here == pytest.approx(information(stable, canary, 1 - share), abs=1e-12)
    assert here == pytest.approx(information(1 - canary, 1 - stable, share), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("canary", (1.1, 0.1, 0.5)),
        ("canary", (float("nan"), 0.1, 0.5)),
        ("stable", (0.1, -0.1, 0.5)),
        ("share", (0.1, 0.1, 0.0)),
        ("share", (0.1, 0.1, 1.0)),
        ("odds", (0.1, 0.1, 0.5, 0.0)),
        ("odds", (0.1, 0.1, 0.5, float("inf"))),
    ],
)
def test_an_invalid_failure_rate_is_rejected(name: str, arguments: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=f"^{name}: .* found; allowed is"):
        information(*arguments)


@pytest.mark.parametrize("rate", [0.0, 1.0, float("nan"), 1, True])
def test_an_invalid_false_rollback_rate_is_rejected(rate: Any) -> None:
    with pytest.raises(ValueError, match=r"^false_rollback_rate: "):
        requests_limit(rate, 0.1, 0.01, 0.1)
