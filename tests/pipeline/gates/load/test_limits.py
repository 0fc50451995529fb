from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.gates import Comparison, Load
from pipeline.gates.load.limits import (
    attributed,
    exceeded_in_every_run,
    is_generator_starved,
    require_all_requests,
)
from pipeline.gates.load.measurement import NO_ANSWER, Measurement
from pipeline.gates.load.plan import Plan
from pipeline.gates.load.regression import Pair
from pipeline.gates.load.summary import details, summary
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = Load(
    users=10,
    seconds=5,
    warm_up_seconds=1,
    requests_per_second=40,
    min_throughput=36,
    max_failure_share=0.01,
    max_cold_share=0.05,
    max_p50_ms=100,
    max_p95_ms=250,
    max_p99_ms=1000,
    comparison=Comparison(false_alarm_share=0.01, min_growth=0.15, min_growth_ms=50),
)
PLAN = Plan.of(LIMITS)


def _seen(
    *,
    slow: tuple[int, float] = (0, 0.0),
    failed: int = 0,
    cold: int = 0,
    late: float = 1.0,
    reason: str = "status 503",
) -> Measurement:
    """Return 200 requests of 20 ms; some are slow, failed or met a cold start.

    The slow and the cold ones are spread over the run.
    """
    seen = Measurement(5.0)
    for number in range(200):
        place = number * 77 % 200  # each once, and neighbours far apart
        latency = slow[1] if place < slow[0] else 20.0
        failure = reason if place < failed else None
        seen.answered("read", number / 50, latency, failure, cold=place >= 200 - cold)
        seen.lateness.add(late)
    return seen


def _crossed(*runs: Measurement) -> list[str]:
    return [measured[-1].sentence for measured in exceeded_in_every_run(runs, LIMITS)]


def test_within_every_limit_nothing_is_crossed() -> None:
    seen = _seen(slow=(1, 900.0), failed=2, cold=10)
    require_all_requests(seen, PLAN)
    assert _crossed(seen) == []
    assert summary(seen) == (
        "200 requests at 40/s, 2 failed, 10 met a cold start, p50 20 ms, p95 20 ms, p99 20 ms"
    )


@pytest.mark.parametrize(
    ("seen", "sentences"),
    [
        (_seen(slow=(101, 110.0)), ["p50 is 110 ms, allowed 100 ms"]),
        (_seen(slow=(11, 260.0)), ["p95 is 259 ms, allowed 250 ms"]),
        (_seen(slow=(3, 1100.0)), ["p99 is 1097 ms, allowed 1000 ms"]),
        (_seen(cold=11), ["the share of cold starts is 5.50%, allowed 5.00%"]),
        (
            _seen(slow=(101, 260.0)),
            ["p50 is 259 ms, allowed 100 ms", "p95 is 259 ms, allowed 250 ms"],
        ),
    ],
)
def test_a_crossed_limit_is_named(seen: Measurement, sentences: list[str]) -> None:
    require_all_requests(seen, PLAN)
    assert _crossed(seen) == sentences


def test_errors_refuse_and_do_not_depend_on_the_machine() -> None:
    seen = _with(_seen(failed=3), stalled=0.9)
    assert _crossed(seen) == ["the share of failures is 1.50%, allowed 1.00% (3 status 503)"]


def test_a_missing_response_counts_as_slow_and_not_as_an_error() -> None:
    seen = _seen(slow=(30, 12_000.0), failed=30, reason=NO_ANSWER)
    assert _crossed(seen) == [
        "p95 is 11946 ms, allowed 250 ms",
        "p99 is 11946 ms, allowed 1000 ms",
        "34.0 good answers a second, at least 36",
    ]


def test_cold_starts_do_not_count_against_the_latency_limits() -> None:
    seen = _seen()
    for number in range(10):
        seen.answered("read", number / 2, 3000.0, None, cold=True)
    assert _crossed(seen) == []
    seen.answered("read", 1.0, 3000.0, None, cold=True)
    assert _crossed(seen) == ["the share of cold starts is 5.21%, allowed 5.00%"]


def test_a_service_that_falls_behind_has_too_little_throughput() -> None:
    seen = Measurement(5.0)
    for number in range(200):  # it completes 35 requests per second
        due = number / 40
        seen.answered("read", due, 1000 * max(number / 35 - due, 0.01), None)
    assert _crossed(seen) == [
        "p50 is 353 ms, allowed 100 ms",
        "p95 is 674 ms, allowed 250 ms",
        "35.2 good answers a second, at least 36",
    ]


def test_one_run_within_a_limit_passes_it() -> None:
    slow, slower, fast = _seen(slow=(30, 400.0)), _seen(slow=(120, 500.0)), _seen()
    assert _crossed(slow, slower) == ["p95 is 500 ms, allowed 250 ms"]
    assert _crossed(slow, fast, slower) == []


