from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from console.release.canary import Canary
from console.release.executions import Action, Execution, Stage
from console.release.next_steps import next_steps
from console.release.promotion import Outcome
from environments.schema import load, load_home
from pipeline.gates.report.gate_report import GateReport
from tests.console.fakes import COMMIT, TOO_MANY_BUILDS, at

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.release.promotion import Ending
    from pipeline.judge.statistics.record import Record
    from tests.console.fakes import FakeAws, FakePipeline

CONNECTION = "arn:aws:codeconnections:eu-west-1:111111111111:connection/1"

PLACES = {"prod": load("prod")}


def build(name: str, status: str = "Failed") -> Action:
    return Action(name, "CodeBuild", status, at(0), at(9), f"{name}:1", "exit status 127")


def unstarted(name: str) -> Action:
    return Action(name, "CodeBuild", "Failed", at(0), at(9), "", TOO_MANY_BUILDS)


def ended(ending: Ending, *stages: Stage, reports: tuple[GateReport, ...] = ()) -> Outcome:
    last = Execution(
        "e1234567-89", "Failed", "", COMMIT, rollback=False, started=at(0), updated=at(9),
        stages=stages,
    )  # fmt: skip
    return Outcome(
        ending=ending,
        sentence="…",
        commit=COMMIT,
        executions=(last,),
        gate=None,
        reports=reports,
        canary=None,
        at=at(9),
        wall=9.0,
        pace=1.0,
    )


def stage(name: str, *actions: Action) -> Stage:
    status = "Failed" if any(each.status == "Failed" for each in actions) else "Succeeded"
    return Stage(name, status, actions, at(0), at(9))


def commands(aws: FakeAws, outcome: Outcome) -> list[str]:
    return [each.command for each in next_steps(aws, load_home(), PLACES, outcome)]


def test_a_promotion_has_no_next_steps(aws: FakeAws) -> None:
    assert commands(aws, ended("promoted")) == []


def test_a_rollback_has_the_evidence_and_the_ways_on(
    aws: FakeAws, decided: Callable[..., Record]
) -> None:
    canary = Canary("prod", "d-SHIFT", "Stopped", at(0), "2", "3", record=decided())
    outcome = replace(ended("rolled_back"), canary=canary)
    assert commands(aws, outcome) == [
        "pithead logs prod --since 1d",
        "pithead judge replay d-SHIFT",
        "git revert --no-edit c0ffee0 && pithead release",
        'pithead release --again --reason "…"',
    ]


def test_a_rollback_of_a_throttled_release_has_the_quotas_first(aws: FakeAws) -> None:
    canary = Canary("prod", "d-SHIFT", "Stopped", at(0), "2", "3", throttles=40)
    outcome = replace(ended("rolled_back"), canary=canary)
    assert commands(aws, outcome)[0] == "pithead preflight"


def test_a_refusal_has_the_log_and_the_gate_to_run_here(aws: FakeAws) -> None:
    unit, load = GateReport("unit", "refused", "1 of 9"), GateReport("load", "refused", "slow")
    synth, sent = build("Synth"), build("Load")
    assert commands(aws, ended("refused", stage("Build", synth), reports=(unit,))) == [
        "pithead logs build --execution e1234567 --action Synth",
        "pithead gates unit",
        "pithead release",
    ]
    # A gate that needs a deployed environment cannot run on a checkout.
    assert commands(aws, ended("refused", stage("staging", sent), reports=(load,))) == [
        "pithead logs build --execution e1234567 --action Load",
        "pithead release",
    ]


def test_a_throttled_gate_needs_a_quota_and_no_commit(aws: FakeAws) -> None:
    load = GateReport("load", "refused", "could not run", rules=("throttled",))
    outcome = ended("refused", stage("staging", build("Load")), reports=(load,))
    assert commands(aws, outcome)[1:] == ["pithead preflight", "pithead release"]
    assert next_steps(aws, load_home(), PLACES, outcome)[-1].purpose == (
        "after the limit that the gate names is raised"
    )


def test_builds_that_did_not_start_need_a_quota_and_no_commit(aws: FakeAws) -> None:
    passed = GateReport("security", "passed", "nothing found")
    builds = (build("Security", "Succeeded"), unstarted("SupplyChain"), unstarted("Changes"))
    outcome = ended("error", stage("Build", build("Synth", "Succeeded")), stage("Verify", *builds),
                    reports=(passed,))  # fmt: skip
    assert commands(aws, outcome) == [
        "pithead preflight",
        "aws service-quotas request-service-quota-increase --service-code codebuild "
        "--quota-code L-9D07B6EF --desired-value 3 --region eu-west-1",
        "aws codepipeline retry-stage-execution --pipeline-name pithead --stage-name Verify "
        "--pipeline-execution-id e1234567-89 --retry-mode FAILED_ACTIONS",
        "pithead release",
    ]


def test_a_refusal_beside_builds_that_did_not_start_needs_both(
    aws: FakeAws,
) -> None:
    refused = GateReport("security", "refused", "1 finding")
    verify = stage("Verify", build("Security"), unstarted("SupplyChain"))
    logs, preflight, increase, *rest = commands(aws, ended("refused", verify, reports=(refused,)))
    assert logs.endswith("--action Security")
    assert preflight == "pithead preflight"
    assert increase.startswith("aws service-quotas request-service-quota-increase ")
    assert rest == ["pithead gates security", "pithead release"]


