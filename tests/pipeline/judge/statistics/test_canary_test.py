from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.judge.statistics import CanaryTest, Counts
from pipeline.judge.statistics.bets import FROM_THE_START, WORSE, WORSE_SHARES
from pipeline.judge.statistics.information import requests_limit

Split = Callable[[int, int, int, float], dict[int, Fraction]]
Minute = tuple[tuple[int, int], tuple[int, int]]
"""Requests and failures of the canary and of the stable version."""


def judged(minutes: Sequence[Minute], **parameters: float) -> CanaryTest:
    test = CanaryTest(**parameters)
    for canary, stable in minutes:
        test.observe(canary=Counts(*canary), stable=Counts(*stable))
    return test


@st.composite
def minutes(draw: st.DrawFn, most: int = 80) -> Minute:
    canary, stable = draw(st.integers(0, most)), draw(st.integers(0, most))
    return (
        (canary, draw(st.integers(0, canary))),
        (stable, draw(st.integers(0, stable))),
    )


def traffic(
    rng: random.Random, count: int, requests: int, share: float, bad: Callable[[int], float],
    stable: Callable[[int], float],
) -> list[Minute]:  # fmt: skip
    """Return minutes of random traffic; each request is assigned independently."""
    found = []
    for minute in range(count):
        ours = sum(rng.random() < share for _ in range(requests))
        canary = sum(rng.random() < bad(minute) for _ in range(ours))
        rest = sum(rng.random() < stable(minute) for _ in range(requests - ours))
        found.append(((ours, canary), (requests - ours, rest)))
    return found


# --- the guaranteed rate


TOTALS = [
    [(3, 5, 2)],
    [(2, 3, 2), (4, 1, 3), (1, 6, 1)],
    [(1, 9, 1)] * 4,
    [(5, 5, 4), (1, 1, 1), (2, 8, 5)],
    [(12, 20, 9), (6, 30, 8)],
]


@pytest.mark.parametrize("totals", TOTALS)
@pytest.mark.parametrize(
    ("tolerance", "truth"), [(1.0, 1.0), (1.0, 0.5), (1.5, 1.5), (1.5, 1.0), (2.5, 2.5)]
)
def test_evidence_of_a_canary_that_is_no_worse_is_not_expected_to_grow(
    exact_split: Split, totals: list[tuple[int, int, int]], tolerance: float, truth: float
) -> None:
    """Over all splits of the failures, with exact probabilities."""
    rate = 0.2
    splits = [exact_split(*each, truth) for each in totals]
    whole = unboosted = deciding = rolled_back = total = 0.0
    for counts in product(*splits):
        probability = float(math.prod(split[j] for split, j in zip(splits, counts, strict=True)))
        test = CanaryTest(false_rollback_rate=rate, tolerance=tolerance, harmful=2 * tolerance)
        stopped = None
        for (canary, stable, failures), ours in zip(totals, counts, strict=True):
            test.observe(canary=Counts(canary, ours), stable=Counts(stable, failures - ours))
            if test.verdict == "rollback" and stopped is None:
                stopped = 1 / rate
        total += probability
        whole += probability * 10**test.evidence
        unboosted += probability * math.exp(test._log_wealth)
        deciding += probability * (stopped or 10**test.late_evidence)
        rolled_back += probability * (test.verdict == "rollback")
    assert total == pytest.approx(1)
    assert whole <= FROM_THE_START * (1 + 1e-9)
    assert unboosted <= 1 + 1e-9
    assert deciding <= 1 + 1e-9
    assert rolled_back <= rate * (1 + 1e-9)
    if truth == tolerance:  # at the boundary only rounding loses evidence
        assert whole == pytest.approx(FROM_THE_START)
        assert unboosted == pytest.approx(1)
        assert deciding == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("totals", TOTALS)
