"""The whole rehearsal: every act, and its result for any AWS client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.rehearsal

PROD = "444444444444"


def _act(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(act for act in report["acts"] if act["name"] == name)


def _canary_version(report: dict[str, Any]) -> int:
    """The version of the bad release."""
    return int(_act(report, "bad-release")["production"]["version_before"]) + 1


def test_every_act_ended_as_it_should(rehearsed: dict[str, Any]) -> None:
    assert rehearsed["schema"] == 1
    assert [(act["name"], act["outcome"], act["problems"]) for act in rehearsed["acts"]] == [
        ("good-release", "promoted", []),
        ("bad-release", "rolled_back", []),
        ("pipeline-change", "promoted", []),
        ("refused-release", "refused", []),
    ]
    assert rehearsed["as_expected"]


@pytest.mark.parametrize("name", ["good-release", "pipeline-change"])
def test_a_promotion_has_the_judges_verdict(rehearsed: dict[str, Any], name: str) -> None:
    act = _act(rehearsed, name)
    assert act["reason"] == {"verdict": act["canary"]["judge"]["verdict"]}
    assert act["reason"]["verdict"] in {"better", "good", "undecided"}


def test_a_good_release_shifts_by_a_canary(rehearsed: dict[str, Any]) -> None:
    act = _act(rehearsed, "good-release")
    assert act["production"]["commit_after"] == act["commit"] != act["production"]["commit_before"]
    assert [percent for _, percent in act["canary"]["weights"]] == [10, 100]
    assert act["canary"]["stopped_by"] is None
    assert 0 < act["canary"]["canary_requests"] < act["canary"]["requests"]
    assert [stage["status"] for stage in act["stages"]] == ["Succeeded"] * 8


def test_a_bad_release_never_has_more_than_the_canarys_share(rehearsed: dict[str, Any]) -> None:
    act = _act(rehearsed, "bad-release")
    assert act["production"]["version_after"] == act["production"]["version_before"]
    canary = act["canary"]
    version = _canary_version(rehearsed)
    assert canary["judge"]["verdict"] == "rollback"
    if canary["stopped_by"]:
        assert canary["stopped_by"] == f"files-prod-version-{version}-evidence"
        assert act["reason"] == {"alarm": canary["stopped_by"]}
    else:  # the judge was sooner than the alarm
        assert act["reason"] == {"verdict": "rollback"}
    if canary["phase"] == "shift":
        assert max(percent for _, percent in canary["weights"]) == 10
    assert canary["weights"][-1][1] == 0
    assert 0 < canary["canary_failures"] <= canary["canary_requests"] < canary["requests"] / 2
    passed = {stage["name"]: stage["status"] for stage in act["stages"]}
    assert passed["dev"] == passed["staging"] == "Succeeded"
    assert passed["prod"] == "Failed"


def test_a_pipeline_change_mutates_and_restarts_the_pipeline(
    rehearsed: dict[str, Any], client: Callable[..., Any]
) -> None:
    act = _act(rehearsed, "pipeline-change")
    assert act["self_mutated"]
    first, second = act["pipeline_execution_ids"]
    ran = client("codepipeline").list_action_executions(
        pipelineName="pithead", filter={"pipelineExecutionId": second}
    )["actionExecutionDetails"]
    assert ("Verify", "Compile", "Succeeded") in {
        (each["stageName"], each["actionName"], each["status"]) for each in ran
    }
    before = client("codepipeline").get_pipeline_execution(
        pipelineName="pithead", pipelineExecutionId=first
    )["pipelineExecution"]
    assert before["status"] == "Cancelled"


def test_a_refused_release_never_reaches_prod(rehearsed: dict[str, Any]) -> None:
    act = _act(rehearsed, "refused-release")
    assert "prod" not in {stage["name"] for stage in act["stages"]}
    assert act["reason"]["gate"] == "load"
    assert "p50-regression" in act["reason"]["rules"]


def test_a_skipped_audit_is_reported_as_not_run(rehearsed: dict[str, Any]) -> None:
    reason = rehearsed["not_run"].get("supply_chain")
    if reason is None:
        assert "not run" not in rehearsed["said"].lower()
    else:
        assert "Not run: pip-audit" in rehearsed["said"]
        assert "an override permits that" in rehearsed["said"]


def test_an_aws_client_sees_what_the_command_prints(
    rehearsed: dict[str, Any], client: Callable[..., Any], pithead: Callable[..., Any]
) -> None:
    status = json.loads(pithead("status", "--json").stdout)
    prod = next(each for each in status["environments"] if each["name"] == "prod")

    functions = client("lambda", PROD)
    (name,) = (
        each["FunctionName"]
        for each in functions.list_functions()["Functions"]
        if "COMMIT" in each["Environment"]["Variables"]
    )
    alias = functions.get_alias(FunctionName=name, Name="live")
    assert prod["version"] == alias["FunctionVersion"]
    configuration = functions.get_function_configuration(
        FunctionName=name, Qualifier=alias["FunctionVersion"]
    )
    assert prod["commit"] == configuration["Environment"]["Variables"]["COMMIT"]
    assert prod["commit"] == _act(rehearsed, "refused-release")["production"]["commit_after"]

    state = client("codepipeline").get_pipeline_state(name="pithead")
    inside = {each["stageName"]: each.get("latestExecution", {}) for each in state["stageStates"]}
    refused = _act(rehearsed, "refused-release")["pipeline_execution_ids"][-1]
    assert inside["staging"] | {"type": ""} == {
        "pipelineExecutionId": refused,
        "status": "Failed",
        "type": "",
    }
    assert status["pipeline"]["execution"] == refused

    canary = _act(rehearsed, "bad-release")["canary"]
    stopped = client("codedeploy", PROD).get_deployment(deploymentId=canary["deployment_id"])[
        "deploymentInfo"
    ]
    by_alarm = canary["stopped_by"] is not None
    by_judge = {("Stopped", "MANUAL_STOP"), ("Failed", "HOOK_EXECUTION_FAILURE")}
    assert (stopped["status"], stopped["errorInformation"]["code"]) in (
        {("Stopped", "ALARM_ACTIVE")} if by_alarm else by_judge
    )
    history = client("cloudwatch", PROD).describe_alarm_history(
        AlarmName=f"files-prod-version-{_canary_version(rehearsed)}-evidence",
        HistoryItemType="StateUpdate",
    )["AlarmHistoryItems"]
    assert not by_alarm or any("ALARM" in each["HistorySummary"] for each in history)
    alarms = client("cloudwatch", PROD).describe_alarms()["MetricAlarms"]
    assert {each["StateValue"] for each in alarms} <= {"OK", "INSUFFICIENT_DATA"}