@pytest.mark.parametrize(
    ("buildspec", "context"),
    [('{"commands": ["cdk synth -c bundle=host"]}', " -c bundle=host"), ("{}", "")],
)
def test_a_build_that_cannot_run_needs_a_deployment(
    aws: FakeAws, pipeline: FakePipeline, buildspec: str, context: str
) -> None:
    aws.answers |= {
        ("codebuild", "batch_get_builds"): {"builds": [{"projectName": "p"}]},
        ("codebuild", "batch_get_projects"): {
            "projects": [{"source": {"type": "CODEPIPELINE", "buildspec": buildspec}}]
        },
    }
    assert commands(aws, ended("error", stage("Build", build("Synth")))) == [
        "pithead logs build --execution e1234567 --action Synth",
        "pithead release",
        f"npx --yes aws-cdk@2.1148.1 deploy Pithead -c connection-arn={CONNECTION}{context}",
        "pithead release",
    ]


@pytest.mark.parametrize(
    ("stages", "reports"),
    [
        ((stage("Build", build("Synth")),), (GateReport("unit", "passed", "9 tests"),)),
        ((stage("Build", build("Synth", "Succeeded")), stage("Verify", build("Security"))), ()),
    ],
)
def test_a_build_that_a_commit_fixes_needs_no_deployment(
    aws: FakeAws, stages: tuple[Stage, ...], reports: tuple[GateReport, ...]
) -> None:
    _log, *rest = commands(aws, ended("error", *stages, reports=reports))
    assert rest == ["pithead release"]


@pytest.fixture
def deployment(aws: FakeAws) -> Any:
    """Set the status and the events of a stack after a failed deployment."""
    failed = Action("Deploy", "CloudFormation", "Failed", at(0), at(9), "", "It failed")

    def left(status: str, *events: tuple[str, str, str]) -> Outcome:
        stack = {"StackName": "prod-files", "CreationTime": at(0), "StackStatus": status}
        stack_events = [
            {
                "StackId": "s", "EventId": name, "StackName": "prod-files", "Timestamp": at(0),
                "LogicalResourceId": name, "PhysicalResourceId": name.lower(),
                "ResourceType": kind, "ResourceStatus": became,
            }
            for name, kind, became in events
        ]  # fmt: skip
        aws.answers |= {
            ("cloudformation", "describe_stacks"): {"Stacks": [stack]},
            ("cloudformation", "describe_stack_events"): {"StackEvents": stack_events},
        }
        return ended("error", stage("prod", failed))

    return left


def test_a_first_deployment_that_failed_is_deleted_before_the_next(
    aws: FakeAws, deployment: Callable[..., Outcome]
) -> None:
    """CloudFormation never updates a stack in ROLLBACK_COMPLETE (aws-cdk#901)."""
    outcome = deployment(
        "ROLLBACK_COMPLETE",
        ("Old", "AWS::S3::Bucket", "DELETE_SKIPPED"),
        ("Key", "AWS::KMS::Key", "DELETE_SKIPPED"),
        ("New", "AWS::S3::Bucket", "DELETE_COMPLETE"),
        ("New", "AWS::S3::Bucket", "DELETE_FAILED"),
    )
    assert commands(aws, outcome) == [
        "aws cloudformation delete-stack --stack-name prod-files --region eu-west-1",
        "aws cloudformation wait stack-delete-complete --stack-name prod-files --region eu-west-1",
        "aws s3 rb s3://old",
        "aws kms schedule-key-deletion --key-id key --region eu-west-1",
        "pithead release",
    ]
    first = next_steps(aws, load_home(), PLACES, outcome)[0]
    assert "with credentials of account 444444444444" in first.purpose
    assert "ROLLBACK_COMPLETE" in first.purpose
    assert {account for service, _, account, _ in aws.asked if service == "cloudformation"} == {
        "444444444444"
    }


def test_a_deployment_that_failed_is_retried_with_all_actions(
    aws: FakeAws, deployment: Callable[..., Outcome]
) -> None:
    """The failed action's change set was deleted (aws-cdk#11995, aws-cdk#21677)."""
    retry = (
        "aws codepipeline retry-stage-execution --pipeline-name pithead --stage-name prod "
        "--pipeline-execution-id e1234567-89 --retry-mode ALL_ACTIONS"
    )
    assert commands(aws, deployment("UPDATE_ROLLBACK_COMPLETE")) == [retry, "pithead release"]
    assert commands(aws, deployment("UPDATE_ROLLBACK_FAILED")) == [
        "aws cloudformation continue-update-rollback --stack-name prod-files --region eu-west-1",
        retry,
        "pithead release",
    ]


def test_an_interrupted_execution_is_started_again_by_a_release(aws: FakeAws) -> None:
    started = Action("Source", "CodeStarSourceConnection", "Failed", at(0), at(9), "", "Gone")
    (step,) = next_steps(aws, load_home(), PLACES, ended("error", stage("Source", started)))
    assert (step.command, step.purpose) == (
        "pithead release",
        "starts a new execution of this commit",
    )
