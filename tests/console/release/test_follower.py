from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from console.errors import ConsoleError
from console.release import follower
from console.release.follower import follow
from console.release.next_steps import next_steps
from environments.schema import load_all, load_home
from pipeline.gates.report.gate_report import GateReport
from pipeline.judge.statistics.condemnation import Condemnation
from tests.console.fakes import COMMIT, OLD, TOO_MANY_BUILDS, FakeLineage, at, builds

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.release.promotion import Outcome
    from console.release.snapshot import Snapshot
    from pipeline.judge.statistics.record import Record
    from tests.console.fakes import FakeAws, FakePipeline
    from tests.console.production import Prod

ALARM = "files-prod-version-3-failures"


def played(aws: FakeAws, *steps: Callable[[], None], **options: Any) -> list[Snapshot]:
    """Follow the commit; before each further poll the next step of the story happens."""
    left = list(steps)

    def rest(_seconds: float) -> None:
        assert left, "the story is over, and the end was not seen"
        aws.now += timedelta(seconds=30)
        left.pop(0)()

    lineage = options.pop("lineage", FakeLineage())
    snapshots = list(follow(aws, load_all(), lineage, COMMIT, rest=rest, **options))
    assert not left
    return snapshots


def outcome_of(snapshots: list[Snapshot]) -> Outcome:
    assert [each.outcome for each in snapshots[:-1]] == [None] * (len(snapshots) - 1)
    outcome = snapshots[-1].outcome
    assert outcome is not None
    return outcome


def to_prod(pipeline: FakePipeline, execution: str = "one") -> None:
    """Add all stages before prod, and the change set of prod."""
    for index, stage in enumerate(("Source", "Build", "UpdatePipeline", "staging")):
        pipeline.stage(execution, stage, index * 10, index * 10 + 10)
    pipeline.action(execution, "prod", "files.Prepare", 50, 55)


def test_a_promoted_commit(aws: FakeAws, pipeline: FakePipeline, prod: Prod) -> None:
    prod.failures["3"] = [0.0]

    def begun() -> None:
        pipeline.execution("one", 0, commit=COMMIT)
        to_prod(pipeline)
        pipeline.action("one", "prod", "files.Deploy", 56, 56, status="InProgress")

    def canary() -> None:
        prod.shift("InProgress")
        prod.weights = {"3": 0.1}

    def shifted() -> None:
        prod.version, prod.weights = "3", {}
        prod.bake = {"startTime": at(400)}

    def baked() -> None:
        prod.shift("Succeeded", completeTime=at(570))
        pipeline.details["one"].pop()
        pipeline.action("one", "prod", "files.Deploy", 56, 575)
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
    assert [bool(each.canary and each.canary.baking) for each in snapshots] == [
        False, False, False, True, False,
    ]  # fmt: skip
    assert outcome.canary.bake_began == at(400)
    assert outcome.canary.traffic.requests == 812
    assert outcome.canary.traffic.canary_requests == 82
    assert [each.canary.percent if each.canary else None for each in snapshots] == [
        None, None, 10, 100, 100,
    ]  # fmt: skip


def stopped_by(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod, alarm: str, code: str = "ALARM_ACTIVE"
) -> Outcome:
    """Return the story of a shift that an alarm stops."""
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
                "code": code,
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


@pytest.mark.parametrize("by", ["CodeDeploy", "the judge"])
def test_a_bake_that_an_alarm_stops(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod, decided: Callable[..., Record], by: str
) -> None:
    """Whether CodeDeploy or the judge reads the alarms during the hook."""
    prod.bake = {"startTime": at(70)}
    if by == "the judge":
        prod.record = decided((80, 0))
    aws.answers["cloudwatch", "describe_alarm_history"] = lambda **asked: {
        "AlarmHistoryItems": [prod.history(ALARM, "ALARM", 80, "1 datapoint was above 0.05")]
        if asked["AlarmName"] == ALARM
        else []
    }
    code = "ALARM_ACTIVE" if by == "CodeDeploy" else "HOOK_EXECUTION_FAILURE"
    outcome = stopped_by(aws, pipeline, prod, ALARM, code)

    assert outcome.ending == "rolled_back"
    assert outcome.canary is not None
    assert outcome.canary.stopped_by == ALARM
    assert outcome.sentence == (
        f"the alarm {ALARM} stopped the bake in prod: 1 datapoint was above 0.05"
    )


