"""One evaluation of a release in a fake world: its minutes, and missing data."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.judge import evaluation
from pipeline.judge.evaluation import evaluate
from pipeline.judge.port import Deployment, EvaluationError, StageCounts, VersionCounts
from pipeline.judge.statistics.judging import judge as judged_again
from pipeline.judge.statistics.record import read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.judge.settings import Settings
    from pipeline.judge.statistics.judging import Judged
    from pipeline.judge.statistics.periods import Parameters, Period
    from pipeline.judge.statistics.record import Record

    Judge = Callable[..., Settings]

BAD = ((8, 4), (72, 0))
HEALTHY = ((8, 0), (72, 0))
BUSY = (VersionCounts(600, 3, 6, 0, 600, 0), VersionCounts(5400, 27, 54, 0, 5400, 0))


def _starts(record: Record | None) -> list[str]:
    assert record is not None
    return [f"{each.start:%H:%M}" for each in record.periods]


def test_without_a_deployment_only_the_heartbeat_is_published(world: Any, judge: Judge) -> None:
    world.deployment_, world.versions = None, ("2",)
    seen = evaluate(world, judge())
    assert (seen.record, seen.stops) == (None, False)
    ((metric,),) = world.published
    assert (metric.name, metric.value, metric.version) == ("Heartbeat", 1.0, None)
    assert not world.asked
    assert not world.records


def test_before_the_first_shift_and_long_after_the_end_there_is_nothing_to_judge(
    world: Any, judge: Judge
) -> None:
    world.versions = ("2",)
    world.deployment_ = replace(world.deployment_, began=None)
    assert evaluate(world, judge()).record is None
    world.deployment_ = Deployment("d-1", "2", "3", world.now, "succeeded", world.now, "")
    world.now = world.after(11)
    assert evaluate(world, judge()).record is None
    assert world.published_values("Heartbeat") == [1, 1]


def test_two_served_versions_without_a_deployment_are_not_ignored(world: Any, judge: Judge) -> None:
    world.deployment_ = None
    with pytest.raises(
        EvaluationError, match="versions 2 and 3, but deployment group group has no deployment"
    ):
        evaluate(world, judge())
    assert not world.published


def test_a_minute_is_judged_when_it_is_closed_and_settled(world: Any, judge: Judge) -> None:
    world.fill(*BUSY)
    judged = []
    for seconds in (120, 179, 180, 239, 240):
        world.now = world.after(seconds / 60)
        judged.append(_starts(evaluate(world, judge()).record))
    assert judged == [[], [], ["12:01"], ["12:01"], ["12:01", "12:02"]]
    assert world.published_values("Heartbeat") == [1] * 5


def test_a_bad_canary_stays_condemned(world: Any, judge: Judge) -> None:
    world.fill(*BAD)
    world.now = world.after(4)
    seen = evaluate(world, judge())
    assert seen.stops
    assert seen.record is not None
    assert seen.record.verdict == "rollback"
    assert world.published_values("Evidence")[-1] >= 2
    world.fill((800, 0), (7200, 72), range(3, 12))
    world.now = world.after(9)
    seen = evaluate(world, judge())
    assert seen.record is not None
    assert seen.record.evidence[-1] < 2
    assert seen.record.verdict == "rollback"
    assert world.published_values("Evidence")[-1] >= 2
    kept = read(world.records["d-1"])
    assert judged_again(kept.parameters, kept.periods).evidence == kept.evidence
    assert kept == seen.record


def test_an_update_of_the_judge_does_not_withdraw_a_rollback(
    world: Any, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fill(*BAD)
    world.now = world.after(4)
    before = evaluate(world, judge()).record
    assert before is not None
    assert before.verdict == "rollback"

    def lenient(parameters: Parameters, periods: Sequence[Period], **more: bool) -> Judged:
        return judged_again(replace(parameters, tolerance=900.0, harmful=950.0), periods, **more)

    monkeypatch.setattr(evaluation, "judge", lenient)
    world.now = world.after(5)
    seen = evaluate(world, judge())
    assert seen.record is not None
    assert seen.stops
    assert (seen.record.verdict, seen.record.decided_at) == ("rollback", before.decided_at)
    assert seen.record.evidence[: len(before.evidence)] == before.evidence
    assert world.published_values("Evidence")[-1] >= 2


def test_crashes_count_as_failures_without_the_services_metrics(world: Any, judge: Judge) -> None:
    crashing = VersionCounts(requests=4, failures=0, slow=0, cold_starts=0, invocations=8, errors=4)
    world.fill(crashing, (72, 0))
    world.now = world.after(5)
    seen = evaluate(world, judge())
    assert seen.record is not None
    assert seen.record.verdict == "rollback"
    counts = seen.record.periods[0].counts["failures"].canary
    assert (counts.requests, counts.failures) == (8, 4)


def test_crashes_are_a_share_of_lambdas_invocations_if_log_lines_are_missing(
    world: Any, judge: Judge
) -> None:
    """Up to a tenth of a minute's lines may be: then the minute is judged without them."""
    world.fill(VersionCounts(72, 0, 0, 0, 80, errors=2), (720, 0))
    world.now = world.after(3)
    seen = evaluate(world, judge())
    assert seen.record is not None
    (period,) = seen.record.periods
    counts = period.counts["failures"].canary
    assert (counts.requests, counts.failures) == (80, 2)


