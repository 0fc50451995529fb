from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from console import cli
from console.checkout import Checkout
from pipeline.gates.report.gate_report import GateReport
from pipeline.judge.statistics.condemnation import (
    Condemnation,
    Permission,
    permission_key,
    read_permission,
)
from tests.console.conftest import git
from tests.console.fakes import at, builds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.judge.statistics.record import Record
    from tests.console.fakes import FakeAws, FakePipeline
    from tests.console.production import Prod

OTHER = "0" * 40


@pytest.fixture
def branch(
    folder: Path, tmp_path: Path, aws: FakeAws, prod: Prod, monkeypatch: pytest.MonkeyPatch
) -> tuple[Checkout, str]:
    """The checkout, and the URL of the pipeline's repository."""
    url = str(tmp_path / "remote.git")
    subprocess.run(["git", "init", "--quiet", "--bare", url], check=True)
    aws.answers |= {
        ("sts", "get_caller_identity"): {"Account": "1" * 12, "Arn": "arn:aws:iam::1:user/me"},
    }
    monkeypatch.setattr("console.commands.release.connect", lambda _: (aws, "using a test"))
    monkeypatch.setattr("console.release.start.repository_url", lambda *_: url)
    checkout = Checkout(folder)
    checkout.push(url, checkout.commit("HEAD"), "main")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Second")
    prod.version, prod.commits["3"] = "3", checkout.commit("HEAD")
    prod.commits["2"] = checkout.commit("HEAD~1")
    prod.commits["3"] = checkout.commit("HEAD")
    return checkout, url


def release(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["pithead", "release", *arguments])
    return cli.main()


def ended(pipeline: FakePipeline, name: str, commit: str, status: str = "Succeeded") -> None:
    pipeline.execution(name, 10, commit=commit, status=status, updated=100)
    pipeline.stage(name, "Source", 10, 12)
    pipeline.action(name, "Build", "Synth", 12, 100, status=status, message="no space left")


