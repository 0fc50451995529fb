"""The CloudFormation action, against the local cloud's own CloudFormation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.codepipeline.deploy_actions import action, synth, template

if TYPE_CHECKING:
    from tests.localcloud.codepipeline.world import World

REGION = "eu-west-1"


@pytest.fixture
def stages(world: World) -> Any:
    """Synth, create and execute a change set, then use its output."""

    def declare(made: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            world.stage("Build", synth(world, made)),
            world.stage(
                "Prod",
                action(
                    world,
                    "Prepare",
                    "CHANGE_SET_REPLACE",
                    inputArtifacts=[{"name": "Synth_Output"}],
                ),
                action(world, "Deploy", "CHANGE_SET_EXECUTE", runOrder=2, namespace="Stack"),
                world.build("Smoke", "echo $NAME", variables={"NAME": "#{Stack.Name}"}, runOrder=3),
            ),
        ]

    return declare


def test_a_change_set_is_created_and_executed(world: World, stages: Any) -> None:
    execution = world.create(*stages(template(world.name, "one")))
    assert world.ended(execution) == "Succeeded", world.errors(execution)
    assert world.log(execution, "Smoke") == [f"/{world.name}"]
    ssm = world.server.cloud.client("ssm", "111111111111", REGION)
    assert ssm.get_parameter(Name=f"/{world.name}")["Parameter"]["Value"] == "one"
    again = world.start()
    assert world.ended(again) == "Succeeded", "a change set without changes is not a failure"
    result = world.action(again, "Deploy")["output"]["executionResult"]
    assert "no changes" in result["externalExecutionSummary"]
    assert world.log(again, "Smoke") == [f"/{world.name}"]


def test_a_template_may_be_larger_than_an_inline_one(world: World) -> None:
    """51,200 bytes are CloudFormation's limit on a request, not on what a pipeline deploys."""
    made = template(world.name, "x") | {"Metadata": {"note": "PADDING"}}
    before, after = json.dumps(made).split("PADDING")
    build = world.build(
        "Synth",
        f"printf '%s' '{before}' > stack.template.json",
        r"head -c 60000 /dev/zero | tr '\0' x >> stack.template.json",
        f"printf '%s' '{after}' >> stack.template.json",
        files="*.json",
    )
    execution = world.create(
        world.stage("Build", build),
        world.stage(
            "Prod",
            action(world, "Deploy", "CREATE_UPDATE", inputArtifacts=[{"name": "Synth_Output"}]),
        ),
    )
    assert world.ended(execution) == "Succeeded", world.errors(execution)


def test_a_failed_stack_names_its_resource_and_reason(world: World, stages: Any) -> None:
    made = template(world.name, "one")
    made["Resources"]["Group"] = {
        "Type": "AWS::Logs::MetricFilter",
        "Properties": {"LogGroupName": "g", "FilterPattern": "x", "MetricTransformations": []},
    }
    execution = world.create(*stages(made))
    assert world.ended(execution) == "Failed"
    (said,) = world.errors(execution)
    assert "Group: " in said
    assert "AWS::Logs::MetricFilter is not part of the local cloud" in said


def test_a_stack_whose_creation_failed_gets_no_further_change_set(
    world: World, stages: Any
) -> None:
    """CHANGE_SET_REPLACE replaces a change set, not a stack (aws-cdk#901).

    AWS's text is in quickstart-trek10-serverless-enterprise-cicd#23.
    """
    made = template(world.name, "one")
    made["Resources"]["Group"] = {
        "Type": "AWS::Logs::MetricFilter",
        "Properties": {"LogGroupName": "g", "FilterPattern": "x", "MetricTransformations": []},
    }
    assert world.ended(world.create(*stages(made))) == "Failed"
    again = world.start()
    assert world.ended(again) == "Failed"
    assert world.action(again, "Prepare")["status"] == "Failed"
    (said,) = world.errors(again)
    arn = f"Stack:arn:aws:cloudformation:{REGION}:111111111111:stack/{world.name}-stack/"
    assert said.startswith(arn)
    refused = "is in ROLLBACK_COMPLETE state and can not be updated. (Service: AmazonCloudFormation"
    assert refused in said
    assert "Status Code: 400; Error Code: ValidationError; Request ID: " in said


def test_a_deployment_that_failed_is_retried_with_all_actions(world: World, stages: Any) -> None:
    """FAILED_ACTIONS would execute the deleted change set (aws-cdk#11995, #21677)."""
    cloud, account = world.server.cloud, "111111111111"
    first = {"Resources": {"First": {"Type": "AWS::SQS::Queue"}}}
    cloudformation = cloud.client("cloudformation", account, REGION)
    cloudformation.create_stack(StackName=f"{world.name}-stack", TemplateBody=json.dumps(first))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=f"{world.name}-stack", WaiterConfig={"Delay": 0.02, "MaxAttempts": 3000}
    )
    ssm = cloud.client("ssm", account, REGION)
    ssm.put_parameter(Name=f"/{world.name}", Type="String", Value="another's")
    execution = world.create(*stages(template(world.name, "one")))
    assert world.ended(execution) == "Failed"
    ssm.delete_parameter(Name=f"/{world.name}")

    where = {"pipelineName": world.name, "pipelineExecutionId": execution, "stageName": "Prod"}
    world.client.retry_stage_execution(**where, retryMode="FAILED_ACTIONS")
    assert world.ended(execution) == "Failed"
    assert world.action(execution, "Deploy")["output"]["executionResult"]["errorDetails"][
        "message"
    ].startswith(
        "ChangeSet [PipelineChange] does not exist (Service: AmazonCloudFormation; Status Code: "
        "404; Error Code: ChangeSetNotFound; Request ID: "
    )
    world.client.retry_stage_execution(**where, retryMode="ALL_ACTIONS")
    assert world.ended(execution) == "Succeeded", world.errors(execution)


def test_a_stack_is_created_in_one_action_and_deleted(world: World) -> None:
    execution = world.create(
        world.stage("Build", synth(world, template(world.name, "x"))),
        world.stage(
            "Prod",
            action(world, "Deploy", "CREATE_UPDATE", inputArtifacts=[{"name": "Synth_Output"}]),
            action(world, "Delete", "DELETE_ONLY", runOrder=2),
        ),
    )
    assert world.ended(execution) == "Succeeded", world.errors(execution)
    deploy = world.action(execution, "Deploy")
    assert deploy["output"]["outputVariables"] == {"Name": f"/{world.name}"}
    client = world.server.cloud.client("cloudformation", "111111111111", REGION)
    with pytest.raises(client.exceptions.ClientError, match="does not exist"):
        client.describe_stacks(StackName=f"{world.name}-stack")


def test_a_template_that_is_missing_is_named(world: World) -> None:
    missing = action(world, "Prepare", "CHANGE_SET_REPLACE", inputArtifacts=[{"name": "App"}])
    missing["configuration"]["TemplatePath"] = "App::no.json"
    execution = world.create(world.stage("Prod", missing))
    assert world.ended(execution) == "Failed"
    assert world.errors(execution) == ["File [no.json] does not exist in artifact [App]"]