@pytest.mark.parametrize(("warm_ups", "counted"), [(None, 5), (6, 2)])
def test_the_first_requests_of_sandboxes_are_neither_slow_nor_fast(
    world: Any, judge: Judge, warm_ups: int | None, counted: int
) -> None:
    canary = VersionCounts(8, 0, 1, cold_starts=3, invocations=8, errors=0, warm_ups=warm_ups)
    world.fill(canary, (72, 0))
    world.now = world.after(3)
    seen = evaluate(world, judge())
    assert seen.record is not None
    (period,) = seen.record.periods
    assert period.cold_starts == (3, 0)
    slow = period.counts["slow-requests"].canary
    assert (slow.requests, slow.failures) == (counted, 1)
    assert period.counts["failures"].canary.requests == 8


@pytest.mark.parametrize(
    "part",
    [
        "serving",
        "newest_deployment",
        "digest",
        "version_counts",
        "stage_counts",
        "read_record",
        "condemn",
        "write_record",
    ],
)
def test_an_error_of_aws_publishes_nothing(world: Any, judge: Judge, part: str) -> None:
    world.fill(*BAD)
    world.now = world.after(6)
    world.failing = {part}
    with pytest.raises(EvaluationError, match=part):
        evaluate(world, judge())
    assert not world.published


def test_unpublished_metrics_are_published_at_the_next_evaluation(world: Any, judge: Judge) -> None:
    world.fill(*BAD)
    world.now = world.after(6)
    world.failing = {"publish"}
    with pytest.raises(EvaluationError, match="publish"):
        evaluate(world, judge())
    world.failing = set()
    assert evaluate(world, judge()).stops
    assert world.published_values("Evidence")[-1] >= 2


def test_the_judge_waits_for_counts_that_lag_behind_lambdas(world: Any, judge: Judge) -> None:
    world.fill(*HEALTHY)
    world.minutes[2] = {
        "2": VersionCounts(72, 0, 0, 0, 72, 0),
        "3": VersionCounts(4, 0, 0, 0, 8, 0),
    }
    world.now = world.after(5)
    assert evaluate(world, judge()).waiting == (world.after(2),)
    assert len(world.published_values("Evidence")) == 1
    assert _starts(read(world.records["d-1"])) == ["12:01", "12:03"]
    world.fill(*HEALTHY)
    seen = evaluate(world, judge())
    assert (_starts(seen.record), seen.waiting) == (["12:01", "12:03", "12:02"], ())
    # A waiting judge is not a silent one.
    assert world.published_values("Heartbeat") == [1, 1]


