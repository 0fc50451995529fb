"""Three objectives together share the false rollback rate, and 403s are detected."""

from __future__ import annotations

import pytest

from benchmarks.cells import PERIODS
from benchmarks.objectives import Scenario, healthy, play, tables


@pytest.mark.parametrize("incident", [False, True])
def test_equal_releases_are_rolled_back_at_most_at_the_promised_rate(
    incident: bool,
) -> None:
    result = play(Scenario(10, 0.1, 0.1, incident), 1000, seed=1)
    assert result.rolled_back <= 20  # 1 % of 1,000 is guaranteed: 21 or more has a chance of 0.1 %


def test_a_canary_that_answers_403_is_found_among_client_errors() -> None:
    result = play(Scenario(10, 0.1, 0.1, refused=0.5), 100, seed=1)
    assert result.rolled_back == 100
    assert result.minutes is not None
    assert result.minutes < 5 < PERIODS


def test_the_tables_have_a_row_for_each() -> None:
    results = [play(each, 10, seed=1) for each in healthy()[:2]]
    text = tables(results, results)
    assert text.count("\n") == 2 + 2 + 1 + 2 + 2 - 1