def test_a_canary_that_an_alarm_stops(aws: FakeAws, pipeline: FakePipeline, prod: Prod) -> None:
    outcome = stopped_by(aws, pipeline, prod, ALARM)

    assert outcome.ending == "rolled_back"
    assert outcome.sentence == (
        f"the alarm {ALARM} stopped the shift in prod: 1 datapoint was above 0.05"
    )
    assert outcome.canary is not None
    assert outcome.canary.stopped_by == ALARM
    assert [percent for _, percent in outcome.canary.weights] == [10, 0]
    assert outcome.canary.traffic.canary_failures == 17
    # The deployment is read from production's account.
    asked = {account for service, _, account, _ in aws.asked if service == "codedeploy"}
    assert asked == {"444444444444"}


def test_a_canary_that_was_throttled_is_not_blamed_alone(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    """Customers' journeys fail with either version."""
    prod.throttles = [30.0, 10.0]
    alarm = "files-prod-version-3-synthetic"
    outcome = stopped_by(aws, pipeline, prod, alarm)

    assert outcome.ending == "rolled_back"
    assert outcome.sentence == (
        f"the alarm {alarm} stopped the shift in prod: 1 datapoint was above 0.05; until then "
        "Lambda throttled 40 requests, which reached no version: the cause may be the account's "
        "quota and not the commit"
    )


@pytest.mark.parametrize(
    ("alarm", "sentence"),
    [
        ("evidence", "The new version is worse: 40 of 80 (50.0%) of its requests failed, and 0 of"),
        ("testimony", "The new version is worse: 40 of 80 (50.0%) of its requests failed"),
        ("heartbeat", "1 datapoint was above 0.05"),
        ("failures", "1 datapoint was above 0.05"),
    ],
)
def test_a_stop_by_the_judge_has_the_judges_reason(
    aws: FakeAws,
    pipeline: FakePipeline,
    prod: Prod,
    decided: Callable[..., Record],
    alarm: str,
    sentence: str,
) -> None:
    prod.record = decided()
    outcome = stopped_by(aws, pipeline, prod, f"files-prod-version-3-{alarm}")
    assert outcome.canary is not None
    assert outcome.canary.record == prod.record
    assert outcome.canary.stopped_by == f"files-prod-version-3-{alarm}"
    assert outcome.canary.reason.startswith(sentence)
    assert sentence in outcome.sentence


@pytest.mark.parametrize(
    ("status", "code"), [("Failed", "HOOK_EXECUTION_FAILURE"), ("Stopped", "MANUAL_STOP")]
)
def test_a_shift_stopped_by_the_judge_itself(
    aws: FakeAws,
    pipeline: FakePipeline,
    prod: Prod,
    decided: Callable[..., Record],
    status: str,
    code: str,
) -> None:
    prod.record = decided()
    outcome = stopped_by_code(aws, pipeline, prod, status, code)
    assert outcome.ending == "rolled_back"
    assert outcome.sentence.startswith(
        "the judge stopped the shift in prod: The new version is worse: 40 of 80 (50.0%) "
    )


def test_a_shift_stopped_by_a_policy_of_the_judge_has_the_judges_reason(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod, decided: Callable[..., Record]
) -> None:
    """Also before the judge has written the outcome."""
    record = decided((80, 0))
    policy = replace(record.parameters, undecided="rollback")
    prod.record = replace(record, parameters=policy, verdict="undecided", outcome="in progress")
    outcome = stopped_by_code(aws, pipeline, prod, "Stopped", "MANUAL_STOP")
    assert outcome.sentence.startswith("the judge stopped the shift in prod: ")


def test_a_shift_stopped_by_a_person_is_not_called_the_judges(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod, decided: Callable[..., Record]
) -> None:
    prod.record = decided((80, 0))
    outcome = stopped_by_code(aws, pipeline, prod, "Stopped", "MANUAL_STOP")
    assert outcome.ending == "rolled_back"
    assert outcome.sentence == "CodeDeploy stopped the shift in prod: by alice"


def stopped_by_code(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod, status: str, code: str
) -> Outcome:
    """Return the outcome of a release whose shift ended with an error code."""
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=700)
    to_prod(pipeline)
    pipeline.action("one", "prod", "files.Deploy", 56, 700, status="Failed")
    information = {"code": code, "message": "by alice"}
    prod.shift(status, completeTime=at(650), errorInformation=information)
    return outcome_of(played(aws))