def test_the_judge_does_not_wait_for_a_request_at_the_edge_of_a_minute(
    world: Any, judge: Judge
) -> None:
    world.fill(VersionCounts(6, 0, 0, 0, 8, 0), VersionCounts(64, 0, 0, 0, 72, 0))
    world.now = world.after(3)
    assert _starts(evaluate(world, judge()).record) == ["12:01"]


def test_a_request_with_a_cold_start_is_counted_later(world: Any, judge: Judge) -> None:
    world.fill(*HEALTHY)
    world.minutes[1] = {
        "2": VersionCounts(72, 0, 0, 0, 72, 0),
        "3": VersionCounts(2, 0, 0, 0, 8, 0),
    }
    world.now = world.after(3.5)
    assert evaluate(world, judge()).waiting == (world.after(1),)
    world.minutes[2] = {
        "2": VersionCounts(72, 0, 0, 0, 72, 0),
        "3": VersionCounts(12, 0, 0, 4, 8, 0),
    }
    assert _starts(evaluate(world, judge()).record) == ["12:01"]


def test_a_service_without_any_metrics_does_not_count_as_no_traffic(
    world: Any, judge: Judge
) -> None:
    world.fill(VersionCounts(0, 0, 0, 0, 8, 0), VersionCounts(0, 0, 0, 0, 72, 0))
    world.now = world.after(4)
    assert evaluate(world, judge()).waiting == (world.after(1), world.after(2))
    world.now = world.after(7)
    seen = evaluate(world, judge())
    assert seen.stops
    assert seen.record is not None
    assert (seen.record.verdict, seen.record.periods) == ("inconsistent", ())
    assert "version 3 reports 0 requests, but Lambda counts 16 " in seen.record.sentence


def test_a_minute_without_requests_is_queried_again(world: Any, judge: Judge) -> None:
    world.now = world.after(5)
    seen = evaluate(world, judge())
    assert seen.record is not None
    assert (seen.record.periods, seen.record.verdict) == ((), "undecided")
    assert not seen.stops
    assert world.published_values("Heartbeat") == [1]
    assert world.published_values("Evidence") == [0]
    world.fill(*HEALTHY)
    assert _starts(evaluate(world, judge()).record) == ["12:01", "12:02", "12:03"]


def test_judged_minutes_are_not_read_again(world: Any, judge: Judge) -> None:
    world.fill(*HEALTHY)
    world.now = world.after(5)
    before = evaluate(world, judge()).record
    world.fill(*BAD)
    assert evaluate(world, judge()).record == before


def test_a_clock_that_goes_backwards_publishes_nothing(world: Any, judge: Judge) -> None:
    world.fill(*HEALTHY)
    world.now = world.after(6)
    evaluate(world, judge())
    world.now = world.after(4.5)
    with pytest.raises(EvaluationError, match="the clock went backwards"):
        evaluate(world, judge())
    assert world.published_values("Heartbeat") == [1]


def test_an_unreadable_record_publishes_nothing(world: Any, judge: Judge) -> None:
    world.records["d-1"] = "{"
    with pytest.raises(ValueError, match="no JSON"):
        evaluate(world, judge())
    assert not world.published


@given(looks=st.sets(st.integers(2, 25)), delay=st.integers(0, 59))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_record_does_not_depend_on_when_the_judge_runs(
    worlds: Callable[[], Any], judge: Judge, looks: set[int], delay: int
) -> None:
    """Late, missed or repeated evaluations end with the record of a single one."""
    records = []
    for minutes in (sorted(looks), []):
        world = worlds()
        world.fill(*BUSY)
        for minute in [*minutes, 26]:
            world.now = world.after(minute) + timedelta(seconds=delay)
            evaluate(world, judge())
        records.append(world.records["d-1"])
    assert records[0] == records[1]


@pytest.mark.parametrize(("policy", "raised"), [("promote", [0, 0, 0]), ("rollback", [0, 0, 1])])
def test_undecided_near_the_end(world: Any, judge: Judge, policy: str, raised: list[float]) -> None:
    world.fill(*HEALTHY)
    stops = []
    for minutes in (5, 7.4, 7.6):  # the shift ends half a minute after ten
        world.now = world.after(minutes)
        stops.append(evaluate(world, judge(undecided=policy)).stops)
    assert world.published_values("Undecided") == raised
    assert stops == [bool(each) for each in raised]


