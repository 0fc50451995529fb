from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from console import following
from console.errors import ConsoleError
from console.following import follow
from environments.schema import load_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.following import Snapshot
    from console.promotion import Outcome
    from pipeline.canary.record import Record

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
COMMIT = "c0ffee" + "0" * 34
ALARM = "files-prod-version-3-failures"
ALIAS = "arn:aws:lambda:eu-west-1:444444444444:function:files:live"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Prod:
    """The answers of production's account: a stack, an alias, at most one deployment."""

    def __init__(self, aws: Any) -> None:
        self.weights: dict[str, float] = {}
        self.version = "2"
        self.deployment: dict[str, Any] | None = None
        self.requests = {"2": [400.0, 330.0], "3": [50.0, 32.0]}
        self.failures = {"2": [0.0], "3": [17.0]}
        self.record: Record | None = None
        s3 = aws.client("s3")

        def decision(**asked: str) -> Any:
            assert asked == {"Bucket": "decisions", "Key": "decisions/d-SHIFT.json"}
            if self.record is None:
                return s3.error("NoSuchKey", "The specified key does not exist.", "GetObject")
            return {"Body": io.BytesIO(self.record.text().encode())}

        resources = {
            "AWS::Lambda::Alias": ALIAS,
            "AWS::CodeDeploy::Application": "application",
            "AWS::CodeDeploy::DeploymentGroup": "group",
        }
        aws.answers |= {
            ("cloudformation", "describe_stacks"): {
                "Stacks": [
                    {
                        "StackName": "prod-files",
                        "CreationTime": START,
                        "StackStatus": "UPDATE_COMPLETE",
                        "Outputs": [
                            {"OutputKey": "Url", "OutputValue": "http://127.0.0.1/prod/"},
                            {"OutputKey": "Decisions", "OutputValue": "decisions"},
                        ],
                    }
                ]
            },
            ("cloudformation", "describe_stack_resources"): {
                "StackResources": [
                    {
                        "LogicalResourceId": kind,
                        "PhysicalResourceId": physical,
                        "ResourceType": kind,
                        "ResourceStatus": "CREATE_COMPLETE",
                        "Timestamp": START,
                    }
                    for kind, physical in resources.items()
                ]
            },
            ("lambda", "get_alias"): lambda **_: {
                "FunctionVersion": self.version,
                "RoutingConfig": {"AdditionalVersionWeights": self.weights},
            },
            ("codedeploy", "list_deployments"): lambda **_: {
                "deployments": ["d-ROLLBACK", "d-SHIFT"] if self.deployment else []
            },
            ("codedeploy", "get_deployment"): lambda **asked: {
                "deploymentInfo": self.deployment
                if asked["deploymentId"] == "d-SHIFT"
                else {
                    "deploymentId": "d-ROLLBACK",
                    "createTime": at(999),
                    "status": "Succeeded",
                    "creator": "codeDeployRollback",
                }
            },
            ("codedeploy", "list_deployment_targets"): {"targetIds": ["files:live"]},
            ("codedeploy", "get_deployment_target"): {
                "deploymentTarget": {
                    "deploymentTargetType": "LambdaFunction",
                    "lambdaTarget": {
                        "lambdaFunctionInfo": {"currentVersion": "2", "targetVersion": "3"}
                    },
                }
            },
            ("cloudwatch", "get_metric_data"): self.metrics,
            ("s3", "get_object"): decision,
            ("cloudwatch", "describe_alarm_history"): lambda **asked: {
                "AlarmHistoryItems": [
                    self.history(asked["AlarmName"], "OK", 90, ""),
                    self.history(asked["AlarmName"], "ALARM", 80, "1 datapoint was above 0.05"),
                ]
            },
        }

    def metrics(self, **asked: Any) -> dict[str, Any]:
        results = []
        for query in asked["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            version = next(
                each["Value"] for each in metric["Dimensions"] if each["Name"] == "version"
            )
            counted = self.requests if metric["MetricName"] == "Requests" else self.failures
            results.append({"Id": query["Id"], "Values": counted[version]})
        return {"MetricDataResults": results}

    @staticmethod
    def history(alarm: str, state: str, seconds: float, reason: str) -> dict[str, Any]:
        new = {"stateValue": state, "stateReason": reason}
        return {
            "AlarmName": alarm,
            "Timestamp": at(seconds),
            "HistoryItemType": "StateUpdate",
            "HistoryData": json.dumps({"version": "1.0", "newState": new}),
        }

    def shift(self, status: str, **more: Any) -> None:
        self.deployment = {
            "deploymentId": "d-SHIFT",
            "createTime": at(60),
            "startTime": at(61),
            "status": status,
            "creator": "CloudFormation",
        } | more