def test_a_commit_is_pushed_and_followed(
    branch: tuple[Checkout, str],
    aws: FakeAws,
    pipeline: FakePipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    commit = checkout.commit("HEAD")
    pipeline.execution("old", 0, commit=OTHER, status="Succeeded")
    listed = aws.answers[("codepipeline", "list_pipeline_executions")]

    def noticed(**asked: Any) -> Any:
        if checkout.tip(url, "main") == commit:
            ended(pipeline, "new", commit)
        return listed(**asked)

    aws.answers[("codepipeline", "list_pipeline_executions")] = noticed
    (checkout.root / "draft").write_text("")

    assert release(monkeypatch) == 0

    assert checkout.tip(url, "main") == commit
    shown = capsys.readouterr()
    assert shown.err.splitlines()[0] == "using a test"
    assert "only commits are released; 1 changed file(s) here are not" in shown.err
    assert "execution new: Succeeded" in shown.err
    assert "execution old" not in shown.err
    assert f"{commit[:7]} promoted" in shown.out
    assert [line.split() for line in shown.out.splitlines() if "Build" in line] == [
        ["Build", "88.0", "98%"]
    ]


@pytest.mark.parametrize(
    ("status", "code", "printed"),
    [("Succeeded", 0, "promoted"), ("InProgress", 0, "promoted")],
)
def test_a_running_or_ended_release_is_followed_and_not_started_again(
    status: str,
    code: int,
    printed: str,
    branch: tuple[Checkout, str],
    aws: FakeAws,
    pipeline: FakePipeline,
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
    assert printed in shown.out
    assert "first" not in shown.err


def test_a_commit_that_was_not_promoted_gets_a_new_execution(
    branch: tuple[Checkout, str],
    aws: FakeAws,
    pipeline: FakePipeline,
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
    assert (
        f"main is at {commit[:7]} already, and its last release ended in an error; starting a new "
        "execution" in shown.err
    )
    assert f"{commit[:7]} ended in an error: Build/Synth failed: no space left." in shown.out


def test_results_of_gates_are_printed(
    branch: tuple[Checkout, str],
    aws: FakeAws,
    pipeline: FakePipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    commit = checkout.commit("HEAD")
    checkout.push(url, commit, "main")
    not_run = GateReport("audit", "not run", "no advisories can be reached; let by until May")
    refusal = GateReport("load", "refused", "p95 was 312 ms")

    def going_on(**_: Any) -> Any:
        answer = {"pipelineExecutionSummaries": list(reversed(pipeline.summaries))}
        pipeline.execution("one", 0, commit=commit, status="Failed", updated=100)
        return answer

    pipeline.execution("one", 0, commit=commit)
    pipeline.action("one", "Build", "Synth", 12, 20, external="Synth")
    pipeline.action("one", "staging", "Load", 20, 30, status="Failed", external="Load")
    aws.answers |= {
        ("codepipeline", "list_pipeline_executions"): going_on,
        ("codebuild", "batch_get_builds"): builds({"Synth": [not_run], "Load": [refusal]}),
    }

    assert release(monkeypatch) == 4
    shown = capsys.readouterr().out
    assert f"{commit[:7]} refused: the gate load refused: p95 was 312 ms." in shown
    assert "Gate audit did not run: no advisories can be reached; let by until May" in shown


def test_an_unknown_revision_is_an_error_before_anything_is_pushed(
    branch: tuple[Checkout, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    assert release(monkeypatch, "v9") == 1
    assert "v9: found no such commit" in capsys.readouterr().err
    assert checkout.tip(url, "main") == checkout.commit("HEAD~1")


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    """Return the error of a release that is rejected before anything is pushed."""
    assert release(monkeypatch, *arguments) == 1
    return capsys.readouterr().err.splitlines()[-1]


def test_a_pipeline_with_another_branch_is_an_error_at_once(
    branch: tuple[Checkout, str],
    pipeline: FakePipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    commit, before = checkout.commit("HEAD"), checkout.tip(url, "main")
    pipeline.execution("old", 0, commit=OTHER, status="Succeeded")
    pipeline.source["BranchName"] = "trunk"
    assert refused(monkeypatch, capsys) == (
        "pithead: pyproject.toml: tool.pithead: found branch main of acme/pithead; the deployed "
        "pipeline releases branch trunk of acme/pithead. To move the pipeline, push the commit to "
        f"both (git push {url} {commit}:refs/heads/main && git push {url} "
        f"{commit}:refs/heads/trunk) and run pithead release. To keep it, set branch = "
        '"trunk"'
    )
    assert checkout.tip(url, "main") == before


def test_a_commit_that_moves_the_pipeline_to_another_branch_is_released(
    branch: tuple[Checkout, str],
    aws: FakeAws,
    pipeline: FakePipeline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkout, url = branch
    commit = checkout.commit("HEAD")
    pipeline.source["BranchName"] = "trunk"
    for name in ("main", "trunk"):
        checkout.push(url, commit, name)
    ended(pipeline, "moved", commit)
    assert release(monkeypatch) == 0


def test_a_deleted_branch_is_not_created_again(
    branch: tuple[Checkout, str],
    tmp_path: Path,
    pipeline: FakePipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    pipeline.execution("old", 0, commit=OTHER, status="Succeeded")
    git(tmp_path / "remote.git", "branch", "--move", "main", "trunk")
    error = refused(monkeypatch, capsys)
    assert "acme/pithead: found no branch main" in error
    assert f"git push {url} {checkout.commit('HEAD')}:refs/heads/main" in error
    assert checkout.tip(url, "main") is None


def test_an_earlier_commit_is_an_error_with_the_ways_back(
    branch: tuple[Checkout, str],
    pipeline: FakePipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    first, second = checkout.commit("HEAD~1"), checkout.commit("HEAD")
    checkout.push(url, second, "main")
    pipeline.execution("old", 0, commit=first, status="Succeeded")
    assert refused(monkeypatch, capsys, "HEAD~1") == (
        f"pithead: {first[:7]} is an earlier commit of branch main, which is at {second[:7]}; a "
        f"release only moves forward. To undo the later commits, run git revert --no-edit "
        f"{first[:7]}..{second[:7]} and pithead release. To move prod back at once, if the "
        "pipeline has not changed since, run aws codepipeline rollback-stage --pipeline-name "
        "pithead --stage-name prod --target-pipeline-execution-id old"
    )


@pytest.fixture
def rolled_back(
    branch: tuple[Checkout, str], aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> str:
    """The commit of a canary that an alarm stopped."""
    checkout, url = branch
    commit = checkout.commit("HEAD")
    checkout.push(url, commit, "main")
    pipeline.execution("bad", 0, commit=commit, status="Failed", updated=100)
    pipeline.stage("bad", "Source", 0, 10)
    pipeline.action("bad", "prod", "files.Deploy", 56, 100, status="Failed")
    prod.version = "2"
    error = {"code": "ALARM_ACTIVE", "message": "Activated alarms: <files-prod-version-3-failures>"}
    prod.shift("Stopped", completeTime=at(85), errorInformation=error)
    return commit


def test_a_rollback_is_reported_again(
    rolled_back: str,
    branch: tuple[Checkout, str],
    aws: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = branch[0].commit("HEAD~1")[:7]
    assert release(monkeypatch) == 3
    shown = capsys.readouterr()
    assert (
        f"{rolled_back[:7]} rolled back: the alarm files-prod-version-3-failures stopped the shift "
        "in prod: 1 datapoint was above 0.05." in shown.out
    )
    assert (
        "Shift d-SHIFT of version 3 was stopped by the alarm files-prod-version-3-failures at "
        "2026-01-01 12:01:25 UTC; the new version had served 82 requests, of which 17 failed."
        in shown.out
    )
    assert shown.out.splitlines()[-8:] == [
        f"dev      http://127.0.0.1/prod/  version 2 of commit {before}",
        f"staging  http://127.0.0.1/prod/  version 2 of commit {before}",
        f"prod     http://127.0.0.1/prod/  version 2 of commit {before}, shift d-SHIFT",
        "",
        "Next steps",
        "  pithead logs prod --since 1d  # prints the service's log lines",
        f"  git revert --no-edit {rolled_back[:7]} && pithead release  # reverts the commit",
        '  pithead release --again --reason "…"  # releases it again, if the commit was not the '
        "cause",
    ]
    assert "starting a new execution" not in shown.err
    assert "start_pipeline_execution" not in {operation for _, operation, _, _ in aws.asked}


@pytest.mark.parametrize("condemned", [True, False], ids=["by the judge", "by a guard rail"])
def test_a_rolled_back_commit_is_released_again_with_a_reason(
    condemned: bool,
    rolled_back: str,
    aws: FakeAws,
    pipeline: FakePipeline,
    prod: Prod,
    decided: Callable[..., Record],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def start(**_: Any) -> dict[str, str]:
        prod.version = "3"
        ended(pipeline, "second", rolled_back)
        return {"pipelineExecutionId": "second"}

    prod.record = decided() if condemned else decided((80, 0))
    assert (prod.record.verdict == "rollback") == condemned
    aws.answers |= {
        ("codepipeline", "start_pipeline_execution"): start,
        ("s3", "put_object"): {},
    }
    reason = "a dependency was down, see incident 12"
    assert release(monkeypatch, "--again", "--reason", reason) == 0
    shown = capsys.readouterr()
    assert f"releasing {rolled_back[:7]} again: {reason}" in shown.err
    assert f"{rolled_back[:7]} promoted" in shown.out
    ((account, written),) = (
        (account, asked) for _, operation, account, asked in aws.asked if operation == "put_object"
    )
    assert account == "444444444444:files-prod-release-again"
    digest = prod.record.version_digest
    assert (written["Bucket"], written["Key"]) == ("decisions", permission_key(digest))
    assert read_permission(written["Body"].decode()) == Permission(
        digest, aws.now, "arn:aws:iam::1:user/me", reason
    )


def test_again_requires_a_record_of_the_judge(
    rolled_back: str,
    aws: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = refused(monkeypatch, capsys, "--again", "--reason", "because")
    assert error == (
        f"pithead: --again: found no judge's record of the version of {rolled_back[:7]} that was "
        'rolled back. Run git commit --allow-empty -m "Release again: REASON" && pithead release'
    )
    assert not {"put_object", "start_pipeline_execution"} & {each[1] for each in aws.asked}


def test_a_condemned_version_is_reported_as_rolled_back(
    rolled_back: str,
    prod: Prod,
    decided: Callable[..., Record],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    information = {"code": "HOOK_EXECUTION_FAILURE", "message": "BeforeAllowTraffic failed."}
    prod.shift("Failed", completeTime=at(65), errorInformation=information)
    before = decided()
    prod.record = replace(before, outcome="refused as condemned before", periods=(), evidence=())
    prod.condemnation = Condemnation(before.version_digest, "d-BEFORE", at(-60), before.sentence)
    assert release(monkeypatch) == 3
    shown = capsys.readouterr()
    assert "prod: the judge refused version 3, which it condemned before" in shown.err
    assert (
        f"{rolled_back[:7]} rolled back: the judge refused version 3 in prod before it got traffic"
        in shown.out
    )
    assert "in shift d-BEFORE at 2026-01-01 11:59:00 UTC: The new version is worse: " in shown.out
    assert (
        "Shift d-SHIFT of version 3 was refused by the judge at 2026-01-01 12:01:05 UTC; the new "
        "version got no traffic." in shown.out
    )
    assert 'pithead release --again --reason "…"' in shown.out


@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        (["--again"], 2, "--again: found without --reason"),
        (["--again", "--reason", " "], 2, "--again: found without --reason"),
        (["--reason", "because"], 2, "--reason: found without --again"),
        (["--again", "--reason", "because"], 1, "branch main is not at"),
    ],
)
def test_again_requires_a_rollback_and_a_reason(
    branch: tuple[Checkout, str],
    pipeline: FakePipeline,
    arguments: list[str],
    code: int,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, url = branch
    assert release(monkeypatch, *arguments) == code
    assert printed in capsys.readouterr().err
    assert checkout.tip(url, "main") == checkout.commit("HEAD~1")


@pytest.mark.parametrize(
    ("encoding", "subject"),
    [
        (b"", r"R\xe9sum\xe9"),
        (b"encoding ISO-8859-1\n", "Résumé"),
        (b"encoding none-such\n", r"R\xe9sum\xe9"),
    ],
)
def test_foreign_bytes_in_a_commit_are_read_before_anything_is_pushed(
    branch: tuple[Checkout, str],
    pipeline: FakePipeline,
    prod: Prod,
    encoding: bytes,
    subject: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout, _ = branch
    (checkout.root / os.fsdecode(b"caf\xe9")).write_text("")
    git(checkout.root, "add", "--all")
    tree, parent = git(checkout.root, "write-tree"), checkout.commit("HEAD")
    # git commit converts the bytes as Latin 1; other tools write them as they are.
    who = b"Ren\xe9 <r@example.org> 1767268800 +0000"
    head = f"tree {tree}\nparent {parent}\n".encode() + b"author %s\ncommitter %s\n" % (who, who)
    made = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
        cwd=checkout.root,
        input=head + encoding + b"\nR\xe9sum\xe9 \x1b[31mred\n",
        capture_output=True,
        check=True,
    )
    commit = made.stdout.decode().strip()
    git(checkout.root, "reset", "--quiet", "--hard", commit)
    (checkout.root / os.fsdecode(b"th\xe9")).write_text("")
    # The console reads UTF-8, whatever encoding git uses for a terminal.
    git(checkout.root, "config", "i18n.logOutputEncoding", "ISO-8859-1")
    prod.commits["3"] = commit
    push = Checkout.push

    def pushed(self: Checkout, *arguments: str) -> None:
        push(self, *arguments)
        ended(pipeline, "new", commit)

    monkeypatch.setattr(Checkout, "push", pushed)
    assert release(monkeypatch) == 0
    shown = capsys.readouterr()
    assert rf"release of {commit[:7]} {subject} \x1b[31mred" in shown.err
    assert "1 changed file(s)" in shown.err


def test_a_terminal_that_cannot_show_a_character_gets_its_escape(
    rolled_back: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1"))
    assert release(monkeypatch) == 3
    sys.stdout.flush()
    assert rb'--again --reason "\u2026"' in written.getvalue()


def test_a_cloud_whose_clock_stands_still_divides_nothing_by_zero(
    rolled_back: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dates of responses have whole seconds; on a busy machine one may not move for a while."""
    wall = itertools.count(step=10.0)
    monkeypatch.setattr("console.release.follower.time.monotonic", lambda: next(wall))
    assert release(monkeypatch) == 3
