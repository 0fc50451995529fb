from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.judge.axes import clock, per_cent, ticks


@given(st.floats(-1e3, 0), st.floats(1e-3, 1e6), st.integers(3, 12))
def test_ticks_are_few_and_evenly_spaced(low: float, span: float, most: int) -> None:
    found = ticks(low, low + span, most)
    step = found[1] - found[0]
    slack = 1e-6 * step
    assert found[0] <= low + slack
    assert found[-1] >= low + span - slack
    assert 2 <= len(found) <= most + 1
    assert found[0] + step > low
    assert found[-1] - step < low + span
    for before, after in pairwise(found):
        assert after - before == pytest.approx(step, rel=1e-3)


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0.0, 0.0687, [0.0, 0.05, 0.1]),
        (0.0, 2.3, [0.0, 1.0, 2.0, 3.0]),
        (-1.4, 2.0, [-2.0, 0.0, 2.0]),
        (0.0, 1.0, [0.0, 0.5, 1.0]),
    ],
)
def test_ticks_are_round(low: float, high: float, found: list[float]) -> None:
    assert ticks(low, high, 4) == found


def test_words() -> None:
    assert [per_cent(each) for each in (0.0, 0.001, 0.0625, 1.0)] == [
        "0",
        "0.1 %",
        "6.25 %",
        "100 %",
    ]
    assert clock(datetime(2026, 1, 1, 9, 5, tzinfo=UTC)) == "09:05"
    assert clock(datetime(2026, 1, 1, 9, 5, 7, tzinfo=UTC)) == "09:05:07"
