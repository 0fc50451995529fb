from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from pipeline.judge.statistics import CanaryTest, Counts, Objectives

Split = Callable[[int, int, int, float], dict[int, Fraction]]

HALVES = {"failures": 0.5, "slow-requests": 0.5}
WELL = (Counts(60, 0), Counts(540, 2))
BAD = (Counts(60, 9), Counts(540, 2))


def test_one_objective_alone_is_the_test_itself() -> None:
    together, alone = Objectives({"failures": 1.0}), CanaryTest()
    for canary, stable in (WELL, BAD, WELL):
        together.observe({"failures": (canary, stable)})
        alone.observe(canary=canary, stable=stable)
    assert together.late_evidence == pytest.approx(alone.late_evidence, abs=1e-12)
    assert together.evidence == pytest.approx(alone.evidence, abs=1e-12)
    assert together.verdict == alone.verdict
    assert together.requests_needed == alone.requests_needed


def test_evidence_is_the_weighted_average() -> None:
    weights = {"failures": 0.7, "slow-requests": 0.3}
    together = Objectives(weights)
    together.observe({"failures": BAD, "slow-requests": WELL})
    average = sum(w * 10 ** together.tests[name].late_evidence for name, w in weights.items())
    assert together.late_evidence == pytest.approx(math.log10(average))
    average = sum(w * 10 ** together.tests[name].evidence for name, w in weights.items())
    assert together.evidence == pytest.approx(math.log10(average))


def test_an_objective_at_its_own_threshold_rolls_back_the_release() -> None:
    """Its threshold is that of its share of the rate."""
    together, alone = Objectives(HALVES), CanaryTest(false_rollback_rate=0.005)
    canary, stable = Counts(20, 1), Counts(180, 3)
    while alone.verdict != "rollback":
        assert together.verdict == "undecided"
        alone.observe(canary=canary, stable=stable)
        together.observe({"failures": (canary, stable), "slow-requests": WELL})
        assert together.tests["failures"].late_evidence == alone.late_evidence
    assert together.verdict == "rollback"
    assert together.requests_needed == 0


def test_objectives_that_are_bad_together_need_less_each() -> None:
    one, both = Objectives(HALVES), Objectives(HALVES)
    one.observe({"failures": BAD, "slow-requests": WELL})
    both.observe({"failures": BAD, "slow-requests": BAD})
    assert both.late_evidence > one.late_evidence


def test_a_release_is_good_only_if_every_objective_is() -> None:
    together = Objectives(HALVES)
    some = (Counts(60, 1), Counts(540, 9))
    nothing = (Counts(60, 0), Counts(540, 0))
    for _ in range(60):
        together.observe({"failures": some, "slow-requests": nothing})
    assert together.tests["failures"].verdict == "good"
    assert (together.verdict, together.requests_needed) == ("undecided", None)
    while together.verdict == "undecided":
        needed = together.requests_needed
        together.observe({"failures": some, "slow-requests": some})
    assert needed is not None
    assert (together.verdict, together.requests_needed) == ("good", 0)


def test_a_rollback_verdict_is_final() -> None:
    together = Objectives(HALVES)
    for _ in range(2):
        together.observe({"failures": BAD, "slow-requests": BAD})
    for _ in range(100):
        together.observe({"failures": (Counts(60, 0), Counts(540, 20)), "slow-requests": WELL})
    assert together.late_evidence < 2
    assert together.verdict == "rollback"


@pytest.mark.parametrize("alike", [True, False])
def test_objectives_share_the_error_rate_under_any_dependence(
    exact_split: Split, alike: bool
) -> None:
    """Exactly: the same bad requests in both, or independent ones, over two periods."""
    rate, totals = 0.2, [(3, 6, 3), (5, 4, 4)]
    splits = [exact_split(*each, 1.0) for each in totals]
    ways = product(*splits)
    pairs = [(way, way) for way in ways] if alike else list(product(product(*splits), repeat=2))
    rolled_back = total = 0.0
    for ways_ in pairs:
        probability = 1.0
        for way in ways_[: 1 if alike else 2]:
            probability *= float(math.prod(s[j] for s, j in zip(splits, way, strict=True)))
        together = Objectives({"a": 0.25, "b": 0.75}, false_rollback_rate=rate)
        for (n, m, k), one, other in zip(totals, *ways_, strict=True):
            together.observe({
                "a": (Counts(n, one), Counts(m, k - one)),
                "b": (Counts(n, other), Counts(m, k - other)),
            })  # fmt: skip
        total += probability
        rolled_back += probability * (together.verdict == "rollback")
    assert total == pytest.approx(1)
    assert 0 < rolled_back <= rate


@pytest.mark.parametrize("weight", [0, 0.0, -0.5, 1.5, True, float("nan"), "1", None])
def test_an_invalid_weight_is_rejected(weight: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^weight of slow: .* found; allowed is a number above 0 and up to 1"
    ):
        Objectives({"failures": 0.5, "slow": weight})


@pytest.mark.parametrize("weights", [{}, {"a": 0.5}, {"a": 0.6, "b": 0.5}])
def test_weights_that_do_not_sum_to_one_are_rejected(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"^weights: .* found; allowed are weights with sum 1"):
        Objectives(weights)


def test_three_thirds_sum_to_one() -> None:
    Objectives({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})


@pytest.mark.parametrize("rate", [0.0, 1.0, float("nan"), True])
def test_the_total_error_rate_is_validated_before_it_is_split(rate: Any) -> None:
    with pytest.raises(ValueError, match=f"^false_rollback_rate: {rate!r} found"):
        Objectives(HALVES, false_rollback_rate=rate)


@pytest.mark.parametrize("names", [[], ["failures"], ["failures", "slow-requests", "x"], ["x"]])
def test_counts_of_unknown_objectives_are_rejected_before_any_is_added(names: list[str]) -> None:
    together = Objectives(HALVES)
    with pytest.raises(
        ValueError, match=r"^objectives: .* found; allowed are counts of failures, slow-requ"
    ):
        together.observe(dict.fromkeys(names, BAD))
    assert together.late_evidence == pytest.approx(0)
    assert together.tests["failures"].requests_needed is None
