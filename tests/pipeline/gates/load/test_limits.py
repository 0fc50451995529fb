from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.gates import Comparison, Load
from pipeline.gates.gate import CouldNotRunError
from pipeline.gates.load.limits import attend, details, refusal, summary
from pipeline.gates.load.measured import Measured
from pipeline.gates.load.plan import Plan

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
    *, slow: tuple[int, float] = (0, 0.0), failed: int = 0, cold: int = 0, late: float = 1.0
) -> Measured:
    """200 requests of 20 ms, so many of them slower, failed or cold."""
    seen = Measured(5.0)
    for number in range(200):
        latency, due = slow[1] if number < slow[0] else 20.0, number / 50
        failure = "status 503" if number < failed else None
        seen.answered("read", due, latency, failure, cold=number >= 200 - cold)
        seen.lateness.add(late)
    return seen


def test_within_every_limit_nothing_is_crossed() -> None:
    seen = _seen(slow=(1, 900.0), failed=2, cold=10)
    attend(seen, PLAN)
    assert refusal(seen, LIMITS) is None
    assert summary(seen) == (
        "200 requests at 40/s, 2 failed, 10 met a cold start, p50 20 ms, p95 20 ms, p99 20 ms"
    )


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (_seen(slow=(101, 110.0)), "p50 is 110 ms, allowed 100 ms"),
        (_seen(slow=(11, 260.0)), "p95 is 259 ms, allowed 250 ms"),
        (_seen(slow=(3, 1100.0)), "p99 is 1097 ms, allowed 1000 ms"),
        (_seen(failed=3), "the share of failures is 1.50%, allowed 1.00% (3 status 503)"),
        (_seen(cold=11), "the share of cold starts is 5.50%, allowed 5.00%"),
        (
            _seen(slow=(11, 260.0), failed=3),
            "p95 is 259 ms, allowed 250 ms; "
            "the share of failures is 1.50%, allowed 1.00% (3 status 503)",
        ),
    ],
)
def test_what_was_crossed_is_named(seen: Measured, sentence: str) -> None:
    attend(seen, PLAN)
    assert refusal(seen, LIMITS) == sentence


def test_what_waited_for_a_sandbox_says_nothing_of_the_code() -> None:
    seen = _seen()
    for number in range(10):
        seen.answered("read", number / 2, 3000.0, None, cold=True)
    assert refusal(seen, LIMITS) is None
    seen.answered("read", 1.0, 3000.0, None, cold=True)
    assert refusal(seen, LIMITS) == "the share of cold starts is 5.21%, allowed 5.00%"


def test_a_service_that_falls_behind_has_too_little_throughput() -> None:
    seen = Measured(5.0)
    for number in range(200):  # it answers 35 a second
        due = number / 40
        seen.answered("read", due, 1000 * max(number / 35 - due, 0.01), None)
    assert refusal(seen, LIMITS) == (
        "p50 is 353 ms, allowed 100 ms; p95 is 674 ms, allowed 250 ms; "
        "35.2 good answers a second, at least 36"
    )


@given(
    st.integers(0, 200), st.floats(20, 3000), st.integers(0, 20), st.integers(0, 20),
    st.integers(0, 50), st.floats(1, 1000),
)  # fmt: skip
def test_what_is_worse_never_fares_better(
    slow: int, latency: float, failed: int, cold: int, more: int, slower: float
) -> None:
    better = _seen(slow=(slow, latency), failed=failed, cold=cold)
    worse = _seen(
        slow=(min(200, slow + more), latency + slower), failed=failed + more, cold=cold + more
    )
    if refusal(better, LIMITS):
        assert refusal(worse, LIMITS)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda seen: seen.errors.update({"KeyError: 'a'": 3}), "profile itself failed 3 times"),
        (lambda seen: seen.latencies["read"][0].counts.clear(), "187 of 200 requests are account"),
    ],
)
def test_what_was_not_done_as_planned_is_no_verdict(
    spoil: Callable[[Measured], None], sentence: str
) -> None:
    seen = _seen()
    attend(seen, PLAN)
    spoil(seen)
    with pytest.raises(CouldNotRunError, match=sentence):
        attend(seen, PLAN)


def _busy(seen: Measured) -> Measured:
    seen.busy = 0.95
    return seen


@pytest.mark.parametrize(
    "seen",
    [
        _seen(slow=(11, 260.0), late=10.0),  # 10 ms on the way out, and as much on the way back
        _busy(_seen(slow=(11, 2600.0))),
        _seen(failed=200, late=600.0),  # later than the limit for p99: answers may have come
    ],
)
def test_a_limit_that_the_generator_may_have_crossed_is_no_verdict(seen: Measured) -> None:
    with pytest.raises(CouldNotRunError, match=r"^could not measure: .*; but up to "):
        refusal(seen, LIMITS)


@pytest.mark.parametrize("seen", [_seen(late=50.0), _busy(_seen(late=50.0))])
def test_what_was_fast_enough_all_the_same_has_passed(seen: Measured) -> None:
    assert refusal(seen, LIMITS) is None


@pytest.mark.parametrize("seen", [_seen(slow=(11, 500.0), late=50.0), _seen(failed=3, late=50.0)])
def test_what_the_generator_cannot_have_done_is_refused(seen: Measured) -> None:
    assert refusal(seen, LIMITS)


def test_the_report_has_each_names_own_latencies() -> None:
    seen = _seen(failed=1, cold=2)
    seen.answered("write", 1.0, 80.0, None)
    found = details(seen)
    assert (found["requests"], found["failures"]) == (201, {"status 503": 1})
    assert found["cold_starts"] == {"requests": 2, "p95_ms": pytest.approx(20, rel=0.01)}
    assert set(found["latencies_ms"]) == {"all requests", "read", "write"}
    assert found["latencies_ms"]["write"]["p95"] == pytest.approx(80, rel=0.01)
