from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.judge.statistics.boosting import log_boost
from pipeline.judge.statistics.hypergeometric import FailureSplit

Split = Callable[[int, int, int, float], dict[int, Fraction]]

TOLERANCE = 1.25


@st.composite
def situations(draw: st.DrawFn) -> tuple[tuple[int, int, int], dict[float, float], float, float]:
    """A period's totals, the shares bet, the idle share and the cap."""
    canary, stable = draw(st.integers(1, 15)), draw(st.integers(1, 15))
    failures = draw(st.integers(1, canary + stable - 1))
    raw = [draw(st.floats(0, 1)) for _ in range(3)]
    total = sum(raw) or 1.0
    shares = dict(zip((2.0, 10.0), (raw[0] / total, raw[1] / total), strict=True))
    idle = 1 - sum(shares.values())
    return (canary, stable, failures), shares, max(0.0, idle), draw(st.floats(1.01, 1000))


@given(situation=situations())
def test_the_boost_is_the_largest_with_expectation_at_most_one(
    exact_split: Split,
    situation: tuple[tuple[int, int, int], dict[float, float], float, float],
) -> None:
    totals, shares, idle, cap = situation
    split = FailureSplit(*totals, (TOLERANCE, *sorted(shares)))
    boost = math.exp(log_boost(split, TOLERANCE, shares, idle, math.log(cap)))
    null = exact_split(*totals, TOLERANCE)
    bets = {psi: exact_split(*totals, psi) for psi in shares}
    factor = {
        j: float(idle + sum(share * bets[psi][j] / null[j] for psi, share in shares.items()))
        for j in null
    }

    def expected(boost: float) -> float:
        return math.fsum(float(null[j]) * min(boost * factor[j], cap) for j in null)

    assert boost >= 1
    assert expected(boost) <= 1 + 1e-9
    assert expected(boost) >= 1 - 1e-6 or max(factor.values()) * boost < cap
    # The expectation is lower for a canary better than the tolerance.
    better = exact_split(*totals, 0.6)
    assert math.fsum(float(better[j]) * min(boost * factor[j], cap) for j in null) <= 1 + 1e-9


def test_a_value_that_cannot_reach_the_threshold_is_not_boosted() -> None:
    split = FailureSplit(10, 90, 1, (1.0, 5.0))
    assert log_boost(split, 1.0, {5.0: 1.0}, 0.0, math.log(100)) == 0


def test_a_single_period_is_the_most_powerful_test_of_its_size() -> None:
    """The Neyman-Pearson test: roll back from the first count of chance alpha or less."""
    split = FailureSplit(100, 900, 40, (1.0, 5.0))
    boost = log_boost(split, 1.0, {5.0: 1.0}, 0.0, math.log(100))
    crossing = min(j for j in range(41) if boost + split.log_e(j, 5.0, 1.0) >= math.log(100) - 1e-9)
    assert 1 - split.below(crossing, 1.0) <= 0.01
    assert 1 - split.below(crossing - 1, 1.0) == pytest.approx(0.01, abs=0.01)


def test_a_distant_threshold_is_not_boosted_from_a_truncated_tail() -> None:
    split = FailureSplit(500, 500, 400, (1.0, 5.0))
    assert log_boost(split, 1.0, {5.0: 1.0}, 0.0, math.log(1e30)) == 0
