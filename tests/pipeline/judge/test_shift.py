"""The minutes of a shift that can be compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.codedeploy.shift import plan
from pipeline.judge.shift import Shift, comparable

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def _minutes(shift: Shift, began: datetime, until: datetime) -> list[str]:
    return [f"{each:%H:%M:%S}" for each in comparable(shift, began, until)]


def test_minutes_with_a_shift_of_traffic_are_excluded() -> None:
    canary = Shift(10, 5, linear=False)
    began = NOON + timedelta(seconds=30)
    ends = began + canary.length
    assert _minutes(canary, began, ends) == ["12:01:00", "12:02:00", "12:03:00", "12:04:00"]
    assert _minutes(canary, began, NOON + timedelta(seconds=150)) == ["12:01:00"]
    assert _minutes(canary, began, began) == []
    linear = Shift(30, 2, linear=True)
    assert linear.length == timedelta(minutes=6)
    assert _minutes(linear, began, ends + timedelta(hours=1)) == [
        "12:01:00", "12:03:00", "12:05:00",
        *(f"{12 + minute // 60}:{minute % 60:02}:00" for minute in range(7, 65)),
    ]  # fmt: skip


@pytest.mark.parametrize(("second", "first"), [(0, "12:01:00"), (54, "12:01:00"), (58, "12:02:00")])
def test_a_step_may_be_slightly_late(second: int, first: str) -> None:
    began = NOON + timedelta(seconds=second)
    assert next(comparable(Shift(10, 9, linear=False), began, NOON + timedelta(hours=1))) == (
        NOON.replace(minute=int(first[3:5]))
    )


@given(
    percent=st.integers(1, 99),
    minutes=st.integers(1, 29),
    linear=st.booleans(),
    second=st.integers(0, 3600),
    passed=st.integers(0, 20000),
)
def test_comparable_minutes_are_complete_and_contain_no_step(
    percent: int, minutes: int, linear: bool, second: int, passed: int
) -> None:
    shift = Shift(percent, minutes, linear=linear)
    kind = "linear" if linear else "canary"
    steps = plan(
        {
            "type": f"TimeBased{kind.capitalize()}",
            f"timeBased{kind.capitalize()}": {
                f"{kind}Percentage": percent,
                f"{kind}Interval": minutes,
            },
        }
    )
    assert shift.length == timedelta(seconds=steps[-1].after)
    began = NOON + timedelta(seconds=second)
    until = began + timedelta(seconds=passed)
    times = [began + timedelta(seconds=step.after) for step in steps]
    assert shift.times(began) == times
    for minute in comparable(shift, began, until):
        end = minute + timedelta(minutes=1)
        assert minute.second == 0
        assert began <= minute
        assert end <= until
        assert not any(minute < each < end for each in times)