@pytest.mark.parametrize(("harmful", "truth"), [(2.0, 2.0), (2.0, 3.0), (1.2, 1.2), (4.0, 50.0)])
def test_evidence_for_a_harmful_canary_is_not_expected_to_grow(
    exact_split: Split, totals: list[tuple[int, int, int]], harmful: float, truth: float
) -> None:
    splits = [exact_split(*each, truth) for each in totals]
    expected = 0.0
    for counts in product(*splits):
        probability = float(math.prod(split[j] for split, j in zip(splits, counts, strict=True)))
        test = judged(
            [((n, j), (m, k - j)) for (n, m, k), j in zip(totals, counts, strict=True)],
            harmful=harmful,
        )
        expected += probability * 10**test.harmless_evidence
    assert expected <= 1 + 1e-9


def test_the_false_rollback_rate_is_at_most_alpha() -> None:
    """Evaluated every minute: calm, a common incident, drift and bursts."""
    rng = random.Random(20)
    bases: list[Callable[[int], float]] = [
        lambda _: 0.02,
        lambda minute: 0.6 if 8 <= minute < 16 else 0.02,
        lambda minute: 0.05 * (1 + math.sin(minute / 4)),
        lambda minute: 0.9 if minute % 7 == 0 else 0.0,
    ]
    runs = 60
    wrong = sum(
        judged(traffic(rng, 25, 60, share, base, base), false_rollback_rate=0.1).verdict
        == "rollback"
        for base in bases
        for share in (0.1, 0.5)
        for _ in range(runs)
    )
    assert 0 < wrong <= 0.1 * 2 * runs * len(bases)


def test_the_false_promotion_rate_is_at_most_the_limit() -> None:
    rng = random.Random(21)
    runs = 150
    wrong = 0
    for _ in range(runs):
        test = CanaryTest(false_promotion_rate=0.1)
        good = False
        for canary, stable in traffic(rng, 20, 60, 0.3, lambda _: 0.2, lambda _: 1 / 9):
            test.observe(canary=Counts(*canary), stable=Counts(*stable))
            good |= test.verdict == "good"
        wrong += good
    assert wrong <= 0.1 * runs


# --- invariants of the evidence


@given(st.lists(minutes(), max_size=6), st.randoms(use_true_random=False))
def test_evidence_is_invariant_to_the_order_of_periods(
    given_: list[Minute], rng: random.Random
) -> None:
    other = list(given_)
    rng.shuffle(other)
    assert judged(given_).evidence == judged(other).evidence
    assert judged(given_).harmless_evidence == judged(other).harmless_evidence


@given(st.lists(minutes(), max_size=4))
def test_evidence_equals_exact_fractions(exact_split: Split, given_: list[Minute]) -> None:
    test = judged(given_, tolerance=1.25, harmful=3)
    whole = Fraction(0)
    for ratio, share in zip(WORSE, WORSE_SHARES, strict=True):
        wealth = Fraction(FROM_THE_START) * Fraction(share)
        for (n, j), (m, i) in given_:
            bet, null = (exact_split(n, m, i + j, odds) for odds in (1.25 * ratio, 1.25))
            wealth *= bet[j] / null[j]
        whole += wealth
    assert test.evidence == pytest.approx(math.log10(whole), abs=1e-12)


@given(st.lists(minutes(), min_size=1, max_size=4), st.data())
def test_evidence_is_monotone_in_each_request(given_: list[Minute], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(given_) - 1))
    (n, j), (m, i) = given_[at]

    def evidence(changed: Minute) -> float:
        return judged([*given_[:at], changed, *given_[at + 1 :]]).evidence

    now, little = evidence(given_[at]), 1e-12
    assert evidence(((n + 1, j + 1), (m, i))) >= now - little  # one more failure of the canary
    assert evidence(((n, j), (m + 1, i + 1))) <= now + little  # of the stable version
    assert evidence(((n + 1, j), (m, i))) <= now + little  # one more success of the canary
    assert evidence(((n, j), (m + 1, i))) >= now - little  # of the stable version
    if j < n:  # a success that had been a failure
        assert evidence(((n, j + 1), (m, i))) >= now - little


@pytest.mark.parametrize("period", [((60, 2), (540, 3)), ((60, 5), (60, 1)), ((10, 1), (990, 4))])
def test_more_of_the_same_is_more_evidence(period: Minute) -> None:
    (n, j), (m, i) = period
    scaled = [judged([((n * s, j * s), (m * s, i * s))]).evidence for s in (1, 2, 4, 8, 16, 100)]
    assert scaled == sorted(scaled)
    assert scaled[-1] > 2


