from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from console import cli
from console.checkout import Checkout

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "0" * 40


@pytest.fixture
def branch(
    folder: Path, tmp_path: Path, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[Checkout, str]:
    """The checkout, and the repository that the pipeline's connection leads to."""
    url = str(tmp_path / "remote.git")
    subprocess.run(["git", "init", "--quiet", "--bare", url], check=True)
    arn = "arn:aws:codeconnections:eu-west-1:111111111111:connection/1"
    aws.answers |= {
        ("codeconnections", "list_connections"): {
            "Connections": [{"ConnectionName": "pithead", "ConnectionArn": arn}]
        },
        ("cloudformation", "describe_stacks"): lambda **_: aws.client("cloudformation").error(
            "ValidationError", "Stack with id prod-files does not exist", "DescribeStacks"
        ),
    }
    monkeypatch.setattr("console.commands.release.connect", lambda _: (aws, "speaking to a test"))
    monkeypatch.setattr("console.commands.release.remote", lambda *_: url)
    return Checkout(folder), url


def release(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["pithead", "release", *arguments])
    return cli.main()


def ended(pipeline: Any, name: str, commit: str, status: str = "Succeeded") -> None:
    pipeline.execution(name, 10, commit=commit, status=status, updated=100)
    pipeline.stage(name, "Source", 10, 12)
    pipeline.action(name, "Build", "Synth", 12, 100, status=status, message="no space left")


def test_a_commit_is_pushed_and_followed(
    branch: tuple[Checkout, str],
    aws: Any,
    pipeline: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    commit = checkout.commit("HEAD")
    pipeline.execution("old", 0, commit=OTHER, status="Succeeded")
    listed = aws.answers[("codepipeline", "list_pipeline_executions")]

    def noticed(**asked: Any) -> Any:
        if checkout.tip(url, "main"):
            ended(pipeline, "new", commit)
        return listed(**asked)

    aws.answers[("codepipeline", "list_pipeline_executions")] = noticed
    (checkout.root / "draft").write_text("")

    assert release(monkeypatch) == 0

    assert checkout.tip(url, "main") == commit
    shown = capsys.readouterr()
    assert shown.err.splitlines()[0] == "speaking to a test"
    assert "only commits are released; 1 changed file(s) here are not" in shown.err
    assert "execution new: Succeeded" in shown.err
    assert "execution old" not in shown.err
    assert f"{commit[:7]} promoted" in shown.out
    assert [line.split() for line in shown.out.splitlines() if "Build" in line] == [
        ["Build", "88.0", "98%"]
    ]


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [("Succeeded", 0, "promoted"), ("InProgress", 0, "promoted")],
)
def test_a_commit_that_runs_or_ran_to_the_end_is_not_released_again(
    status: str,
    code: int,
    told: str,
    branch: tuple[Checkout, str],
    aws: Any,
    pipeline: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    commit = checkout.commit("HEAD")
    checkout.push(url, commit, "main")
    pipeline.execution("first", 0, commit=commit, status="Failed")
    pipeline.execution("last", 10, commit=commit, status=status)
    listed = aws.answers[("codepipeline", "list_pipeline_executions")]

    def going_on(**asked: Any) -> Any:
        answer = listed(**asked)
        ended(pipeline, "last", commit)
        return answer

    aws.answers[("codepipeline", "list_pipeline_executions")] = going_on

    assert release(monkeypatch) == code
    shown = capsys.readouterr()
    assert told in shown.out
    assert "first" not in shown.err


def test_a_commit_that_did_not_make_it_is_released_anew(
    branch: tuple[Checkout, str],
    aws: Any,
    pipeline: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    commit = checkout.commit("HEAD")
    checkout.push(url, commit, "main")
    pipeline.execution("first", 0, commit=commit, status="Failed")

    def start(**asked: Any) -> dict[str, str]:
        ended(pipeline, "second", commit, "Failed")
        return {"pipelineExecutionId": "second"}

    aws.answers |= {
        ("codepipeline", "start_pipeline_execution"): start,
        ("codebuild", "batch_get_builds"): {"builds": []},
    }

    assert release(monkeypatch) == 1
    shown = capsys.readouterr()
    assert "it is released anew" in shown.err
    assert f"{commit[:7]} ended in an error: Build/Synth failed: no space left." in shown.out
    assert "Nothing serves production yet." in shown.out


def test_gates_are_told_of(
    branch: tuple[Checkout, str],
    aws: Any,
    pipeline: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    commit = checkout.commit("HEAD")
    checkout.push(url, commit, "main")
    sentences = {
        "Synth": "gate audit: not run: no advisories can be reached; let by until May",
        "Load": "gate load: refused: p95 was 312 ms",
    }

    def going_on(**_: Any) -> Any:
        answer = {"pipelineExecutionSummaries": list(reversed(pipeline.summaries))}
        pipeline.execution("one", 0, commit=commit, status="Failed", updated=100)
        return answer

    pipeline.execution("one", 0, commit=commit)
    pipeline.action("one", "Build", "Synth", 12, 20, external="Synth")
    pipeline.action("one", "staging", "Load", 20, 30, status="Failed", external="Load")
    aws.answers |= {
        ("codepipeline", "list_pipeline_executions"): going_on,
        ("codebuild", "batch_get_builds"): lambda **asked: {
            "builds": [{"logs": {"groupName": "g", "streamName": asked["ids"][0]}}]
        },
        ("logs", "get_log_events"): lambda **asked: {
            "events": [{"message": sentences[asked["logStreamName"]]}]
        },
    }

    assert release(monkeypatch) == 4
    shown = capsys.readouterr().out
    assert f"{commit[:7]} refused: the gate load refused: p95 was 312 ms." in shown
    assert "The gate audit did not run: no advisories can be reached; let by until May" in shown


def test_an_unknown_revision_is_told_before_anything_is_pushed(
    branch: tuple[Checkout, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    assert release(monkeypatch, "v9") == 1
    assert "v9 names no commit" in capsys.readouterr().err
    assert checkout.tip(url, "main") is None
