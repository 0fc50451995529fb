"""The function's responses to EventBridge and CodeDeploy."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.judge.bake import bake_text, read_bake
from pipeline.judge.port import Bake, EvaluationError, StageCounts, VersionCounts
from pipeline.judge.statistics.record import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.judge.settings import Settings

MINUTE = {"detail-type": "Scheduled Event", "time": "2026-01-01T12:00:00Z"}
HOOK = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "execution"}


@pytest.fixture
def handler(
    world: Any, judge: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """The handler with a fake world."""
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
    for name, value in (judge().variables() | dict.fromkeys(keys, "x")).items():
        monkeypatch.setenv(name, value)
    module = importlib.import_module("pipeline.judge.handler")
    assert module._settings == judge()
    monkeypatch.setattr(module, "_port", world)

    def call(event: dict[str, Any], **policies: str) -> None:
        monkeypatch.setattr(module, "_settings", judge(**policies))
        module.handler(event, None)

    return call


def test_a_scheduled_evaluation_is_logged_and_reports_to_no_hook(
    world: Any, handler: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    world.fill((8, 0), (72, 0))
    world.now = world.after(5)
    handler(MINUTE)
    said = json.loads(capsys.readouterr().out)
    assert (said["deployment_id"], said["verdict"], said["minutes"]) == ("d-1", "undecided", 3)
    assert not world.answered
    assert not world.stopped


@pytest.mark.parametrize(
    ("canary", "minute", "policy"),
    [((8, 4), 5, "promote"), ((8, 0), 9, "rollback")],
    ids=["worse", "undecided near the end"],
)
def test_the_judge_stops_a_shift_that_must_not_be_promoted(
    world: Any, handler: Any, canary: tuple[int, int], minute: float, policy: str
) -> None:
    """Its metrics are published first: the alarms stop the shift if the call fails."""
    world.fill(canary, (72, 0))
    world.now = world.after(minute)
    world.failing = {"stop"}
    with pytest.raises(EvaluationError, match="stop did not answer"):
        handler(MINUTE, undecided=policy)
    assert {each.name for each in world.published[-1]} >= {"Evidence", "Undecided", "Heartbeat"}
    world.failing = set()
    handler(MINUTE, undecided=policy)
    assert world.stopped == ["d-1"]
    world.end("stopped", minute + 0.1)
    handler(MINUTE, undecided=policy)
    assert world.stopped == ["d-1"]
    assert not world.answered


def test_a_failed_evaluation_is_a_function_error(world: Any, handler: Any) -> None:
    world.failing = {"version_counts"}
    world.now = world.after(5)
    with pytest.raises(EvaluationError):
        handler(MINUTE)
    assert not world.answered


def bake(world: Any, handler: Any, until: float, **policies: str) -> None:
    """Run the hook 10.6 minutes after noon, after an evaluation in each minute."""
    world.now = world.after(10.6)
    handler(HOOK, **policies)
    for minute in range(11, int(until) + 1):
        world.now = world.after(minute + 0.05)
        handler(MINUTE, **policies)


def test_codedeploy_waits_until_the_bake_is_over(world: Any, handler: Any) -> None:
    world.fill((8, 0), (72, 0))
    bake(world, handler, 14)
    assert not world.answered
    world.now = world.after(15.05)
    handler(MINUTE)
    assert world.answered == [("d-1", "execution", True)]
    world.end("succeeded", 15.1)
    handler(MINUTE)
    assert len(world.answered) == 1


@pytest.mark.parametrize(
    ("canary", "policy"), [((8, 4), "promote"), ((8, 0), "rollback")], ids=["bad", "undecided"]
)
def test_a_verdict_ends_the_bake_at_the_next_minute(
    world: Any, handler: Any, canary: tuple[int, int], policy: str
) -> None:
    world.fill(canary, (72, 0))
    bake(world, handler, 11, undecided=policy)
    assert world.answered == [("d-1", "execution", False)]


def test_an_alarm_ends_the_bake_at_the_next_minute(
    world: Any, handler: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even if CodeDeploy reads no alarms while it waits for a hook."""
    world.fill((8, 0), (72, 0))
    bake(world, handler, 12)
    assert not world.answered
    world.red = ("files-prod-version-3-synthetic",)
    world.now = world.after(13.05)
    handler(MINUTE)
    assert world.answered == [("d-1", "execution", False)]
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["level"], said["alarms"]) == ("ERROR", ["files-prod-version-3-synthetic"])


@pytest.mark.parametrize("what", ["read_bake", "alarms", "version_counts"])
def test_a_read_error_promotes_nothing(world: Any, handler: Any, what: str) -> None:
    """The next minute retries; without a result CodeDeploy times out after an hour."""
    world.fill((8, 0), (72, 0))
    bake(world, handler, 14)
    world.failing = {what}
    world.minutes.pop(9)  # some minutes remain to be judged
    world.records.clear()
    world.now = world.after(15.05)
    with pytest.raises(EvaluationError, match=f"{what} did not answer"):
        handler(MINUTE)
    assert not world.answered
    world.failing = set()
    handler(MINUTE)
    assert world.answered == [("d-1", "execution", True)]