@pytest.mark.parametrize(("policy", "raised"), [("continue", 0), ("stop", 1)])
def test_equal_failures_of_both_versions_follow_the_incident_policy(
    world: Any, judge: Judge, policy: str, raised: float
) -> None:
    world.fill((80, 32), (720, 288))
    world.now = world.after(6)
    seen = evaluate(world, judge(incident=policy))
    assert seen.record is not None
    assert seen.record.incident
    assert seen.record.verdict != "rollback"
    assert world.published_values("Evidence")[-1] < 2
    assert world.published_values("Incident") == [raised]
    assert seen.stops == bool(raised)
    assert "Both versions fail alike" in seen.record.sentence


def test_throttled_requests_blame_no_version(world: Any, judge: Judge) -> None:
    """Half of the canary's requests are throttled, none of the stable version's."""
    canary, stable = BUSY
    world.fill(replace(canary, throttles=600), stable)
    throttled = StageCounts(6600, 6600, 0, 30 + 600, 6000)
    world.answered_by_gateway = dict.fromkeys(range(12), throttled)
    world.now = world.after(10.5)
    world.end("succeeded", 10.6)
    world.now = world.after(12)
    seen = evaluate(world, judge())
    assert seen.record is not None
    assert (seen.record.verdict, seen.record.outcome) == ("good", "promoted")
    assert (seen.record.discrepancies, seen.late) == ((), ())
    assert not any(world.published_values("Blind"))


def test_a_fault_in_the_last_minutes_is_detected_after_the_shift(world: Any, judge: Judge) -> None:
    world.fill(*BUSY, range(9))
    world.fill((600, 60), (5400, 27), range(9, 12))
    world.now = world.after(10.5)
    world.end("succeeded", 10.6)
    assert not evaluate(world, judge()).stops
    world.now = world.after(12)
    seen = evaluate(world, judge())
    assert seen.record is not None
    assert (seen.record.verdict, seen.record.outcome) == ("rollback", "promoted, then found bad")
    assert world.published_values("Evidence")[-1] >= 2


@pytest.mark.parametrize(
    ("counts", "ending", "policy", "outcome"),
    [
        (BUSY, "succeeded", "promote", "promoted"),
        (HEALTHY, "succeeded", "promote", "promoted undecided"),
        (HEALTHY, "stopped", "rollback", "rolled back undecided"),
        (HEALTHY, "stopped", "promote", "stopped by another"),
        (BAD, "stopped", "promote", "rolled back"),
    ],
)
def test_the_end_of_the_deployment_is_recorded(
    world: Any, judge: Judge, counts: Any, ending: str, policy: str, outcome: str
) -> None:
    world.fill(*counts)
    world.end(ending, 10.6, "The deployment was stopped by a person.")
    world.now = world.after(12)
    seen = evaluate(world, judge(undecided=policy))
    assert seen.record is not None
    assert seen.record.outcome == outcome
    assert ("by a person" in seen.record.sentence) == (outcome == "stopped by another")
    kept = world.records["d-1"]
    world.now = world.after(13)
    assert evaluate(world, judge(undecided=policy)).record == seen.record
    assert world.records["d-1"] == kept


def test_minutes_after_a_stop_are_not_judged(world: Any, judge: Judge) -> None:
    world.fill(*HEALTHY)
    world.end("stopped", 4.2)
    world.now = world.after(9)
    assert _starts(evaluate(world, judge()).record) == ["12:01", "12:02", "12:03"]


def test_a_record_keeps_its_first_rule(world: Any, judge: Judge) -> None:
    world.fill(*HEALTHY)
    world.now = world.after(4)
    evaluate(world, judge())
    seen = evaluate(world, judge(undecided="rollback"))
    assert seen.record is not None
    assert seen.record.parameters.undecided == "promote"
