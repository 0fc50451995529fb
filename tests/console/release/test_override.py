"""`pithead override` with stubbed responses of AWS."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from console import cli
from console.rehearsal import audit
from console.release import overrides
from pipeline.gates.report.gate_report import GateReport
from pipeline.gates.supply_chain.override import Override
from pipeline.names import OVERRIDE_PARAMETER
from tests.console.conftest import git
from tests.console.fakes import START, builds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.console.fakes import FakeAws, FakePipeline

ARN = "arn:aws:iam::111111111111:user/ops"
GRANT = ("supply-chain", "--for", "7d", "--reason", "the index  is down")


@pytest.fixture
def parameter(aws: FakeAws) -> dict[str, str]:
    """Parameter Store, by name."""
    kept: dict[str, str] = {}

    def missing(operation: str) -> Exception:
        error: Exception = aws.client("ssm").error("ParameterNotFound", "", operation)
        return error

    def put(**asked: Any) -> dict[str, Any]:
        kept[asked["Name"]] = asked["Value"]
        return {"Version": 1, "Tier": "Standard"}

    def get(**asked: Any) -> Any:
        value = kept.get(asked["Name"])
        if value is None:
            return missing("GetParameter")
        return {"Parameter": {"Name": asked["Name"], "Value": value}}

    def delete(**asked: Any) -> Any:
        return {} if kept.pop(asked["Name"], None) else missing("DeleteParameter")

    aws.answers |= {
        ("sts", "get_caller_identity"): {"Account": "111111111111", "Arn": ARN},
        ("ssm", "put_parameter"): put,
        ("ssm", "get_parameter"): get,
        ("ssm", "delete_parameter"): delete,
    }
    return kept


@pytest.fixture
def pithead(
    folder: Path, aws: FakeAws, parameter: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    git(folder, "config", "user.name", "Jane Doe")
    monkeypatch.setattr("console.commands.override.connect", lambda _: (aws, "using a test"))
    monkeypatch.setattr("console.commands.override.announced_speed", lambda _: 60.0)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["pithead", "override", *arguments])
        return cli.main()

    return run


def refused(aws: FakeAws, pipeline: FakePipeline, *reports: GateReport) -> None:
    """Add a newest execution that failed at a gate; its build exported these reports."""
    pipeline.execution("newest", 10, commit="c" * 40, status="Failed", updated=100)
    pipeline.stage("newest", "Source", 10, 12)
    pipeline.action("newest", "Build", "Synth", 12, 100, status="Failed", external="synth:1")
    aws.answers |= {
        ("codebuild", "batch_get_builds"): builds({"synth:1": reports}),
        ("codepipeline", "retry_stage_execution"): {"pipelineExecutionId": "newest"},
    }


AUDIT = GateReport("supply_chain", "refused", "could not run, which refuses: no route to host")
HOLE = GateReport("security", "refused", "1 finding")


def test_a_grant_is_recorded_and_the_refused_stage_is_retried(
    pithead: Callable[..., int],
    aws: FakeAws,
    pipeline: FakePipeline,
    parameter: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(aws, pipeline, AUDIT)
    assert pithead(*GRANT) == 0
    granted = Override.model_validate_json(parameter[OVERRIDE_PARAMETER])
    assert granted == Override(
        until=START + timedelta(days=7), reason="the index is down", by=f"Jane Doe ({ARN})"
    )
    assert granted.problem_at(START) is None
    assert capsys.readouterr().out.splitlines() == [
        "supply-chain: override until 2026-01-08 12:00 UTC by the cloud's clock: "
        "in 2 h 48 m here, at speed 60",
        f"  by Jane Doe ({ARN}): the index is down",
        "Stage Build is retried. Next: pithead release ccccccc follows it",
    ]
    (retry,) = [each for each in aws.asked if each[1] == "retry_stage_execution"]
    assert retry[3] == {
        "pipelineName": "pithead",
        "stageName": "Build",
        "pipelineExecutionId": "newest",
        "retryMode": "FAILED_ACTIONS",
    }


@pytest.mark.parametrize(
    ("reports", "why"),
    [
        ((AUDIT, HOLE), "security refused execution newest too"),
        (
            (HOLE,),
            "execution newest was not refused by supply_chain",
        ),
        ((), "execution newest was not refused by supply_chain"),
    ],
)
def test_an_execution_that_the_override_does_not_permit_is_not_retried(
    reports: tuple[GateReport, ...],
    why: str,
    pithead: Callable[..., int],
    aws: FakeAws,
    pipeline: FakePipeline,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(aws, pipeline, *reports)
    assert pithead(*GRANT) == 0
    assert capsys.readouterr().out.endswith(
        f"Nothing is retried: {why}. Next: pithead release ccccccc\n"
    )
    assert not [each for each in aws.asked if each[1] == "retry_stage_execution"]


@pytest.mark.parametrize("code", ["StageNotRetryableException", "ConflictException"])
def test_a_retry_that_aws_rejects_is_printed_with_its_reason(
    code: str,
    pithead: Callable[..., int],
    aws: FakeAws,
    pipeline: FakePipeline,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(aws, pipeline, AUDIT)
    aws.answers[("codepipeline", "retry_stage_execution")] = aws.client("codepipeline").error(
        code, "the pipeline was changed since", "RetryStageExecution"
    )
    assert pithead(*GRANT) == 0
    assert "Nothing is retried: the pipeline was changed since. " in capsys.readouterr().out


def test_before_the_first_execution_there_is_nothing_to_retry(
    pithead: Callable[..., int], pipeline: FakePipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pithead(*GRANT) == 0
    assert capsys.readouterr().out.endswith(
        "Nothing is retried: the pipeline has no execution yet. Next: pithead release\n"
    )


def test_an_override_is_shown_until_it_is_withdrawn(
    pithead: Callable[..., int],
    aws: FakeAws,
    pipeline: FakePipeline,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert pithead() == 0
    assert capsys.readouterr().out == "supply-chain: no override\n"
    assert pithead(*GRANT) == 0
    capsys.readouterr()
    aws.now += timedelta(days=6)
    assert pithead("supply-chain") == 0
    assert capsys.readouterr().out.splitlines() == [
        "supply-chain: override until 2026-01-08 12:00 UTC by the cloud's clock: "
        "in 24 m 00 s here, at speed 60",
        f"  by Jane Doe ({ARN}): the index is down",
    ]
    assert pithead("supply-chain", "--withdraw") == 0
    assert pithead("supply-chain", "--withdraw") == 0
    assert capsys.readouterr().out.splitlines() == [
        "supply-chain: the override is withdrawn", "supply-chain: no override",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("forever", "it is malformed: Invalid JSON"),
        (json.dumps({"until": "2026-01-01T11:00:00Z", "reason": "down", "by": "x"}), "it expired"),
        (json.dumps({"until": "2026-02-01T11:00:00Z", "reason": "down", "by": "x"}), "it lasts"),
    ],
)
def test_an_override_that_does_not_apply_is_shown_with_its_problem(
    value: str,
    problem: str,
    pithead: Callable[..., int],
    parameter: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    parameter[OVERRIDE_PARAMETER] = value
    assert pithead() == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"supply-chain: the override does not apply: {problem}")
    assert second == "Next: pithead override supply-chain --withdraw"


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("supply-chain", "--for", "8d", "--reason", "down"), "'8d'; allowed is at most 7d"),
        (("supply-chain", "--for", "169h", "--reason", "down"), "allowed is at most 7d"),
        (("supply-chain", "--for", "0d", "--reason", "down"), "durations such as"),
        (("supply-chain", "--for", "soon", "--reason", "down"), "durations such as"),
        (("supply-chain", "--for", "1d"), "--for and --reason: found one of them"),
        (("supply-chain", "--reason", "down"), "--for and --reason: found one of them"),
        (
            ("supply-chain", "--for", "1d", "--reason", "  x "),
            "found 1 characters; allowed are 3 to 500",
        ),
        (("supply-chain", "--for", "1d", "--reason", "x" * 501), "found 501 characters"),
        (("supply-chain", "--withdraw", "--for", "1d"), "--withdraw: found with --for or --reason"),
        (("security",), "'security' is not 'supply-chain'"),
    ],
)
def test_wrong_usage_exits_2_and_grants_nothing(
    arguments: tuple[str, ...],
    printed: str,
    pithead: Callable[..., int],
    parameter: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert pithead(*arguments) == 2
    assert printed in " ".join(capsys.readouterr().err.split())
    assert parameter == {}


def test_the_rehearsal_grants_an_override_in_the_same_way(
    aws: FakeAws, parameter: dict[str, str]
) -> None:
    audit.override(aws, "no route to host" * 100)
    found = overrides.current(aws)
    assert found is not None
    assert found.problem is None
    assert found.override is not None
    assert found.override.until == START + timedelta(days=1)
    assert found.override.by == f"pithead rehearse ({ARN})"