@given(
    st.integers(0, 200), st.floats(20, 3000), st.integers(0, 20), st.integers(0, 20),
    st.integers(0, 50), st.floats(1, 1000),
)  # fmt: skip
def test_a_worse_run_never_gets_a_better_result(
    slow: int, latency: float, failed: int, cold: int, more: int, slower: float
) -> None:
    better = _seen(slow=(slow, latency), failed=failed, cold=cold)
    worse = _seen(
        slow=(min(200, slow + more), latency + slower), failed=failed + more, cold=cold + more
    )
    if _crossed(better):
        assert _crossed(worse)


def _blamed(*runs: tuple[Measurement, Measurement], is_slower: bool = False) -> list[str]:
    found = attributed([Pair(*each) for each in runs], LIMITS, is_slower=is_slower)
    return [each.rule for each in found]


@pytest.mark.parametrize("slow", [(30, 400.0), (101, 120.0), (200, 9000.0)])
def test_a_limit_crossed_by_both_releases_is_blamed_on_the_machine(
    slow: tuple[int, float],
) -> None:
    seen = _seen(slow=slow)
    assert _crossed(seen)
    assert _blamed((seen, seen)) == _blamed((seen, seen), (seen, seen), (seen, seen)) == []


def test_a_limit_crossed_only_by_the_release_is_its_fault() -> None:
    assert _blamed((_seen(slow=(30, 400.0)), _seen())) == ["p95-limit"]
    assert _blamed((_seen(cold=40), _seen())) == ["cold-starts-limit"]
    assert _blamed((_seen(failed=40), _seen())) == ["failures-limit", "throughput-limit"]
    no_answer = _seen(slow=(30, 12_000.0), failed=30, reason=NO_ANSWER)
    assert _blamed((no_answer, _seen())) == ["p95-limit", "p99-limit", "throughput-limit"]


def test_a_few_more_slow_requests_need_more_runs_to_count() -> None:
    run = (_seen(slow=(4, 1500.0)), _seen(slow=(1, 1500.0)))
    assert _crossed(run[0]) == ["p99 is 1493 ms, allowed 1000 ms"]
    assert _blamed(run) == []
    assert _blamed((_seen(slow=(6, 1500.0)), _seen()), (_seen(slow=(7, 1500.0)), _seen())) == [
        "p99-limit"
    ]


def test_a_release_proved_slower_is_refused_for_crossed_limits() -> None:
    seen = _seen(slow=(101, 120.0))
    assert _blamed((seen, seen), is_slower=True) == ["p50-limit"]


@given(st.integers(0, 200), st.floats(20, 3000), st.integers(0, 20))
def test_no_release_is_blamed_for_what_an_identical_one_did(
    slow: int, latency: float, cold: int
) -> None:
    seen = _seen(slow=(slow, latency), cold=cold)
    assert _blamed((seen, seen)) == []


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda seen: seen.errors.update({"KeyError: 'a'": 3}), "profile itself failed 3 times"),
        (lambda seen: seen.latencies["read"][0].counts.clear(), "187 of 200 requests were counted"),
    ],
)
def test_a_run_that_deviates_from_its_plan_has_no_verdict(
    spoil: Callable[[Measurement], None], sentence: str
) -> None:
    seen = _seen()
    require_all_requests(seen, PLAN)
    spoil(seen)
    with pytest.raises(CouldNotRunError, match=sentence):
        require_all_requests(seen, PLAN)


def _with(seen: Measurement, **of_the_generator: float) -> Measurement:
    for name, value in of_the_generator.items():
        setattr(seen, name, value)
    return seen


@pytest.mark.parametrize(
    ("seen", "starved"),
    [
        (_seen(slow=(11, 500.0)), False),
        (_seen(slow=(11, 260.0), late=10.0), True),  # 10 ms on the way out, and as much back
        (_seen(slow=(11, 500.0), late=50.0), False),
        (_seen(slow=(200, 9000.0), late=600.0), True),
        (_with(_seen(slow=(11, 500.0)), busy=0.95), True),
        (_with(_seen(slow=(11, 500.0)), stalled=0.2), False),
        (_with(_seen(slow=(11, 500.0)), stalled=0.4), True),
    ],
)
def test_a_generator_without_cpu_time_could_not_measure(seen: Measurement, starved: bool) -> None:
    assert _crossed(seen)
    assert is_generator_starved(seen, LIMITS) == starved


def test_the_report_has_the_latencies_of_each_request_name() -> None:
    seen = _seen(failed=1, cold=2)
    seen.answered("write", 1.0, 80.0, None)
    found = details(seen)
    assert (found["requests"], found["failures"]) == (201, {"status 503": 1})
    assert found["cold_starts"] == {"requests": 2, "p95_ms": pytest.approx(20, rel=0.01)}
    assert set(found["latencies_ms"]) == {"all requests", "read", "write"}
    assert found["latencies_ms"]["write"]["p95"] == pytest.approx(80, rel=0.01)
