"""A guard rail fires by chance at most at the stated rate, checked by exact binomial tails."""

from __future__ import annotations

import math
from datetime import timedelta
from fractions import Fraction
from statistics import NormalDist

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from environments.schema import load
from pipeline.judge.causes import EVIDENCE_SHARE, RAILS_SHARE, evidence_rate, rails_rate
from pipeline.judge.rails import LOOKS, deviations, firing_count, threshold, watched_minutes
from pipeline.names import RAILS
from pipeline.planning.policy import parameters, rails_threshold

_ROUNDING = 1 + 1e-9


def tail(bad: int, requests: int, limit: float) -> float:
    """P(X >= bad) of a binomial X, summed from its largest term."""
    if bad <= 0:
        return 1.0
    odds = limit / (1 - limit)
    mode = max(bad, math.floor((requests + 1) * limit))
    log_top = (
        math.lgamma(requests + 1) - math.lgamma(mode + 1) - math.lgamma(requests - mode + 1)
        + mode * math.log(limit) + (requests - mode) * math.log1p(-limit)
    )  # fmt: skip
    terms, term = [1.0], 1.0
    for count in range(mode, requests):
        term *= (requests - count) / (count + 1) * odds
        terms.append(term)
    term = 1.0
    for count in range(mode, bad, -1):
        term *= count / (requests - count + 1) / odds
        terms.append(term)
    return math.exp(log_top) * math.fsum(terms)


@pytest.mark.parametrize(("bad", "requests"), [(1, 1), (3, 10), (10, 10), (17, 50), (60, 400)])
def test_the_tail_is_exact(bad: int, requests: int) -> None:
    limit = Fraction(1, 10)
    exact = sum(
        math.comb(requests, count) * limit**count * (1 - limit) ** (requests - count)
        for count in range(bad, requests + 1)
    )
    assert tail(bad, requests, 0.1) == pytest.approx(float(exact), rel=1e-9)


@given(
    requests=st.integers(1, 3_000) | st.sampled_from([6_000, 60_000]),
    limit=st.floats(0.001, 0.95),
    z=st.floats(1.0, 8.0),
)
@example(50, 0.1, 4.51)
@example(60_000, 0.1, 4.51)
@settings(deadline=None)
def test_a_rail_fires_no_earlier_than_an_exact_one_and_at_most_one_request_later(
    requests: int, limit: float, z: float
) -> None:
    chance = NormalDist().cdf(-z)
    fires = firing_count(requests, limit, z)
    if fires is None:
        assert tail(requests - 1, requests, limit) > chance / _ROUNDING
        return
    assert tail(fires, requests, limit) <= chance * _ROUNDING
    assert tail(fires - 2, requests, limit) > chance / _ROUNDING


@given(requests=st.integers(1, 500), limit=st.floats(0.001, 0.95), z=st.floats(0.5, 8.0))
def test_more_bad_requests_are_never_less_evidence(requests: int, limit: float, z: float) -> None:
    scores = [deviations(bad, requests, limit) for bad in range(requests + 1)]
    assert scores == sorted(scores)
    first = next((bad for bad, score in enumerate(scores) if score >= z), None)
    assert firing_count(requests, limit, z) == first


def test_all_rails_minutes_and_looks_together_keep_their_share_of_the_rate() -> None:
    prod = load("prod")
    assert prod.judge
    minutes = watched_minutes(timedelta(minutes=8), timedelta(minutes=4))
    chance = NormalDist().cdf(-rails_threshold(prod.judge, prod.shift))
    spent = len(RAILS) * minutes * LOOKS * chance
    rate = prod.judge.false_rollback_rate
    assert spent <= rails_rate(rate)
    assert spent > 0.9 * rails_rate(rate)  # what rounding up costs
    assert parameters(prod, prod.judge).false_rollback_rate == evidence_rate(rate)
    assert evidence_rate(rate) + rails_rate(rate) == pytest.approx(rate, rel=1e-9)
    assert EVIDENCE_SHARE + RAILS_SHARE == 1


@pytest.mark.parametrize(
    ("shift", "bake", "minutes"),
    [(8, 4, 17), (8, 6, 17), (8, 10, 21), (60, 50, 113)],
)
def test_the_watched_minutes_include_a_late_bake_and_both_edges(
    shift: int, bake: int, minutes: int
) -> None:
    assert watched_minutes(timedelta(minutes=shift), timedelta(minutes=bake)) == minutes


def test_a_longer_watch_and_a_lower_rate_raise_the_threshold() -> None:
    assert threshold(0.01, 17) == 4.51
    assert threshold(0.01, 17) < threshold(0.01, 113) < threshold(0.0001, 113)


def test_outages_of_the_new_version_fire_within_one_minute_of_50_requests() -> None:
    prod = load("prod")
    limit, z = prod.guard.max_failure_share, rails_threshold(prod.judge, prod.shift)
    fires = firing_count(50, limit, z)
    assert fires == 18
    assert tail(fires, 50, 0.5) > 0.98
    fires = firing_count(120, limit, z)
    assert fires is not None
    assert tail(fires, 120, 0.5) > 1 - 1e-7


def test_an_environment_without_a_canary_has_rails_for_operations() -> None:
    staging = load("staging")
    assert rails_threshold(staging.judge, staging.shift) == threshold(0.01, 24 * 60)