@pytest.fixture
def prod(aws: Any) -> Prod:
    return Prod(aws)


def played(aws: Any, *steps: Callable[[], None], **options: Any) -> list[Snapshot]:
    """Follow the commit; before each further look the next step of the story happens."""
    left = list(steps)

    def rest(_seconds: float) -> None:
        assert left, "the story is over, and the end was not seen"
        aws.now += timedelta(seconds=30)
        left.pop(0)()

    snapshots = list(follow(aws, load_all(), COMMIT, rest=rest, **options))
    assert not left
    return snapshots


def outcome_of(snapshots: list[Snapshot]) -> Outcome:
    assert [each.outcome for each in snapshots[:-1]] == [None] * (len(snapshots) - 1)
    outcome = snapshots[-1].outcome
    assert outcome is not None
    return outcome


def to_prod(pipeline: Any, execution: str = "one") -> None:
    """All stages before prod, and the change set of prod."""
    for index, stage in enumerate(("Source", "Build", "UpdatePipeline", "staging")):
        pipeline.stage(execution, stage, index * 10, index * 10 + 10)
    pipeline.action(execution, "prod", "files.Prepare", 50, 55)


def test_a_promoted_commit(aws: Any, pipeline: Any, prod: Prod) -> None:
    prod.failures["3"] = [0.0]

    def begun() -> None:
        pipeline.execution("one", 0, commit=COMMIT)
        to_prod(pipeline)
        pipeline.action("one", "prod", "files.Deploy", 56, 56, status="InProgress")

    def canary() -> None:
        prod.shift("InProgress")
        prod.weights = {"3": 0.1}

    def shifted() -> None:
        prod.shift("Succeeded", completeTime=at(400))
        prod.version, prod.weights = "3", {}
        pipeline.details["one"].pop()
        pipeline.action("one", "prod", "files.Deploy", 56, 400)

    def baked() -> None:
        pipeline.execution("one", 0, commit=COMMIT, status="Succeeded", updated=580)

    snapshots = played(aws, begun, canary, shifted, baked)

    assert [each.is_first for each in snapshots] == [True, *[False] * (len(snapshots) - 1)]
    outcome = outcome_of(snapshots)
    assert (outcome.ending, outcome.self_mutated, outcome.seconds) == ("promoted", False, 580)
    assert [each.status for each in outcome.stages] == ["Succeeded"] * 5
    assert outcome.canary is not None
    assert outcome.canary.deployment_id == "d-SHIFT"
    assert outcome.canary.stopped_by is None
    assert [percent for _, percent in outcome.canary.weights] == [10, 100]
    assert outcome.canary.traffic.requests == 812
    assert outcome.canary.traffic.canary_requests == 82
    assert [each.canary.percent if each.canary else None for each in snapshots] == [
        None, None, 10, 100, 100,
    ]  # fmt: skip


def stopped_by(aws: Any, pipeline: Any, prod: Prod, alarm: str) -> Outcome:
    """The story of a shift that an alarm stops."""
    pipeline.execution("one", 0, commit=COMMIT)
    to_prod(pipeline)
    pipeline.action("one", "prod", "files.Deploy", 56, 56, status="InProgress")
    prod.shift("InProgress")
    prod.weights = {"3": 0.1}

    def stopped() -> None:
        prod.weights = {}
        prod.shift(
            "Stopped",
            completeTime=at(85),
            errorInformation={
                "code": "ALARM_ACTIVE",
                "message": f"… have been stopped. Activated alarms: <{alarm}>",
            },
        )

    def failed() -> None:
        pipeline.details["one"].pop()
        pipeline.action(
            "one", "prod", "files.Deploy", 56, 100, status="Failed", message="UPDATE_ROLLBACK"
        )
        pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=100)

    return outcome_of(played(aws, stopped, failed))


