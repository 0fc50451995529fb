"""Planted faults of earlier versions of Pithead, in a delivery.

docs/fidelity.md lists these and those that other tests plant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.planted.policies import TARGET, TOOLING, properties, session

if TYPE_CHECKING:
    from tests.planted.delivery import Delivery


def test_a_pipeline_bake_reads_the_alarm_in_its_own_account(delivery: Delivery) -> None:
    """A stage condition on an alarm of another account, without a role there."""
    rule = {
        "Name": "Bake",
        "RuleTypeId": {
            "Category": "Rule",
            "Owner": "AWS",
            "Provider": "CloudWatchAlarm",
            "Version": "1",
        },
        "Configuration": {"AlarmName": "errors", "WaitTime": "1"},
    }
    stage = properties(delivery.edit("tooling"), "Pipeline")["Stages"][2]
    stage["OnSuccess"] = {"Conditions": [{"Result": "FAIL", "Rules": [rule]}]}
    released = delivery.release()
    assert released.status == "Failed"
    assert {each["status"] for each in released.actions.values()} == {"Succeeded"}
    user = f"User: {session(TOOLING, 'delivery-pipeline')}"
    assert f"{user}{released.execution} is not authorized to perform: " in released.summary
    assert "cloudwatch:DescribeAlarms on resource: arn:aws:cloudwatch:" in released.summary
    assert f":{TOOLING}:alarm:*" in released.summary


def test_an_alarm_after_an_all_at_once_shift_rolls_nothing_back(delivery: Delivery) -> None:
    """CodeDeploy reads alarms until a deployment ends, and this one ends with its only shift."""
    group = properties(delivery.edit("service"), "Group")
    group["DeploymentConfigName"] = "CodeDeployDefault.LambdaAllAtOnce"
    released = delivery.release()
    assert released.status == "Succeeded", released.failed
    deployed = released.deployment()
    with delivery.alarming():
        assert delivery.alias() == {"version": deployed["version"], "weights": {}}
        assert released.deployment()["deploymentId"] == deployed["deploymentId"]
        assert "rollbackDeploymentId" not in released.deployment().get("rollbackInfo", {})


@pytest.mark.parametrize(
    ("resource", "action"),
    [
        (
            {
                "Type": "AWS::Events::Rule",
                "Properties": {"Name": "look", "ScheduleExpression": "rate(1 minute)"},
            },
            "events:",
        ),
        (
            {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "/service/version", "Type": "String", "Value": "1"},
            },
            "ssm:PutParameter",
        ),
    ],
    ids=["eventbridge", "ssm"],
)
def test_a_narrowed_execution_role_lacks_unlisted_permissions(
    delivery: Delivery, resource: dict[str, Any], action: str
) -> None:
    """A permission list without EventBridge and SSM: the stack rolls back."""
    delivery.edit("service")["Resources"]["New"] = resource
    released = delivery.release()
    failed, said = released.failed
    assert failed == "Deploy"
    assert "UPDATE_ROLLBACK_COMPLETE" in said
    name, reason = released.stack_failure()
    assert name == "New"
    user = f"User: {session(TARGET, 'delivery-execution')}AWSCloudFormation"
    assert f"{user} is not authorized to perform: {action}" in reason
    assert f"because no identity-based policy allows the {action}" in reason


def test_a_hook_reports_for_another_deployment(delivery: Delivery) -> None:
    """A hook that reports for the previous deployment: the current one keeps waiting."""
    earlier = delivery.release()
    assert earlier.status == "Succeeded", earlier.failed
    code = properties(delivery.edit("service"), "Hook")["Code"]
    before = repr(earlier.deployment()["deploymentId"])
    assert 'event["DeploymentId"]' in code["ZipFile"]
    code["ZipFile"] = code["ZipFile"].replace('event["DeploymentId"]', before)
    execution = delivery.begin()
    delivery.logged("delivery-hook", "InvalidLifecycleEventHookExecutionIdException")
    delivery.stop_deployment()
    assert delivery.ended(execution).failed[0] == "Deploy"
