"""The comparison of two releases: exact, indifferent to noise, and awake to a change."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gates.load.measured import BLOCKS, Measured
from pipeline.gates.load.regression import growths, p_value, regressions

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments.gates import Load

_P95S = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@given(_P95S, _P95S)
def test_the_probability_is_the_share_of_all_ways_to_choose(
    before: list[int], now: list[int]
) -> None:
    """Against the definition, by looking at each way."""
    pooled = [*before, *now]
    ranks = [
        sum(other < each for other in pooled) + (pooled.count(each) + 1) / 2 for each in pooled
    ]
    seen = sum(ranks[len(before) :])
    ways = [sum(ranks[index] for index in way) for way in _ways(len(pooled), len(now))]
    assert p_value(before, now) == pytest.approx(sum(way >= seen for way in ways) / len(ways))


def _ways(of: int, choose: int) -> list[tuple[int, ...]]:
    return list(combinations(range(of), choose))


def test_the_best_and_the_worst() -> None:
    low, high = list(range(10)), list(range(10, 20))
    assert p_value(low, high) == pytest.approx(1 / 184_756)
    assert p_value(high, low) == 1.0
    assert p_value([7.0] * 10, [7.0] * 10) == 1.0


def _run(latency: Callable[[Random, int], float], seed: int, requests: int = 600) -> Measured:
    """A run of a service whose latencies in milliseconds are drawn for each block of time."""
    drawn = Random(seed)
    seen = Measured(10.0)
    for number in range(requests):
        due = 10 * number / requests
        seen.answered("read", due, latency(drawn, int(due * BLOCKS / 10)), None)
    return seen


def _steady(scale: float) -> Callable[[Random, int], float]:
    return lambda drawn, _block: scale * drawn.lognormvariate(0, 0.25)


def _refused(before: Measured, now: Measured, limits: Load) -> bool:
    return bool(regressions(growths(before, now), limits.comparison))


def test_a_p95_that_grew_by_a_third_is_refused(limits: Load) -> None:
    refused = [
        _refused(_run(_steady(100), seed), _run(_steady(130), 1000 + seed), limits)
        for seed in range(40)
    ]
    assert sum(refused) >= 38


def test_a_tail_that_grew_alone_is_refused(limits: Load) -> None:
    """One in ten takes twice as long: the median hardly moves."""

    def tail(drawn: Random, block: int) -> float:
        return (2 if drawn.random() < 0.1 else 1) * _steady(100)(drawn, block)

    refused = [
        _refused(_run(_steady(100), seed), _run(tail, 1000 + seed), limits) for seed in range(40)
    ]
    assert sum(refused) >= 36


@pytest.mark.parametrize("scale", [5.0, 100.0])
def test_the_same_service_is_refused_no_more_often_than_was_said(
    limits: Load, scale: float
) -> None:
    refused = [
        _refused(_run(_steady(scale), seed), _run(_steady(scale), 1000 + seed), limits)
        for seed in range(100)
    ]
    assert sum(refused) <= 100 * limits.comparison.false_alarm_share


def test_a_stall_of_the_machine_is_no_regression(limits: Load) -> None:
    """Three seconds of ten, in which everything takes ten times as long."""

    def stalled(drawn: Random, block: int) -> float:
        return (10 if block in {3, 4, 5} else 1) * _steady(100)(drawn, block)

    for seed in range(30):
        assert not _refused(_run(_steady(100), seed), _run(stalled, 1000 + seed), limits)


def test_seconds_that_are_alike_do_not_count_as_evidence_many_times(limits: Load) -> None:
    """Each second has a speed of its own; tests of single requests would be sure of a change."""

    def moody(seed: int) -> Callable[[Random, int], float]:
        moods = [Random(f"{seed} {block}").lognormvariate(0, 0.5) for block in range(BLOCKS)]
        return lambda drawn, block: moods[block] * _steady(100)(drawn, block)

    refused = [
        _refused(_run(moody(seed), seed), _run(moody(1000 + seed), 1000 + seed), limits)
        for seed in range(100)
    ]
    # One in a hundred was said; more than four happen once in three hundred such tests.
    assert sum(refused) <= 4


@pytest.mark.parametrize(("before", "now"), [(100, 110), (5, 10)])
def test_a_change_that_nobody_would_notice_is_no_regression(
    limits: Load, before: float, now: float
) -> None:
    """Certain as it is: by less than the share, and by less than the milliseconds."""
    found = growths(_run(_steady(before), 1, 20_000), _run(_steady(now), 2, 20_000))
    assert all(each.p_value < 0.001 for each in found)
    assert regressions(found, limits.comparison) == []


def test_a_faster_release_is_no_regression(limits: Load) -> None:
    assert not _refused(_run(_steady(200), 1), _run(_steady(100), 2), limits)


def test_requests_of_one_name_are_compared_where_there_are_enough(limits: Load) -> None:
    """Reads that became slower, below writes that take longer anyway."""

    def run(reads: float, seed: int) -> Measured:
        drawn, seen = Random(seed), Measured(10.0)
        for number in range(1000):
            name, scale = ("write", 500.0) if number % 5 == 0 else ("read", reads)
            seen.answered(name, number / 100, _steady(scale)(drawn, 0), None)
        for number in range(40):  # four in each block say nothing
            seen.answered("list", number / 4, 1.0, None)
        return seen

    found = growths(run(100, 1), run(150, 2))
    assert {each.name for each in found} == {"all requests", "read", "write"}
    assert [each.name for each in regressions(found, limits.comparison)] == ["read"]
