"""What EventBridge and CodeDeploy get from the function."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.judge.port import Seen, UnjudgedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.judge.settings import Settings

MINUTE = {"detail-type": "Scheduled Event", "time": "2026-01-01T12:00:00Z"}
HOOK = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "execution"}


@pytest.fixture
def handler(
    world: Any, judge: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """The handler over a made-up world; it does not really wait."""
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
    for name, value in (judge().variables() | dict.fromkeys(keys, "x")).items():
        monkeypatch.setenv(name, value)
    module = importlib.import_module("pipeline.judge.handler")
    assert module._settings == judge()
    monkeypatch.setattr(module, "_port", world)
    clock = SimpleNamespace(now=0.0, mends=True)

    def sleep(seconds: float) -> None:
        clock.now += seconds
        if clock.mends:
            world.failing.clear()

    clock.sleep, clock.monotonic = sleep, lambda: clock.now
    monkeypatch.setattr(module, "time", clock)

    def call(event: dict[str, Any], **policies: str) -> None:
        monkeypatch.setattr(module, "_settings", judge(**policies))
        module.handler(event, None)

    return call


def test_a_minutes_look_is_logged_and_answers_nobody(
    world: Any, handler: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    world.fill((8, 4), (72, 0))
    world.now = world.after(5)
    handler(MINUTE)
    said = json.loads(capsys.readouterr().out)
    assert (said["deployment_id"], said["verdict"], said["minutes"]) == ("d-1", "rollback", 3)
    assert said["message"].startswith("The new version is worse: ")
    assert not world.answered


def test_a_look_that_fails_is_an_error_of_the_function(world: Any, handler: Any) -> None:
    world.failing = {"seen"}
    world.now = world.after(5)
    with pytest.raises(UnjudgedError):
        handler(MINUTE)
    assert not world.answered


@pytest.mark.parametrize(
    ("canary", "policy", "succeeded"),
    [
        ((8, 0), "promote", True),
        ((8, 0), "rollback", False),
        ((8, 4), "promote", False),
    ],
)
def test_codedeploy_gets_the_judges_word(
    world: Any, handler: Any, canary: tuple[int, int], policy: str, succeeded: bool
) -> None:
    world.fill(canary, (72, 0))
    world.now = world.after(10.6)
    handler(HOOK, undecided=policy)
    assert world.answered == [("d-1", "execution", succeeded)]


def test_a_moments_trouble_does_not_fail_a_release(world: Any, handler: Any) -> None:
    world.fill((8, 0), (72, 0))
    world.now = world.after(10.6)
    world.failing = {"seen"}
    handler(HOOK)
    assert world.answered == [("d-1", "execution", True)]


def test_a_judge_that_cannot_judge_says_no(
    world: Any, handler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.now = world.after(10.6)
    world.failing = {"seen"}
    monkeypatch.setattr("pipeline.judge.handler.time.mends", False)
    with pytest.raises(UnjudgedError, match="seen did not answer"):
        handler(HOOK)
    assert world.answered == [("d-1", "execution", False)]
    world.failing = set()
    world.records["d-1"] = "no record"
    with pytest.raises(ValueError, match="no JSON"):
        handler(HOOK)
    assert world.answered[1:] == [("d-1", "execution", False)]


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


def test_a_version_that_nobody_condemned_gets_traffic(world: Any, handler: Any) -> None:
    world.deployment_ = replace(world.deployment_, began=None)
    handler(HOOK)
    assert world.answered == [("d-1", "execution", True)]


def test_what_cannot_be_read_is_not_admitted(world: Any, handler: Any) -> None:
    world.deployment_ = replace(world.deployment_, began=None)
    world.failing = {"condemnation"}
    with pytest.raises(UnjudgedError):
        handler(HOOK)
    assert world.answered == [("d-1", "execution", False)]


def test_a_rollback_is_never_held_up(world: Any, handler: Any) -> None:
    world.fill((8, 4), (72, 0))
    world.now = world.after(6)
    world.rollbacks = {"d-1"}
    handler(HOOK)
    assert world.answered == [("d-1", "execution", True)]


def test_the_last_look_waits_for_counts_that_lag(
    world: Any, handler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fill((8, 0), (72, 0))
    world.minutes[9] = {"2": Seen(72, 0, 0, 0, 72, 0), "3": Seen(0, 0, 0, 0, 8, 0)}
    world.now = world.after(11.1)
    monkeypatch.setattr("pipeline.judge.handler.time.sleep", lambda _: world.fill((8, 0), (72, 0)))
    handler(HOOK)
    assert world.answered == [("d-1", "execution", True)]
