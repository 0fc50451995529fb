"""Late metrics, by source: whole releases in a simulated world."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.arrivals import SETTINGS, SOURCES, Behaviour, SimulatedRelease, play
from pipeline.judge.arrival import ARRIVAL_BOUND, Arrivals
from pipeline.judge.evaluation import evaluate
from pipeline.judge.port import StageCounts, VersionCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.judge.arrival import Source
    from pipeline.judge.settings import Settings
    from pipeline.judge.statistics.record import Record

    Judge = Callable[..., Settings]

LATE = [
    *({source: float(seconds)} for source in SOURCES for seconds in (30, 75, 180)),
    dict.fromkeys(SOURCES, 75.0),
    dict.fromkeys(SOURCES, 180.0),
    {},
]
HEALTHY = Behaviour()
CRASHES = Behaviour(crashes=(0.0, 0.075))
OFTEN = Behaviour(crashes=(0.0, 0.3))


def _record(world: Any, settings: Settings) -> Record:
    found = evaluate(world, settings).record
    assert found is not None
    return found


@pytest.mark.parametrize("late", LATE)
def test_a_good_release_is_promoted_whichever_metrics_are_late(late: dict[Source, float]) -> None:
    ending = play(SimulatedRelease(HEALTHY, late, seed=7))
    assert (ending.stopped_by, ending.unjudged) == (None, 0)


@pytest.mark.parametrize("late", LATE)
def test_crashes_are_detected_during_the_shift_whichever_metrics_are_late(
    late: dict[Source, float],
) -> None:
    """By the alarm: after the shift, the judge's hook result would come first."""
    assert play(SimulatedRelease(CRASHES, late, seed=7)).stopped_by == "Evidence"


@pytest.mark.parametrize("late", LATE)
def test_a_fault_of_the_last_minute_alone_fails_the_bake(late: dict[Source, float]) -> None:
    """Without an alarm: the bake waits for the verdict on all minutes of the shift."""
    ending = play(SimulatedRelease(OFTEN, late, seed=7, faulty_from=6.5))
    assert ending.stopped_by == "bake"


def test_a_judge_that_does_not_wait_promotes_a_crashing_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Planted: minutes complete 60 s after their end, and crashes 75 s late."""
    monkeypatch.setattr(Arrivals, "late", lambda _self, _minute: ())
    monkeypatch.setattr(Arrivals, "lost", lambda _self, _minute: False)
    world = SimulatedRelease(CRASHES, {"Lambda": 75.0, "API Gateway": 75.0}, seed=7)
    assert play(world).stopped_by is None
    assert not world.condemned
    assert ("Heartbeat", 1.0) in {(each.name, each.value) for each in world.published}


def test_missing_lambda_metrics_stop_a_release_without_condemning_it() -> None:
    world = SimulatedRelease(HEALTHY, {"Lambda": 3600.0}, seed=7)
    ending = play(world)
    assert ending.stopped_by == "Blind"
    assert not world.condemned
    assert _record(world, SETTINGS).verdict == "undecided"


def test_a_service_without_metrics_is_stopped() -> None:
    assert (
        play(SimulatedRelease(HEALTHY, {"the service": 3600.0}, seed=7)).stopped_by == "Testimony"
    )


def test_the_judge_waits_for_lambda_metrics_that_lag_behind_the_gateway(
    world: Any, judge: Judge
) -> None:
    """Only Lambda and API Gateway count crashes, whose invocations end last."""
    world.fill(VersionCounts(60, 0, 0, 0, 60, 0), VersionCounts(540, 0, 0, 0, 540, 0))
    world.answered_by_gateway = dict.fromkeys(range(12), StageCounts(605, 605, 0, 5, 605))
    world.now = world.after(3)
    assert (seen := evaluate(world, judge())).late == ("Lambda",)
    assert seen.waiting == (world.after(1),)
    world.fill(VersionCounts(60, 0, 0, 0, 65, 5), VersionCounts(540, 0, 0, 0, 540, 0))
    seen = evaluate(world, judge())
    assert seen.record is not None
    assert seen.record.periods[0].counts["failures"].canary.failures == 5


def test_late_counts_are_judged_only_until_their_minute_is_judged(world: Any, judge: Judge) -> None:
    world.fill(VersionCounts(80, 0, 0, 0, 80, 0), VersionCounts(720, 0, 0, 0, 720, 0))
    world.answered_by_gateway = dict.fromkeys(range(12), StageCounts(900, 900, 0, 0, 900))
    ends = world.after(2) + ARRIVAL_BOUND
    world.now = ends - timedelta(seconds=1)
    assert world.after(1) in evaluate(world, judge()).waiting
    assert not _record(world, judge()).periods
    world.now = ends
    record = _record(world, judge())
    assert [each.start for each in record.periods] == [world.after(1)]
    world.fill(VersionCounts(80, 60, 0, 0, 80, 0), VersionCounts(720, 0, 0, 0, 720, 0), range(1, 2))
    assert _record(world, judge()).periods == record.periods


def test_a_minute_that_lambda_lost_is_judged_when_its_counts_arrive(
    world: Any, judge: Judge
) -> None:
    world.fill(VersionCounts(80, 0, 0, 0, 0, 0), VersionCounts(720, 0, 0, 0, 0, 0))
    world.answered_by_gateway = dict.fromkeys(range(12), StageCounts(800, 800, 0, 0, 0))
    world.now = world.after(9)
    assert evaluate(world, judge()).waiting[0] == world.after(1)
    assert world.published_values("Blind") == [7.0]
    assert (world.published_values("Heartbeat"), world.published_values("Testimony")) == ([1], [0])
    world.fill(VersionCounts(80, 0, 0, 0, 80, 0), VersionCounts(720, 0, 0, 0, 720, 0))
    assert world.after(1) in {each.start for each in _record(world, judge()).periods}
    assert world.published_values("Blind")[-1] == 0


def test_a_version_that_overcounts_is_not_missing_lambda_metrics(world: Any, judge: Judge) -> None:
    world.fill(VersionCounts(160, 0, 0, 0, 80, 0), VersionCounts(720, 0, 0, 0, 720, 0))
    world.now = world.after(9)
    assert _record(world, judge()).verdict == "inconsistent"


@pytest.mark.parametrize(("late", "undecided"), [(False, 1.0), (True, 0.0)])
def test_a_pending_minute_keeps_the_verdict_open(
    world: Any, judge: Judge, late: bool, undecided: float
) -> None:
    """Near the shift's end, too few counts do not roll back while more are expected."""
    world.fill(VersionCounts(80, 0, 0, 0, 80, 0), VersionCounts(720, 0, 0, 0, 720, 0), range(8))
    if late:
        world.minutes[7] = {
            "2": VersionCounts(720, 0, 0, 0, 0, 0),
            "3": VersionCounts(80, 0, 0, 0, 0, 0),
        }
        world.answered_by_gateway = {7: StageCounts(800, 800, 0, 0, 0)}
    world.now = world.after(9)
    assert evaluate(world, judge(undecided="rollback")).stops is bool(undecided)
    assert world.published_values("Undecided") == [undecided]
