from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.judge.statistics.hypergeometric import FailureSplit

ODDS = (0.5, 1.0, 1.5, 3.0, 80.0)


Split = Callable[[int, int, int, float], dict[int, Fraction]]


@st.composite
def periods(draw: st.DrawFn, most: int = 60) -> tuple[int, int, int, int]:
    """Requests of the canary and the stable version, failures of both, and of the canary."""
    canary, stable = draw(st.integers(1, most)), draw(st.integers(1, most))
    ours = draw(st.integers(0, canary))
    return canary, stable, ours + draw(st.integers(0, stable)), ours


@given(period=periods())
def test_probabilities_equal_exact_fractions(
    exact_split: Split, period: tuple[int, int, int, int]
) -> None:
    canary, stable, failures, ours = period
    split = FailureSplit(canary, stable, failures, ODDS)
    null = exact_split(canary, stable, failures, 1.0)
    for psi in ODDS:
        bet = exact_split(canary, stable, failures, psi)
        exact = math.log(bet[ours] / null[ours])
        assert split.log_e(ours, psi, 1.0) == pytest.approx(exact, abs=1e-12)
        below = float(sum(weight for j, weight in bet.items() if j < ours))
        assert split.below(ours, psi) == pytest.approx(below, abs=1e-12)
    assert (split.least, split.most) == (min(null), max(null))


@given(periods())
def test_swapping_versions_inverts_the_odds_ratio(
    period: tuple[int, int, int, int],
) -> None:
    canary, stable, failures, ours = period
    here = FailureSplit(canary, stable, failures, (1.0, 4.0))
    there = FailureSplit(stable, canary, failures, (0.25, 1.0))
    assert here.log_e(ours, 4.0, 1.0) == pytest.approx(
        there.log_e(failures - ours, 0.25, 1.0), abs=1e-12
    )


@given(periods())
def test_swapping_success_and_failure_inverts_the_odds_ratio(
    period: tuple[int, int, int, int],
) -> None:
    canary, stable, failures, ours = period
    here = FailureSplit(canary, stable, failures, (1.0, 4.0))
    there = FailureSplit(canary, stable, canary + stable - failures, (0.25, 1.0))
    assert here.log_e(ours, 4.0, 1.0) == pytest.approx(
        there.log_e(canary - ours, 0.25, 1.0), abs=1e-12
    )


@pytest.mark.parametrize("failures", [200, 1_000, 5_000])
def test_large_periods_are_as_exact_as_small_ones(failures: int) -> None:
    canary, stable, ours = 1_000, 9_000, failures // 20
    split = FailureSplit(canary, stable, failures, (1.0, 5.0))
    coefficients = [
        math.comb(canary, j) * math.comb(stable, failures - j)
        for j in range(min(canary, failures) + 1)
    ]
    bet = sum(coefficient * 5**j for j, coefficient in enumerate(coefficients))
    exact = math.log(5**ours * sum(coefficients) * 10**1000 // bet) - math.log(10**1000)
    assert split.log_e(ours, 5.0, 1.0) == pytest.approx(exact, abs=1e-11)


def test_the_truncated_probability_is_negligible(exact_split: Split) -> None:
    canary, stable, failures = 400, 3_600, 300
    split = FailureSplit(canary, stable, failures, (1.0, 25.0))
    for psi in (1.0, 25.0):
        exact = exact_split(canary, stable, failures, psi)
        terms = split._terms[psi]
        kept = range(split.least + terms.first, split.least + terms.first + len(terms.values))
        assert len(kept) < 0.6 * len(exact)
        assert 1 - sum(exact[j] for j in kept) < Fraction(3e-16)


def test_computation_grows_with_the_square_root_of_the_failures() -> None:
    def terms(failures: int) -> int:
        split = FailureSplit(10_000, 90_000, failures, ODDS)
        return sum(len(each.values) for each in split._terms.values())

    assert terms(1_000) < 2_500
    assert terms(16_000) < 5 * terms(1_000)