@given(st.lists(minutes(), max_size=4))
def test_the_decision_contains_its_evidence(given_: list[Minute]) -> None:
    test = judged(given_)
    assert test.late_evidence >= test.evidence - 1e-12


@pytest.mark.parametrize(
    "silent",
    [
        ((0, 0), (0, 0)),
        ((0, 0), (50, 7)),
        ((50, 7), (0, 0)),
        ((50, 0), (450, 0)),
        ((50, 50), (450, 450)),
    ],
)
def test_a_period_without_a_comparison_changes_no_evidence(silent: Minute) -> None:
    speaking: list[Minute] = [((61, 1), (540, 3)), ((60, 2), (530, 1))]
    without = judged(speaking)
    with_ = judged([silent, speaking[0], silent, silent, speaking[1], silent])
    assert with_.evidence == without.evidence
    assert with_.late_evidence == without.late_evidence
    assert with_.harmless_evidence == without.harmless_evidence


def test_a_new_test_has_no_evidence() -> None:
    test = CanaryTest()
    assert test.late_evidence == pytest.approx(0)
    assert test.harmless_evidence == pytest.approx(0)
    assert (test.verdict, test.requests_needed) == ("undecided", None)


def test_ten_thousand_periods_lose_no_precision(exact_split: Split) -> None:
    kinds: list[Minute] = [((61, 1), (540, 4)), ((58, 0), (542, 9)), ((7, 3), (90, 31))]
    times = (5_000, 3_000, 2_000)
    test = CanaryTest()
    for kind, count in zip(kinds, times, strict=True):
        for _ in range(count):
            test.observe(canary=Counts(*kind[0]), stable=Counts(*kind[1]))
    with localcontext(prec=60):
        exact = Decimal(0)
        for psi, share in zip(WORSE, WORSE_SHARES, strict=True):
            log = (Decimal(FROM_THE_START) * Decimal(share)).ln()
            for ((n, j), (m, i)), count in zip(kinds, times, strict=True):
                e = exact_split(n, m, i + j, psi)[j] / exact_split(n, m, i + j, 1.0)[j]
                log += count * (Decimal(e.numerator).ln() - Decimal(e.denominator).ln())
            exact += log.exp()
        decades = float(exact.log10())
    assert decades < -100
    assert test.evidence == pytest.approx(decades, abs=1e-9)
    assert math.isfinite(test.late_evidence)


def test_evidence_of_a_large_fault_is_finite() -> None:
    test = judged([((10**6, 10**4), (9 * 10**6, 10))] * 3)
    assert test.verdict == "rollback"
    assert 1_000 < test.evidence < math.inf


# --- detection and its speed


@pytest.mark.parametrize(
    ("kayenta", "canary", "stable"),
    [
        # Mann and Whitney's test on buckets passes both at any size: kayenta#780, #426.
        ("780", [100] * 7 + [1] * 3, [1] * 10),
        ("426", [0, 1, 2, 1, 0, 0], [0] * 6),
    ],
)
def test_counts_detect_faults_that_ranks_of_buckets_miss(
    kayenta: str, canary: list[int], stable: list[int]
) -> None:
    requests = 1_000 if kayenta == "780" else 60
    minutes_ = [
        ((requests, bad), (9 * requests, good)) for bad, good in zip(canary, stable, strict=True)
    ]
    assert judged(minutes_).verdict == "rollback"


def _mean(runs: int, play: Callable[[], int]) -> float:
    return sum(play() for _ in range(runs)) / runs


def _stop(minutes_: list[Minute]) -> int:
    test = CanaryTest()
    for number, (canary, stable) in enumerate(minutes_, 1):
        test.observe(canary=Counts(*canary), stable=Counts(*stable))
        if test.verdict == "rollback":
            return number
    return 10 * len(minutes_)  # not detected: no mean is affected


