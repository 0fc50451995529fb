from __future__ import annotations

import math
import random
from statistics import median

import pytest

from pipeline.judge.statistics import CanaryTest, Counts


def _binomial(rng: random.Random, requests: int, rate: float) -> int:
    return sum(rng.random() < rate for _ in range(requests))


@pytest.mark.parametrize(
    ("bad", "base", "share", "requests", "verdict"),
    [
        (0.03, 0.01, 0.1, 600, "rollback"),
        (0.1, 0.01, 0.1, 60, "rollback"),
        (0.01, 0.01, 0.1, 600, "good"),
        (0.05, 0.05, 0.5, 100, "good"),
    ],
)
def test_the_outlook_matches_the_median_of_what_is_needed(
    bad: float, base: float, share: float, requests: int, verdict: str
) -> None:
    """Half of the canaries need less than twice the outlook after two periods."""
    rng = random.Random(30)
    ratios = []
    for _ in range(60):
        test, seen, expected, at = CanaryTest(), 0, None, 0
        while test.verdict == "undecided":
            ours = _binomial(rng, requests, share)
            seen += ours
            test.observe(
                canary=Counts(ours, _binomial(rng, ours, bad)),
                stable=Counts(requests - ours, _binomial(rng, requests - ours, base)),
            )
            if expected is None and seen > 1.5 * share * requests:
                expected, at = test.requests_needed, seen
        if test.verdict == verdict and expected:
            ratios.append((seen - at) / expected)
    assert len(ratios) > 30
    assert 0.5 < median(ratios) < 2


def test_without_a_failure_there_is_no_outlook() -> None:
    test = CanaryTest()
    test.observe(canary=Counts(600, 0), stable=Counts(5_400, 0))
    assert test.requests_needed is None
    assert test.requests_to_rollback == test.requests_to_good == math.inf


def test_without_requests_of_both_versions_there_is_no_outlook() -> None:
    test = CanaryTest()
    test.observe(canary=Counts(0, 0), stable=Counts(5_400, 20))
    assert test.requests_needed is None


def test_only_the_likelier_verdict_has_an_outlook() -> None:
    worse, well = CanaryTest(), CanaryTest()
    worse.observe(canary=Counts(60, 3), stable=Counts(540, 5))
    well.observe(canary=Counts(600, 6), stable=Counts(5_400, 60))
    assert worse.requests_to_rollback < math.inf == worse.requests_to_good
    assert well.requests_to_good < well.requests_to_rollback
    assert well.requests_needed == math.ceil(well.requests_to_good)


def test_more_evidence_needs_fewer_requests() -> None:
    test = CanaryTest()
    needed: list[int] = []
    while test.verdict == "undecided":
        test.observe(canary=Counts(60, 2), stable=Counts(540, 3))
        assert test.requests_needed is not None
        needed.append(test.requests_needed)
    assert needed == sorted(needed, reverse=True)
    assert needed[-1] == 0
