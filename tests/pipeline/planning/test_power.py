"""The forecast's figures, compared with simulations by the judge's own code."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.judge.statistics import Counts, Objectives
from pipeline.judge.statistics.periods import Pair, Parameters
from pipeline.planning.power import Canary, Power, Prospect

PARAMETERS = Parameters(
    false_rollback_rate=0.01,
    tolerance=1.0,
    harmful=2.0,
    undecided="promote",
    incident="continue",
    objectives={"failures": 0.5, "slow-requests": 0.5},
    limits={"failures": 0.1, "slow-requests": 0.25},
    min_requests=50,
)


def canary(requests_per_second: float, failure_share: float, shares: tuple[float, ...]) -> Canary:
    ends = tuple(float(minute + 1) for minute in range(len(shares)))
    return Canary(requests_per_second, failure_share, shares, ends, reaction=0.0)


def forecast(what: Canary, bad: float) -> Prospect:
    return Power(PARAMETERS, "failures", what.shares[0]).prospect(what, bad)


def poisson(chance: random.Random, mean: float) -> int:
    if mean > 100:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    passed, count = chance.expovariate(1.0), 0
    while passed < mean:
        passed += chance.expovariate(1.0)
        count += 1
    return count


def played(what: Canary, bad: float, releases: int) -> Prospect:
    chance = random.Random(7)
    found: list[int] = []
    hurt = 0
    for _ in range(releases):
        test = Objectives(PARAMETERS.objectives)
        for minute, share in enumerate(what.shares):
            requests = 60 * what.requests_per_second
            ours = poisson(chance, requests * share * bad)
            theirs = poisson(chance, requests * (1 - share) * what.failure_share)
            fine = poisson(chance, requests * share * (1 - bad))
            their_fine = poisson(chance, requests * (1 - share) * (1 - what.failure_share))
            hurt += ours
            ours_in_all, theirs_in_all = ours + fine, theirs + their_fine
            test.observe(
                {
                    "failures": Pair(Counts(ours_in_all, ours), Counts(theirs_in_all, theirs)),
                    "slow-requests": Pair(Counts(ours_in_all, 0), Counts(theirs_in_all, 0)),
                }
            )
            if test.verdict == "rollback":
                found.append(minute + 1)
                break
    return Prospect(len(found) / releases, fmean(found) if found else None, hurt / releases)


@pytest.mark.parametrize(
    ("what", "times"),
    [
        pytest.param(canary(10, 0.005, 5 * (0.1,)), 5, id="found in a third"),
        pytest.param(canary(10, 0.005, 5 * (0.1,)), 10, id="found mostly"),
        pytest.param(canary(1, 0.005, 5 * (0.1,)), 20, id="few requests"),
        pytest.param(canary(10, 0.001, 20 * (0.5,)), 4, id="half of them"),
        pytest.param(canary(5, 0.002, 3 * (0.2,)), 500, id="always"),
        pytest.param(
            canary(10, 0.005, tuple(0.1 * step for step in range(1, 10) for _ in range(2))), 3,
            id="in steps",
        ),
    ],
)  # fmt: skip
def test_the_forecast_matches_the_judges_detections(what: Canary, times: float) -> None:
    bad = min(1.0, times * what.failure_share)
    told, seen = forecast(what, bad), played(what, bad, releases=300)
    # The documented error, and three standard deviations of this many releases.
    chance = 3 * math.sqrt(max(seen.found * (1 - seen.found), 0.01) / 300)
    assert told.found == pytest.approx(seen.found, abs=0.07 + chance)
    assert told.minutes == pytest.approx(seen.minutes, rel=0.2, abs=0.5)
    assert told.hurt == pytest.approx(seen.hurt, rel=0.2)


@settings(max_examples=30)
@given(
    st.floats(0.1, 100), st.floats(1e-4, 0.02), st.floats(0.01, 0.5), st.integers(1, 90),
    st.floats(1.5, 40),
)  # fmt: skip
def test_more_traffic_time_or_harm_raises_the_power(
    rate: float, failing: float, share: float, minutes: int, times: float
) -> None:
    what = canary(rate, failing, minutes * (share,))
    bad = min(1.0, times * failing)
    told, slack = forecast(what, bad), 1e-6
    assert 0 <= told.found <= 1
    assert told.minutes is None or 1 - slack <= told.minutes <= minutes + slack
    assert 0 <= told.hurt <= 60 * rate * share * bad * minutes * (1 + 1e-9)
    longer = canary(rate, failing, (minutes + 5) * (share,))
    assert forecast(longer, bad).found >= told.found - slack
    assert forecast(replace(what, requests_per_second=2 * rate), bad).found >= told.found - slack
    assert forecast(what, min(1.0, 1.5 * bad)).found >= told.found - slack


def test_the_smallest_detectable_harm_has_exactly_the_power() -> None:
    what = canary(20, 0.001, 6 * (0.1,))
    power = Power(PARAMETERS, "failures", 0.1)
    smallest = power.smallest(what, 0.95)
    assert smallest
    assert power.prospect(what, smallest).found == pytest.approx(0.95, abs=0.02)
    assert power.prospect(what, smallest).found >= 0.95
    assert power.smallest(canary(0.01, 0.001, 6 * (0.1,)), 0.95) is None


def test_the_sufficient_traffic_has_exactly_the_power() -> None:
    power = Power(PARAMETERS, "failures", 0.1)
    suffices = power.suffices(canary(20, 0.001, (0.1,)), 0.005, 0.9)
    lengths = [canary(20, 0.001, minutes * (0.1,)) for minutes in range(1, 60)]
    first = next(each for each in lengths if suffices(each))
    assert power.prospect(first, 0.005).found == pytest.approx(0.9, abs=0.03)
    assert not any(map(suffices, lengths[: len(first.shares) - 1]))
    # An equal release is never detected with this probability.
    assert not power.suffices(canary(20, 0.001, (0.1,)), 0.001, 0.9)(lengths[-1])


def test_no_forecast_is_below_the_limit_of_information() -> None:
    power = Power(PARAMETERS, "failures", 0.1)
    for times in (2, 5, 20):
        what = canary(20, 0.001, 600 * (0.1,))
        told = power.prospect(what, times * 0.001)
        assert told.found > 0.99
        assert told.minutes
        assert told.minutes > power.limit(what, times * 0.001)
    assert power.limit(what, 0.001) == math.inf


def test_the_limit_is_that_of_the_research_note() -> None:
    # p0 0.5 %, p1 5 %, a tenth of the requests, alpha 1 %: 836 requests in all.
    what = canary(1, 0.005, (0.1,))
    limit = Power(PARAMETERS, "failures", 0.1).limit(what, 0.05)
    assert 60 * limit == pytest.approx(836, rel=0.005)