def test_a_condemned_version_is_reported_with_the_earlier_verdict(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod, decided: Callable[..., Record]
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=70)
    to_prod(pipeline)
    pipeline.action("one", "prod", "files.Deploy", 56, 70, status="Failed")
    before = decided()
    prod.record = replace(
        before, outcome="refused as condemned before", periods=(), evidence=(), verdict="undecided"
    )
    prod.condemnation = Condemnation(
        before.version_digest, "d-BEFORE", at(-60), "The new version is worse: 40 of 80 failed."
    )
    information = {"code": "HOOK_EXECUTION_FAILURE", "message": "BeforeAllowTraffic failed."}
    prod.shift("Failed", completeTime=at(65), errorInformation=information)
    outcome = outcome_of(played(aws))
    assert outcome.ending == "rolled_back"
    assert outcome.sentence == (
        "the judge refused version 3 in prod before it got traffic, because it condemned the same "
        "code and configuration in shift d-BEFORE at 2026-01-01 11:59:00 UTC: The new version is "
        "worse: 40 of 80 failed"
    )
    assert [each.command for each in next_steps(aws, load_home(), {}, outcome)] == [
        "pithead judge replay d-BEFORE",
        f"git revert --no-edit {COMMIT[:7]} && pithead release",
        'pithead release --again --reason "…"',
    ]

    prod.condemnation = None  # for every outcome, the record describes it
    assert outcome_of(played(aws)).sentence.startswith(
        "the judge refused version 3 in prod before it got traffic: The new version is worse: 40 of"
    )