def test_a_canary_that_an_alarm_stops(aws: Any, pipeline: Any, prod: Prod) -> None:
    outcome = stopped_by(aws, pipeline, prod, ALARM)

    assert outcome.ending == "rolled_back"
    assert outcome.sentence == (
        f"the alarm {ALARM} stopped the shift in prod: 1 datapoint was above 0.05"
    )
    assert outcome.canary is not None
    assert outcome.canary.stopped_by == ALARM
    assert [percent for _, percent in outcome.canary.weights] == [10, 0]
    assert outcome.canary.traffic.canary_failures == 17
    # What is asked about the deployment is asked in production's account.
    asked = {account for service, _, account, _ in aws.asked if service == "codedeploy"}
    assert asked == {"444444444444"}


@pytest.mark.parametrize(
    ("alarm", "sentence"),
    [
        ("evidence", "The new version is worse: 40 of 80 (50.0%) of its requests failed, and 0 of"),
        ("heartbeat", "1 datapoint was above 0.05"),
        ("failures", "1 datapoint was above 0.05"),
    ],
)
def test_the_judge_tells_why_where_it_was_the_judge(
    aws: Any, pipeline: Any, prod: Prod, decided: Any, alarm: str, sentence: str
) -> None:
    prod.record = decided()
    outcome = stopped_by(aws, pipeline, prod, f"files-prod-version-3-{alarm}")
    assert outcome.canary is not None
    assert outcome.canary.record == prod.record
    assert outcome.canary.stopped_by == f"files-prod-version-3-{alarm}"
    assert outcome.canary.reason.startswith(sentence)
    assert sentence in outcome.sentence


def test_a_shift_that_the_judge_did_not_let_end_well(
    aws: Any, pipeline: Any, prod: Prod, decided: Any
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=700)
    to_prod(pipeline)
    pipeline.action("one", "prod", "files.Deploy", 56, 700, status="Failed")
    prod.record = decided()
    information = {"code": "HOOK_EXECUTION_FAILURE", "message": "AfterAllowTraffic failed."}
    prod.shift("Failed", completeTime=at(650), errorInformation=information)
    outcome = outcome_of(played(aws))
    assert outcome.ending == "rolled_back"
    assert outcome.sentence.startswith(
        "CodeDeploy stopped the shift in prod: the judge did not let it pass: The new version is "
    )


def test_an_alias_that_did_not_come_back_is_no_rollback(
    aws: Any, pipeline: Any, prod: Prod
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=100)
    to_prod(pipeline)
    pipeline.action("one", "prod", "files.Deploy", 56, 100, status="Failed")
    prod.weights = {"3": 0.1}
    information = {"code": "INTERNAL_ERROR", "message": "The role may not do so."}
    prod.shift("Failed", completeTime=at(85), errorInformation=information)

    outcome = outcome_of(played(aws))

    assert outcome.ending == "error"
    assert "CodeDeploy stopped the shift in prod: The role may not do so" in outcome.sentence
    assert "version 3 still has 10 % of the traffic" in outcome.sentence


def test_a_refused_commit_is_told_in_the_gates_own_words(
    aws: Any, pipeline: Any, prod: Prod
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=60)
    for index, stage in enumerate(("Source", "Build", "UpdatePipeline")):
        pipeline.stage("one", stage, index * 10, index * 10 + 10)
    pipeline.action("one", "staging", "files.Deploy", 31, 40)
    pipeline.action(
        "one", "staging", "Load", 41, 60, status="Failed", external="load:1", message="exit 1"
    )
    log = {"groupName": "builds", "streamName": "load/1"}
    aws.answers |= {
        ("codebuild", "batch_get_builds"): {"builds": [{"id": "load:1", "logs": log}]},
        ("logs", "get_log_events"): {
            "events": [
                {"timestamp": 0, "message": "gate load: refused: p95 was 312 ms; 250 are allowed."}
            ]
        },
    }

    outcome = outcome_of(played(aws))

    assert (outcome.ending, outcome.gate) == ("refused", "load")
    assert outcome.sentence == "the gate load refused: p95 was 312 ms; 250 are allowed"


def test_a_failure_without_a_gate_is_an_error_in_awss_words(
    aws: Any, pipeline: Any, prod: Prod
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=20)
    pipeline.stage("one", "Source", 0, 1)
    pipeline.action("one", "Build", "Synth", 1, 20, status="Failed", message="Build timed out.")

    outcome = outcome_of(played(aws))

    assert (outcome.ending, outcome.gate) == ("error", None)
    assert outcome.sentence == "Build/Synth failed: Build timed out"