@pytest.mark.parametrize(
    ("requests", "share", "base", "times"),
    [(60, 0.1, 0.01, 20), (60, 0.5, 0.01, 5), (240, 0.05, 0.005, 10), (600, 0.1, 0.01, 3)],
)
def test_a_regression_is_found_within_one_and_a_half_times_the_limit_and_a_period(
    requests: int, share: float, base: float, times: int
) -> None:
    rng = random.Random(22)
    limit = requests_limit(0.01, times * base, base, share)
    count = math.ceil(8 * limit / requests) + 10

    def play() -> int:
        return _stop(traffic(rng, count, requests, share, lambda _: times * base, lambda _: base))

    assert _mean(60, play) * requests <= 1.5 * limit + requests


@pytest.mark.parametrize(("late", "decades"), [(10, 2.2), (20, 2.5), (30, 2.8)])
def test_a_late_fault_needs_at_most_the_documented_extra_evidence(
    late: int, decades: float
) -> None:
    well: Minute = ((60, 0), (540, 9))
    bad: Minute = ((60, 5), (540, 9))
    early = judged([bad, bad, bad])
    after = judged([well] * (late - 1) + [bad, bad, bad])
    assert after.late_evidence >= early.evidence - decades - 0.05
    assert after.evidence < early.evidence - decades - 1


def test_a_late_fault_is_detected_nearly_as_fast() -> None:
    rng = random.Random(23)
    late = 20

    def play(begins: int) -> int:
        found = _stop(
            traffic(
                rng, begins + 40, 60, 0.2,
                lambda minute: 0.4 if minute >= begins else 0.02, lambda _: 0.02,
            )
        )  # fmt: skip
        return found - begins if found > begins else 0

    early = _mean(80, lambda: play(0))
    assert _mean(80, lambda: play(late)) < 2.2 * early


def test_a_rollback_verdict_is_final_and_a_good_verdict_is_not() -> None:
    bad: Minute = ((60, 12), (540, 3))
    well: Minute = ((60, 0), (540, 20))
    test = judged([bad, bad])
    assert test.verdict == "rollback"
    for _ in range(200):
        test.observe(canary=Counts(60, 0), stable=Counts(540, 20))
    assert (test.verdict, test.requests_needed) == ("rollback", 0)
    assert test.late_evidence < 2
    test = judged([well] * 20)
    assert (test.verdict, test.requests_needed) == ("good", 0)
    seen = {test.verdict}
    while test.verdict != "rollback":
        test.observe(canary=Counts(60, 3), stable=Counts(540, 3))
        seen.add(test.verdict)
    assert seen - {"undecided"} == {"good", "rollback"}


def test_a_tolerated_difference_is_tolerated() -> None:
    minutes_: list[Minute] = [((1_000, 30), (9_000, 180))] * 30  # 1.5 times as often
    assert judged(minutes_).verdict == "rollback"
    assert judged(minutes_, tolerance=1.6, harmful=3.0).verdict == "good"


def test_equal_failures_of_both_versions_blame_neither() -> None:
    minutes_: list[Minute] = [((60, 30), (540, 270))] * 30
    test = judged(minutes_)
    assert test.verdict == "good"
    assert test.late_evidence < 0


# --- invalid input


@pytest.mark.parametrize("name", ["false_rollback_rate", "false_promotion_rate"])
@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.1, 2.0, 1, True, float("nan"), "0.01", None])
def test_an_invalid_rate_is_rejected(name: str, wrong: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}: .* found; allowed is a number above 0 and"):
        CanaryTest(**{name: wrong})


@pytest.mark.parametrize("name", ["tolerance", "harmful"])
@pytest.mark.parametrize("wrong", [0, 0.99, -1, 1001, True, float("nan"), "2", None])
def test_an_invalid_odds_ratio_is_rejected(name: str, wrong: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}: .* found; allowed is an odds ratio from 1 to"):
        CanaryTest(**{name: wrong})


@pytest.mark.parametrize("harmful", [1.5, 2, 1.0])
def test_the_tolerated_odds_ratio_must_be_below_the_harmful_one(harmful: float) -> None:
    with pytest.raises(ValueError, match=f"^harmful: {harmful} found; allowed is an odds ratio ab"):
        CanaryTest(tolerance=2, harmful=harmful)


def test_odds_ratios_may_be_integers() -> None:
    minutes_: list[Minute] = [((60, 4), (540, 9))]
    assert judged(minutes_, tolerance=1, harmful=2).evidence == judged(minutes_).evidence
