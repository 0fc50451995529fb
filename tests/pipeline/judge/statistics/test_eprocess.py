from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.judge.statistics.bets import start_share, waiting
from pipeline.judge.statistics.eprocess import LateBets, WholeBets, log_sum

nats = st.floats(-50, 50)


@given(st.lists(nats, min_size=1, max_size=30), st.randoms())
def test_the_product_is_invariant_to_the_order_of_periods(
    log_e: list[float], random: object
) -> None:
    forth, back = WholeBets([-1.0]), WholeBets([-1.0])
    for each in log_e:
        forth.settle([each])
    for each in sorted(log_e):
        back.settle([each])
    assert forth.logs == back.logs


def test_ten_thousand_periods_lose_nothing() -> None:
    bets = WholeBets([0.0])
    each = 1e-7 / 3  # between two units
    for _ in range(10_000):
        bets.settle([each])
        bets.settle([-each / 3])
    exact = math.fsum([each, -each / 3] * 10_000)
    assert bets.logs[0] == pytest.approx(exact, abs=2e-14)
    assert bets.logs[0] <= exact  # rounded down, never up


@given(st.lists(nats, min_size=1, max_size=12))
def test_the_late_bets_sum_over_all_start_periods(log_e: list[float]) -> None:
    bets = LateBets([math.log(0.5)])
    for each in log_e:
        bets.begin()
        bets.settle([each])
    beginnings = [
        math.log(start_share(s) * 0.5) + math.fsum(log_e[s - 1 :]) for s in range(1, len(log_e) + 1)
    ]
    assert bets.logs[0] == pytest.approx(log_sum(beginnings), abs=1e-12)
    assert bets.log_waiting == pytest.approx(math.log(waiting(len(log_e))))


def test_the_weights_of_all_start_periods_sum_to_one() -> None:
    for periods in (0, 1, 30, 10_000):
        begun = math.fsum(start_share(s) for s in range(1, periods + 1))
        assert begun + waiting(periods) == pytest.approx(1, abs=1e-12)


def test_sums_of_logarithms_neither_over_nor_underflow() -> None:
    assert log_sum([1000.0, 1000.0]) == pytest.approx(1000 + math.log(2))
    assert log_sum([-1000.0, -1000.0]) == pytest.approx(-1000 + math.log(2))
    assert log_sum([-math.inf, 0.0]) == 0
    assert log_sum([-math.inf, -math.inf]) == -math.inf
