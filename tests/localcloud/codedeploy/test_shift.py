from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.codedeploy.shift import BUILT_IN, Step, TrafficRoutingError, plan

percents = st.integers(1, 99)


def canary(percent: Any, minutes: Any) -> dict[str, Any]:
    return {
        "type": "TimeBasedCanary",
        "timeBasedCanary": {"canaryPercentage": percent, "canaryInterval": minutes},
    }


def linear(percent: Any, minutes: Any) -> dict[str, Any]:
    return {
        "type": "TimeBasedLinear",
        "timeBasedLinear": {"linearPercentage": percent, "linearInterval": minutes},
    }


@given(percents, st.integers(1, 2880))
def test_a_canary_shifts_twice_and_waits_its_interval(percent: int, minutes: int) -> None:
    assert plan(canary(percent, minutes)) == (Step(0, percent), Step(60 * minutes, 100))


@given(percents, st.integers(1, 29))
def test_a_linear_shift_grows_evenly_to_all_the_traffic(percent: int, minutes: int) -> None:
    steps = plan(linear(percent, minutes))
    assert steps[0] == Step(0, percent)
    assert steps[-1].percent == 100
    for before, after in pairwise(steps):
        assert after.after - before.after == 60 * minutes
        assert 0 < after.percent - before.percent <= percent
    assert len(steps) == -(-100 // percent)


@given(percents, st.integers(1, 5000))
def test_no_plan_takes_more_than_48_hours(percent: int, minutes: int) -> None:
    for routing in (canary(percent, minutes), linear(percent, minutes)):
        try:
            assert plan(routing)[-1].after <= 48 * 3600
        except TrafficRoutingError as error:
            assert "2880" in str(error)  # noqa: PT017  # either a plan or its refusal


def test_all_at_once_is_one_step() -> None:
    assert plan({"type": "AllAtOnce"}) == (Step(0, 100),)


def test_predefined_configurations_do_what_their_names_say() -> None:
    assert len(BUILT_IN) == 9
    for name, routing in BUILT_IN.items():
        steps = plan(routing)
        if "Canary10Percent" in name:
            minutes = int(name.split("Percent")[1].removesuffix("Minutes"))
            assert steps == (Step(0, 10), Step(60 * minutes, 100))
        elif "Linear10PercentEvery" in name:
            minutes = int(name.split("Every")[1].rstrip("Minutes"))
            assert [step.percent for step in steps] == list(range(10, 101, 10))
            assert steps[-1].after == 9 * 60 * minutes
        else:
            assert steps == (Step(0, 100),)


@pytest.mark.parametrize(
    ("routing", "named"),
    [
        (canary(0, 5), "canaryPercentage is 0"),
        (canary(100, 5), "canaryPercentage is 100"),
        (canary(10, 0), "canaryInterval is 0"),
        (linear("a", 5), "linearPercentage is a"),
        (linear(10, None), "linearInterval is None"),
        ({"type": "TimeBasedCanary"}, "canaryPercentage is None"),
        ({"type": "Sideways"}, "type Sideways"),
        ({}, "type None"),
    ],
)
def test_an_invalid_shift_is_named(routing: dict[str, Any], named: str) -> None:
    with pytest.raises(TrafficRoutingError, match=named):
        plan(routing)