def test_the_bake_waits_for_late_counts(world: Any, handler: Any) -> None:
    world.fill((8, 0), (72, 0))
    world.minutes[9] = {
        "2": VersionCounts(72, 0, 0, 0, 72, 0),
        "3": VersionCounts(0, 0, 0, 0, 8, 0),
    }
    world.now = world.after(10.6)
    handler(HOOK)
    world.bakes["d-1"] = replace(world.bakes["d-1"], began=world.after(8))
    world.now = world.after(12.05)
    handler(MINUTE)
    assert not world.answered
    world.fill((8, 0), (72, 0))
    handler(MINUTE)
    assert world.answered == [("d-1", "execution", True)]


@pytest.mark.parametrize(
    ("last", "ends"),
    [
        # The gateway counts failures that the new version does not report.
        ({"answered_by_gateway": {9: StageCounts(800, 800, 0, 80, 800)}}, 13),
        # The last counts may be late, unless they are known to be complete.
        ({"minutes": {9: {}}}, 15),
    ],
    ids=["not compared", "empty"],
)
def test_a_short_bake_waits_for_all_minutes_of_the_shift(
    world: Any, handler: Any, last: dict[str, Any], ends: int
) -> None:
    world.fill((80, 0), (720, 0))
    for name, values in last.items():
        getattr(world, name).update(values)
    world.now = world.after(10.6)
    handler(HOOK)
    world.bakes["d-1"] = replace(world.bakes["d-1"], began=world.after(5))
    while not world.answered and world.now < world.after(20):
        world.now += timedelta(minutes=1)
        handler(MINUTE)
    assert world.now - timedelta(minutes=1) < world.after(ends) <= world.now
    assert world.answered == [("d-1", "execution", "minutes" in last)]


def test_a_judge_without_metrics_ends_the_bake_by_its_alarm_without_a_verdict(
    world: Any, handler: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    world.fill((80, 0), (720, 0))
    world.fill(VersionCounts(80, 0, 0, 0, 0, 0), VersionCounts(720, 0, 0, 0, 0, 0), range(8, 12))
    world.answered_by_gateway = dict.fromkeys(range(8, 12), StageCounts(800, 800, 0, 0, 0))
    bake(world, handler, 16, undecided="rollback")
    assert not world.answered
    assert [each >= 5 for each in world.published_values("Blind")] == [False] * 3 + [True] * 3
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["late"] == ["Lambda"]
    assert said["waiting"] == [world.after(each).isoformat() for each in (8, 9)]
    world.red = ("files-prod-version-3-blind",)
    world.now = world.after(17.05)
    handler(MINUTE, undecided="rollback")
    assert world.answered == [("d-1", "execution", False)]
    assert not world.condemned
    assert read(world.records["d-1"]).verdict == "undecided"


def test_a_fault_of_the_last_minute_alone_ends_the_bake(world: Any, handler: Any) -> None:
    world.fill((80, 0), (720, 0), range(9))
    world.fill((80, 40), (720, 0), range(9, 12))
    bake(world, handler, 11)
    assert world.answered == [("d-1", "execution", False)]


def test_the_hook_result_is_for_the_deployment_in_the_event(world: Any, handler: Any) -> None:
    """A stack may start another deployment meanwhile, whose bake has not begun."""
    world.fill((80, 0), (720, 0))
    older = world.deployment_
    world.others = {"d-1": older}
    world.deployment_ = replace(older, id="d-2")
    bake(world, handler, 16)
    assert (set(world.bakes), world.answered) == ({"d-1"}, [])
    world.deployment_ = older
    handler(MINUTE)
    assert world.answered == [("d-1", "execution", True)]


def test_a_bake_that_cannot_start_fails_the_hook(world: Any, handler: Any) -> None:
    world.now = world.after(10.6)
    world.failing = {"write_bake"}
    with pytest.raises(EvaluationError, match="write_bake did not answer"):
        handler(HOOK)
    assert world.answered == [("d-1", "execution", False)]


def test_a_stored_bake_is_read_unchanged() -> None:
    written = Bake("execution", datetime(2026, 1, 1, 12, 10, 36, tzinfo=UTC))
    assert read_bake(bake_text(written)) == written


def test_a_condemned_version_gets_no_traffic(
    world: Any, handler: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    world.fill((8, 4), (72, 0))
    world.now = world.after(6)
    handler(MINUTE)
    world.deployment_ = replace(world.deployment_, id="d-2", began=None)
    capsys.readouterr()
    handler(HOOK | {"DeploymentId": "d-2"})
    assert world.answered == [("d-2", "execution", False)]
    said = json.loads(capsys.readouterr().out)
    assert said["level"] == "ERROR"
    assert "condemned this code" in said["message"]


def test_an_uncondemned_version_gets_traffic(world: Any, handler: Any) -> None:
    world.deployment_ = replace(world.deployment_, began=None)
    handler(HOOK)
    assert world.answered == [("d-1", "execution", True)]


def test_a_version_is_not_admitted_after_a_read_error(world: Any, handler: Any) -> None:
    world.deployment_ = replace(world.deployment_, began=None)
    world.failing = {"condemnation"}
    with pytest.raises(EvaluationError):
        handler(HOOK)
    assert world.answered == [("d-1", "execution", False)]


def test_a_rollback_is_never_blocked(world: Any, handler: Any) -> None:
    world.fill((8, 4), (72, 0))
    world.now = world.after(6)
    world.rollbacks = {"d-1"}
    handler(HOOK)
    assert world.answered == [("d-1", "execution", True)]