def test_an_alias_that_did_not_return_is_no_rollback(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
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


def test_a_refused_commit_is_reported_in_the_gates_own_words(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=60)
    for index, stage in enumerate(("Source", "Build", "UpdatePipeline")):
        pipeline.stage("one", stage, index * 10, index * 10 + 10)
    pipeline.action("one", "staging", "files.Deploy", 31, 40)
    pipeline.action(
        "one", "staging", "Load", 41, 60, status="Failed", external="load:1", message="exit 1"
    )
    refusal = GateReport("load", "refused", "p95 was 312 ms.", "be faster")
    aws.answers[("codebuild", "batch_get_builds")] = builds({"load:1": [refusal]})

    outcome = outcome_of(played(aws))

    assert (outcome.ending, outcome.gate) == ("refused", "load")
    assert outcome.sentence == "the gate load refused: p95 was 312 ms. Next: be faster"


def test_a_failure_without_a_gate_is_an_error_in_awss_words(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=20)
    pipeline.stage("one", "Source", 0, 1)
    pipeline.action("one", "Build", "Synth", 1, 20, status="Failed", message="Build timed out.")

    outcome = outcome_of(played(aws))

    assert (outcome.ending, outcome.gate) == ("error", None)
    assert outcome.sentence == "Build/Synth failed: Build timed out"


def test_builds_that_did_not_start_are_not_blamed_on_the_commit(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=20)
    pipeline.stage("one", "Source", 0, 1)
    pipeline.action("one", "Build", "Synth", 1, 20)
    for name in ("SupplyChain", "Infrastructure"):
        pipeline.action("one", "Verify", name, 20, 21, status="Failed", message=TOO_MANY_BUILDS)

    outcome = outcome_of(played(aws))

    assert (outcome.ending, outcome.gate) == ("error", None)
    assert outcome.sentence == (
        "Verify: CodeBuild did not start Infrastructure and SupplyChain, because the quota "
        '"Concurrently running builds for Linux/Small environment" of the pipeline\'s account is '
        f"too small; this says nothing about the commit: {TOO_MANY_BUILDS}"
    )


def test_a_self_mutating_pipeline_is_followed_to_the_end(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    prod.version = "3"
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


def test_earlier_executions_are_not_taken_for_the_release(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    prod.version = "3"
    pipeline.execution("old", 0, commit=COMMIT, status="Failed", updated=20)

    def anew() -> None:
        pipeline.execution("new", 50, commit=COMMIT, status="Succeeded", updated=90)

    outcome = outcome_of(played(aws, anew, ignore=frozenset({"old"})))
    assert [each.id for each in outcome.executions] == ["new"]


def test_a_commit_without_an_execution_is_an_error_after_a_timeout(
    aws: FakeAws, pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "_START_TIMEOUT_SECONDS", 0.0)
    with pytest.raises(ConsoleError, match="no execution of the pipeline pithead carries c0ffee"):
        played(aws)


def test_a_stopped_execution_is_an_error_with_its_reason(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Stopped", summary="not on a Friday")
    outcome = outcome_of(played(aws))
    assert outcome.sentence == (
        "the execution ended as Stopped: not on a Friday; prod serves version 2 of commit 0000000"
    )


def test_a_release_with_an_unreadable_state_is_not_promoted(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    pipeline.execution("one", 0, commit=COMMIT, status="Succeeded", updated=400)
    to_prod(pipeline)
    pipeline.action("one", "prod", "files.Deploy", 56, 400)
    aws.unreadable.add("444444444444")
    snapshots = played(aws)
    outcome = outcome_of(snapshots)
    assert outcome.ending == "error"
    assert outcome.sentence == (
        "the execution succeeded, but what serves prod cannot be read: "
        "account 444444444444 cannot be read: AccessDenied"
    )
    assert snapshots[-1].unseen == "account 444444444444 cannot be read: AccessDenied"


def succeeded(pipeline: FakePipeline, execution: str = "one") -> None:
    """Add an execution of the commit that went through every stage."""
    pipeline.execution(execution, 0, commit=COMMIT, status="Succeeded", updated=400)
    to_prod(pipeline, execution)
    pipeline.action(execution, "prod", "files.Deploy", 56, 400)


def test_a_commit_that_prod_does_not_serve_is_not_promoted(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    succeeded(pipeline)
    prod.shift("Succeeded", completeTime=at(390))
    outcome = outcome_of(played(aws))
    assert outcome.ending == "rolled_back"
    assert outcome.sentence == (
        "the execution succeeded, but prod serves version 2 of commit 0000000: "
        "traffic was moved back by hand"
    )


def test_a_rollback_by_the_pipeline_is_reported(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    succeeded(pipeline)
    pipeline.execution("back", 500, commit=OLD, kind="ROLLBACK", status="Succeeded")
    outcome = outcome_of(played(aws))
    assert outcome.ending == "rolled_back"
    assert outcome.sentence.endswith("traffic was moved back by the rollback back")


def test_traffic_split_by_someone_else_is_no_promotion(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    succeeded(pipeline)
    prod.weights = {"3": 0.25}
    outcome = outcome_of(played(aws))
    assert outcome.ending == "rolled_back"
    assert (
        "prod serves version 2 of commit 0000000 (75%) and version 3 of commit c0ffee0 (25%)"
        in outcome.sentence
    )


def test_a_version_of_an_unknown_commit_is_no_promotion(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    succeeded(pipeline)
    aws.answers[("lambda", "get_function_configuration")] = {"Environment": {"Variables": {}}}
    outcome = outcome_of(played(aws))
    assert (outcome.ending, outcome.sentence) == (
        "error",
        "the execution succeeded, but prod serves version 2 of commit unknown, so it is unknown "
        "whether it contains c0ffee0",
    )


def test_a_later_commit_that_contains_it_promotes_it_too(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    later = "1" * 40
    prod.version, prod.commits["4"] = "4", later
    succeeded(pipeline)
    pipeline.execution("two", 500, commit=later, status="Succeeded")
    outcome = outcome_of(played(aws, lineage=FakeLineage([COMMIT, later])))
    assert (outcome.ending, outcome.sentence) == (
        "promoted",
        "prod serves version 4 of commit 1111111",
    )


@pytest.mark.parametrize("status", ["InProgress", "Succeeded"])
def test_a_commit_superseded_by_another_branch_is_not_promoted(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod, status: str
) -> None:
    theirs = "1" * 40
    prod.version, prod.commits["4"] = "4", theirs
    pipeline.execution("mine", 0, commit=COMMIT, status="Superseded", updated=50)
    pipeline.execution("theirs", 40, commit=theirs, status=status)
    outcome = outcome_of(played(aws))
    assert [each.id for each in outcome.executions] == ["mine"]
    assert (outcome.ending, outcome.sentence) == (
        "error",
        "execution mine was superseded by theirs of commit 1111111, which does not contain this "
        "commit",
    )


def test_a_promotion_replaced_by_another_branch_is_reported(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    theirs = "1" * 40
    prod.version, prod.commits["4"] = "4", theirs
    succeeded(pipeline)
    pipeline.execution("theirs", 500, commit=theirs, status="Succeeded")
    outcome = outcome_of(played(aws))
    assert outcome.ending == "error"
    assert outcome.sentence == (
        "the execution succeeded, but prod serves version 4 of commit 1111111, which does not "
        "contain this commit: execution theirs replaced it"
    )


def abandoned(pipeline: FakePipeline) -> None:
    """Add an execution that was stopped and abandoned while prod was being deployed."""
    pipeline.execution("one", 0, commit=COMMIT)
    to_prod(pipeline)
    pipeline.action("one", "prod", "files.Deploy", 56, 90, status="Abandoned")
    pipeline.in_stage("one", "prod", "Stopped")
    pipeline.execution("one", 0, commit=COMMIT, status="Stopped", updated=90, summary="stop it")


def test_a_shift_that_outlives_its_execution_is_followed_to_its_end(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    abandoned(pipeline)
    # Abandoned before CloudFormation created the deployment.
    prod.stack_status = "UPDATE_IN_PROGRESS"

    def shifting() -> None:
        prod.shift("InProgress")
        prod.weights = {"3": 0.1}

    def shifted() -> None:
        prod.shift("Succeeded", completeTime=at(400))
        prod.version, prod.weights, prod.stack_status = "3", {}, "UPDATE_COMPLETE"

    snapshots = played(aws, shifting, shifted)
    assert [each.moving for each in snapshots] == ["prod", "prod", ""]
    outcome = outcome_of(snapshots)
    assert (outcome.ending, outcome.sentence) == (
        "error",
        "the execution ended as Stopped: stop it, and the shift in prod went on to its end; "
        "prod serves version 3 of commit c0ffee0",
    )


def test_a_shift_that_is_stopped_after_its_execution_is_a_rollback(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod
) -> None:
    abandoned(pipeline)
    prod.shift("InProgress")
    prod.weights = {"3": 0.1}

    def stopped() -> None:
        prod.weights = {}
        error = {"code": "ALARM_ACTIVE", "message": f"Activated alarms: <{ALARM}>"}
        prod.shift("Stopped", completeTime=at(400), errorInformation=error)

    outcome = outcome_of(played(aws, stopped))
    assert outcome.ending == "rolled_back"
    assert f"the alarm {ALARM} stopped the shift in prod" in outcome.sentence


@pytest.mark.parametrize("code", ["INTERNAL_ERROR", "THROTTLED"])
def test_an_interrupted_shift_has_no_verdict(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod, code: str
) -> None:
    why = "Interrupted: the local cloud stopped"
    pipeline.execution("one", 0, commit=COMMIT, status="Failed", updated=100, summary=why)
    to_prod(pipeline)
    pipeline.action("one", "prod", "files.Deploy", 56, 100, status="Failed", message=why)
    error = {"code": code, "message": "The deployment was interrupted."}
    prod.shift("Failed", completeTime=at(85), errorInformation=error)
    outcome = outcome_of(played(aws))
    assert outcome.ending == "error"
    assert outcome.sentence == (
        "prod/files.Deploy failed: Interrupted: the local cloud stopped; "
        "CodeDeploy stopped the shift in prod: The deployment was interrupted"
    )


def test_a_pipeline_that_updated_itself_and_did_not_start_again_is_no_promotion(
    aws: FakeAws, pipeline: FakePipeline, prod: Prod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "_START_TIMEOUT_SECONDS", 0.0)  # aws-cdk issue 23835
    pipeline.execution("one", 0, commit=COMMIT, status="Cancelled", updated=31)
    outcome = outcome_of(played(aws))
    assert (outcome.ending, outcome.sentence) == (
        "error",
        "the execution ended as Cancelled; prod serves version 2 of commit 0000000",
    )
