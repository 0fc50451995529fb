"""The comparison of two releases: exact, indifferent to noise, and awake to a change."""

from __future__ import annotations

import math
from itertools import combinations
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.gates import Comparison
from pipeline.gates.load.measured import BLOCKS, Measured
from pipeline.gates.load.regression import growths, noise, p_value, regressions, suspected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


def _run(
    latency: Callable[[Random, int], float], seed: int, requests: int = 600, late: float = 0.1
) -> Measured:
    """A run of a service whose latencies in milliseconds are drawn for each block of time."""
    drawn = Random(seed)
    seen = Measured(10.0)
    for number in range(requests):
        due = 10 * number / requests
        seen.answered("read", due, latency(drawn, int(due * BLOCKS / 10)), None)
    seen.lateness.add(late)
    return seen


def _steady(scale: float, spread: float = 0.25) -> Callable[[Random, int], float]:
    return lambda drawn, _block: scale * drawn.lognormvariate(0, spread)


def _found(before: Measured, runs: Sequence[Measured], limits: Comparison) -> list[str]:
    found = regressions(growths(before, runs), limits)
    return [each.name for each in found if not each.is_hidden]


def _share_found(
    before: Callable[[Random, int], float],
    now: Callable[[Random, int], float],
    limits: Comparison,
    times: int = 40,
    **size: Any,
) -> float:
    """Of so many pairs of releases; the later one is measured three times."""
    found = 0
    for time in range(times):
        runs = [_run(now, 4 * time + run, **size) for run in (1, 2, 3)]
        found += bool(_found(_run(before, 4 * time, **size), runs, limits))
    return found / times


@pytest.fixture(scope="module")
def fine() -> Comparison:
    """As fine as docs/gates.md tells of."""
    return Comparison(false_alarm_share=0.01, min_growth=0.1, min_growth_ms=4)


# As docs/gates.md tells.
@pytest.mark.parametrize(
    ("p95", "late", "requests", "p95_over_p50", "least"),
    [
        (30, 1.5, 160, 1.5, 0.8),
        (30, 1.5, 600, 1.5, 0.9),
        (30, 1.5, 600, 2.1, 0.9),
        (100, 5.0, 600, 2.1, 0.9),
    ],
)
def test_a_p95_that_grew_by_30_percent_is_refused(
    fine: Comparison, p95: float, late: float, requests: int, p95_over_p50: float, least: float
) -> None:
    spread = math.log(p95_over_p50) / 1.645
    before, now = (_steady(by * p95 / p95_over_p50, spread) for by in (1.0, 1.3))
    assert _share_found(before, now, fine, requests=requests, late=late) >= least


def test_a_p95_that_doubled_is_found_in_a_run_of_four_seconds(fine: Comparison) -> None:
    before, now = _steady(10, 0.45), _steady(20, 0.45)
    assert _share_found(before, now, fine, requests=160, late=2.0) >= 0.9


def test_a_tail_that_grew_alone_is_refused(limits: Load) -> None:
    """One in ten takes twice as long: the median hardly moves."""

    def tail(drawn: Random, block: int) -> float:
        return (2 if drawn.random() < 0.1 else 1) * _steady(100)(drawn, block)

    assert _share_found(_steady(100), tail, limits.comparison) >= 0.9


@pytest.mark.parametrize(("scale", "requests"), [(5.0, 160), (20.0, 160), (100.0, 600)])
def test_the_same_service_is_refused_no_more_often_than_was_said(
    fine: Comparison, scale: float, requests: int
) -> None:
    same = _steady(scale, 0.45)
    assert _share_found(same, same, fine, 100, requests=requests) <= fine.false_alarm_share


@given(
    st.lists(st.sampled_from([1.0, 1.0, 1.5, 3.0, 10.0]), min_size=2, max_size=2),
    st.integers(0, 10_000),
)
def test_one_run_that_is_no_slower_clears_a_release(
    fine: Comparison, others: list[float], seed: int
) -> None:
    before = _run(_steady(20), seed)
    runs = [*(_run(_steady(20 * by), seed + 1) for by in others), before]
    assert not suspected(growths(before, runs), fine)


@given(st.floats(1.0, 4.0), st.floats(1.0, 20.0), st.integers(0, 10_000))
def test_what_the_machine_may_have_added_is_never_a_finding(
    fine: Comparison, by: float, late: float, seed: int
) -> None:
    before = _run(_steady(20), seed, requests=200)
    run = _run(_steady(20 * by), seed + 1, requests=200, late=late)
    for each in growths(before, [run]):
        if each.now[0] - each.before <= noise(run):
            assert not each.is_suspected(fine) or each.is_hidden
    assert noise(run) == pytest.approx(3 * late, rel=0.01)


def test_a_stall_of_the_machine_is_no_regression(limits: Load) -> None:
    """Three seconds of ten in each run, in which everything takes ten times as long."""

    def stalled(drawn: Random, block: int) -> float:
        return (10 if block in {3, 4, 5} else 1) * _steady(100)(drawn, block)

    assert _share_found(_steady(100), stalled, limits.comparison, 30) == 0


def test_seconds_that_are_alike_do_not_count_as_evidence_many_times(limits: Load) -> None:
    """Each second has a speed of its own; tests of single requests would be sure of a change."""

    def moody(seed: int) -> Callable[[Random, int], float]:
        moods = [Random(f"{seed} {block}").lognormvariate(0, 0.5) for block in range(BLOCKS)]
        return lambda drawn, block: moods[block] * _steady(100)(drawn, block)

    refused = 0
    for seed in range(100):
        runs = [_run(moody(seed + by), seed + by) for by in (1000, 2000, 3000)]
        refused += bool(_found(_run(moody(seed), seed), runs, limits.comparison))
    # One in a hundred was said; more than four happen once in three hundred such tests.
    assert refused <= 4


@pytest.mark.parametrize(("before", "now"), [(100, 110), (5, 10)])
def test_a_change_that_nobody_would_notice_is_no_regression(
    limits: Load, before: float, now: float
) -> None:
    """Certain as it is: by less than the share, and by less than the milliseconds."""
    found = growths(_run(_steady(before), 1, 20_000), [_run(_steady(now), 2, 20_000)])
    assert all(each.p_value < 0.001 for each in found)
    assert regressions(found, limits.comparison) == []


def test_a_faster_release_is_no_regression(limits: Load) -> None:
    found = growths(_run(_steady(200), 1), [_run(_steady(100), 2)])
    assert suspected(found, limits.comparison) == []


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

    found = growths(run(100, 1), [run(150, 2), run(150, 3)])
    assert {each.name for each in found} == {"all requests", "read", "write"}
    assert [each.name for each in regressions(found, limits.comparison)] == ["read"]