def test_a_pipeline_that_changes_itself_is_followed_through(
    aws: Any, pipeline: Any, prod: Prod
) -> None:
    pipeline.execution("one", 0, commit=COMMIT)
    for index, stage in enumerate(("Source", "Build", "UpdatePipeline")):
        pipeline.stage("one", stage, index * 10, index * 10 + 10)

    def cancelled() -> None:
        pipeline.execution("one", 0, commit=COMMIT, status="Cancelled", updated=31)

    def again() -> None:
        pipeline.execution("two", 30, commit=None)

    def ended() -> None:
        pipeline.execution("two", 30, commit=COMMIT, status="Succeeded", updated=90)
        for index, stage in enumerate(pipeline.STAGES):
            pipeline.stage("two", stage, 30 + index * 10, 40 + index * 10)

    outcome = outcome_of(played(aws, cancelled, again, ended))

    assert (outcome.ending, outcome.self_mutated, outcome.seconds) == ("promoted", True, 90)
    assert [each.id for each in outcome.executions] == ["one", "two"]
    assert outcome.stages[0].started == at(30)


def test_a_bake_that_fails_is_waited_for_until_it_is_rolled_back(
    aws: Any, pipeline: Any, prod: Prod
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=500)
    to_prod(pipeline)
    pipeline.action("one", "prod", "files.Deploy", 56, 400)
    pipeline.bake("one", 400, 500, status="Failed", message=f"Alarm {ALARM} is red")
    prod.shift("Succeeded")

    # The rollback is in the stage before the failed execution is told to have ended.
    pipeline.in_stage("back", "prod", "InProgress")

    def rolling() -> None:
        pipeline.execution("back", 501, commit="older", kind="ROLLBACK")
        pipeline.action("back", "prod", "files.Deploy", 501, 501, status="InProgress")

    def back() -> None:
        pipeline.execution(
            "back", 501, commit="older", kind="ROLLBACK", status="Succeeded", updated=560
        )

    outcome = outcome_of(played(aws, rolling, back))

    assert outcome.ending == "rolled_back"
    assert outcome.sentence == f"the bake in prod found it bad: Alarm {ALARM} is red; it went back"
    assert outcome.rollback is not None
    assert (outcome.rollback.id, outcome.seconds) == ("back", 560)


def test_a_bake_that_cannot_be_rolled_back_is_an_error(
    aws: Any, pipeline: Any, prod: Prod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_AT_ONCE", 0.0)
    why = "Stage prod could not be rolled back"
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=500, summary=why)
    to_prod(pipeline)
    pipeline.action("one", "prod", "files.Deploy", 56, 400)
    pipeline.bake("one", 400, 500, status="Failed", message=f"Alarm {ALARM} is red")

    outcome = outcome_of(played(aws))

    assert outcome.ending == "error"
    assert why in outcome.sentence


def test_what_was_there_before_is_not_taken_for_the_release(aws: Any, pipeline: Any) -> None:
    pipeline.execution("old", 0, commit=COMMIT, status="Failed", updated=20)

    def anew() -> None:
        pipeline.execution("new", 50, commit=COMMIT, status="Succeeded", updated=90)

    outcome = outcome_of(played(aws, anew, ignore=frozenset({"old"})))
    assert [each.id for each in outcome.executions] == ["new"]


def test_a_commit_that_no_execution_carries_is_given_up(
    aws: Any, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_PATIENCE", 0.0)
    with pytest.raises(ConsoleError, match="no execution of the pipeline pithead carries c0ffee"):
        played(aws)


def test_a_stopped_execution_is_an_error_with_its_reason(aws: Any, pipeline: Any) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Stopped", summary="not on a Friday")
    outcome = outcome_of(played(aws))
    assert outcome.sentence == "the execution ended as Stopped: not on a Friday"


def test_an_account_that_cannot_be_read_is_told_of_and_does_not_end_it(
    aws: Any, pipeline: Any, prod: Prod
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Succeeded", updated=400)
    to_prod(pipeline)
    pipeline.action("one", "prod", "files.Deploy", 56, 400)
    plain = aws.client

    def client(service: str, place: Any = None) -> Any:
        if place is not None:
            raise ConsoleError("account 444444444444 cannot be read: AccessDenied")
        return plain(service)

    aws.client = client
    snapshots = played(aws)
    assert outcome_of(snapshots).ending == "promoted"
    assert snapshots[-1].unseen == "account 444444444444 cannot be read: AccessDenied"
