"""The comparison of two releases: exact, robust to noise, and sensitive."""

from __future__ import annotations

import math
from itertools import product
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.gates import Comparison
from pipeline.gates.load.measurement import BLOCKS, Measurement
from pipeline.gates.load.regression import (
    RUNS,
    Pair,
    growths,
    is_blind,
    p_value,
    regressions,
    suspected,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Latency = Callable[[Random, int], float]
    """A latency in milliseconds, of a request in a block of time."""

FINE = Comparison(false_alarm_share=0.01, min_growth=0.1, min_growth_ms=1)


@given(st.lists(st.integers(-5, 5), max_size=8))
def test_the_p_value_is_the_share_of_all_permutations(excesses: list[int]) -> None:
    """Compared with the definition, by enumeration."""
    ways = [
        sum(sign * each for sign, each in zip(signs, excesses, strict=True))
        for signs in product((1, -1), repeat=len(excesses))
    ]
    share = sum(way >= sum(excesses) for way in ways) / len(ways)
    assert p_value(excesses) == pytest.approx(share)


def test_the_extreme_outcomes_have_the_extreme_p_values() -> None:
    assert p_value([1] * 20) == pytest.approx(2**-20)
    assert p_value([-1] * 20) == 1.0
    assert p_value([0] * 20) == 1.0


@given(st.lists(st.integers(-(10**9), 10**9), min_size=3 * BLOCKS, max_size=3 * BLOCKS))
def test_a_million_requests_are_computed_as_fast(excesses: list[int]) -> None:
    """These have as many sums as permutations; those of their 2000th part are few."""
    largest = sum(map(abs, excesses)) // 2000 or 1
    few = p_value([round(each / largest) for each in excesses])
    assert p_value(excesses) == pytest.approx(few, abs=0.05)


def _steady(scale: float, p95_over_p50: float = 1.6) -> Latency:
    spread = math.log(p95_over_p50) / 1.645
    return lambda drawn, _block: scale * drawn.lognormvariate(0, spread)


def _measured(latency: Latency, seed: str, requests: int) -> Measurement:
    drawn, seen = Random(seed), Measurement(10.0)
    for number in range(requests):
        due = 10 * number / requests
        name = ("list", "write", "write")[number % 10] if number % 10 < 3 else "read"
        seen.answered(name, due, latency(drawn, int(due * BLOCKS / 10)), None)
    return seen


def _pair(now: Latency, before: Latency, seed: str, requests: int = 160) -> Pair:
    return Pair(
        _measured(now, f"{seed} now", requests), _measured(before, f"{seed} before", requests)
    )


def _is_refused(
    now: Latency, before: Latency, seed: int, limits: Comparison = FINE, requests: int = 160
) -> bool:
    """Return the gate's decision after as many runs as it needs."""
    runs: list[Pair] = []
    while len(runs) < RUNS:
        runs.append(_pair(now, before, f"{seed} {len(runs)}", requests))
        found = growths(runs)
        if regressions(found, limits):
            return True
        if not suspected(found, limits):
            break
    return False


def _share_refused(now: Latency, before: Latency, times: int = 60, requests: int = 160) -> float:
    refused = (_is_refused(now, before, seed, requests=requests) for seed in range(times))
    return sum(refused) / times


# As in docs/gates.md.
@pytest.mark.parametrize(
    ("requests", "p95_over_p50", "least"), [(160, 1.5, 0.95), (160, 2.1, 0.9), (600, 2.1, 0.95)]
)
def test_a_release_that_takes_30_percent_longer_is_refused(
    requests: int, p95_over_p50: float, least: float
) -> None:
    before, now = (_steady(by * 10, p95_over_p50) for by in (1.0, 1.3))
    assert _share_refused(now, before, requests=requests) >= least


def test_a_slower_tail_with_an_unchanged_median_is_refused() -> None:
    """One in ten takes twice as long: the median hardly changes."""

    def tail(drawn: Random, block: int) -> float:
        return (2 if drawn.random() < 0.1 else 1) * _steady(20)(drawn, block)

    assert _share_refused(tail, _steady(20), requests=600) >= 0.9


@pytest.mark.parametrize("requests", [160, 600])
def test_an_unchanged_service_is_refused_no_more_often_than_documented(requests: int) -> None:
    same = _steady(20, 2.1)
    # The rate is 1 %; more than six of two hundred happen once in two hundred times.
    assert _share_refused(same, same, 200, requests) <= 0.03


@given(st.lists(st.floats(0.3, 30), min_size=BLOCKS, max_size=BLOCKS), st.integers(0, 10**6))
def test_noise_shared_by_both_sides_causes_no_repeated_refusal(
    moods: list[float], seed: int
) -> None:
    """Each block has its own speed, which both sides share."""

    def moody(drawn: Random, block: int) -> float:
        return moods[block] * _steady(20)(drawn, block)

    # The rate is 1 %, so that of two refusals in two attempts is one in ten thousand.
    assert not (_is_refused(moody, moody, seed) and _is_refused(moody, moody, seed + 1))


def test_a_slower_release_is_detected_on_a_noisy_machine() -> None:
    moods = [Random(block).lognormvariate(0, 0.7) for block in range(BLOCKS)]

    def takes(by: float) -> Latency:
        return lambda drawn, block: by * moods[block] * _steady(20)(drawn, block)

    assert _share_refused(takes(1.3), takes(1.0)) >= 0.9


def test_a_stall_on_one_side_counts_as_one_block() -> None:
    def stalled(drawn: Random, block: int) -> float:
        return (50 if block in {3, 4} else 1) * _steady(20)(drawn, block)

    assert _share_refused(stalled, _steady(20)) <= 0.05


@pytest.mark.parametrize(("before", "now"), [(100, 105), (5, 5.5)])
def test_a_change_below_the_thresholds_is_no_regression(before: float, now: float) -> None:
    """The difference is certain, but below the share and the milliseconds that count."""
    found = growths([_pair(_steady(now), _steady(before), "", 20_000)])
    assert all(each.p_value < 0.001 for each in found if each.name == "all requests")
    assert regressions(found, FINE) == []
    assert not suspected(found, FINE)


def test_a_faster_release_is_no_regression() -> None:
    found = growths([_pair(_steady(10), _steady(20), "")])
    assert regressions(found, FINE) == []
    assert not suspected(found, FINE)


def test_only_quantiles_with_enough_requests_are_compared() -> None:
    """There are 32 writes and 16 lists: too few for a p95."""
    found = growths([_pair(_steady(20), _steady(20), "")])
    assert {(each.name, each.quantile) for each in found} == {
        ("all requests", 0.5), ("all requests", 0.95), ("read", 0.5), ("read", 0.95),
        ("write", 0.5), ("list", 0.5),
    }  # fmt: skip


def test_one_kind_of_request_that_became_slower_is_named() -> None:
    """Reads became slower, but still faster than writes."""

    def run(reads: float, seed: int) -> Measurement:
        drawn, seen = Random(seed), Measurement(10.0)
        for number in range(1000):
            name, scale = ("write", 500.0) if number % 5 == 0 else ("read", reads)
            seen.answered(name, number / 100, _steady(scale)(drawn, 0), None)
        return seen

    found = growths([Pair(run(130, 1), run(100, 2))])
    assert {each.name for each in regressions(found, FINE)} == {"all requests", "read"}
    assert all(each.quantile == 0.5 for each in found if each.name == "list")


def test_a_kind_of_request_answered_by_one_side_only_is_not_compared() -> None:
    pair = _pair(_steady(20), _steady(20), "")
    for number in range(200):
        pair.release.answered("unanswered", number / 20, 5000.0, "no answer")
    assert "unanswered" not in {each.name for each in growths([pair])}


def test_runs_are_pooled() -> None:
    runs = [_pair(_steady(24), _steady(20), f"{number}") for number in range(RUNS)]
    alone, together = (min(each.p_value for each in growths(some)) for some in (runs[:1], runs))
    assert together < alone


def test_enough_requests_have_sufficient_power() -> None:
    assert not is_blind([_pair(_steady(20, 2.5), _steady(20, 2.5), "")], FINE)


def test_few_requests_or_pure_noise_have_insufficient_power() -> None:
    assert is_blind([_pair(_steady(20), _steady(20), "", 8)], FINE)
    assert is_blind([Pair(Measurement(1.0), Measurement(1.0))], FINE)

    def noise(drawn: Random, _block: int) -> float:
        return math.exp(drawn.uniform(0, 20))

    assert is_blind([_pair(noise, noise, "")], FINE)
