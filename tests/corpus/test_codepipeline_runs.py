"""CodePipeline: executions that fail, wait, or are not started."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from localcloud.core.quotas import NEW_ACCOUNT
from tests.corpus.builds import spec
from tests.corpus.deliveries import trust
from tests.corpus.pipelines import connected, deploy, make_role, one_pipeline
from tests.corpus.report import report
from tests.localcloud.codepipeline.deploy_actions import synth, template
from tests.localcloud.codepipeline.world import ACCOUNT, REGION, ROLE, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.server import LocalCloud
    from tests.localcloud.codepipeline.world import World


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalCloud, str]]:
    with connected(tmp_path_factory.mktemp("executions")) as cloud:
        yield cloud


@pytest.fixture
def world(shared: tuple[LocalCloud, str]) -> Iterator[World]:
    with one_pipeline(shared) as made:
        yield made


def failure(world: World, execution: str, action: str) -> str:
    """Return the message of the action that failed the execution."""
    assert world.ended(execution) == "Failed"
    result = world.action(execution, action)["output"]["executionResult"]
    return str(result["errorDetails"]["message"])


@report(
    "aws-samples/ecs-blue-green-deployment-with-codedeploy#4",
    "CodePipeline",
    situation="An action uses a variable that the action of its namespace did not set.",
    outcome="The action that uses it fails before it runs: a variable could not be resolved.",
)
def test_a_variable_that_no_action_set(world: World) -> None:
    deployed = world.build("Infrastructure", "true", namespace="Infrastructure")
    variables = {"TASKDEF_ARN": "#{Infrastructure.TaskDefinition}"}
    using = world.build("Artifacts", "true", variables=variables, runOrder=2)
    execution = world.create(world.stage("Build", deployed, using))
    assert failure(world, execution, "Artifacts").startswith(
        "An action in this pipeline failed because one or more variables could not be resolved: "
        "Action name=Artifacts."
    )
    assert world.action(execution, "Infrastructure")["status"] == "Succeeded"


@report(
    "aws/copilot-cli#5088",
    "CodePipeline",
    situation="A deployment reads its parameters from a file that the artifact does not have.",
    outcome="The deployment fails: the file does not exist. No stack is created.",
)
def test_a_file_that_is_not_in_the_artifact(world: World) -> None:
    parameters = "Synth_Output::infrastructure/test.params.json"
    execution = world.create(
        world.stage("Build", synth(world, template(world.name, "one"))),
        world.stage("Test", deploy(world, "Synth_Output", TemplateConfiguration=parameters)),
    )
    assert failure(world, execution, "Deploy") == (
        "File [infrastructure/test.params.json] does not exist in artifact [Synth_Output]"
    )


@report(
    "aws-cloudformation/cfn-lint#3125",
    "CodePipeline",
    situation="The TemplatePath of a deployment names an artifact that is not its input.",
    outcome="The pipeline is created, and the deployment fails when it runs.",
)
def test_a_template_in_no_input_artifact(world: World) -> None:
    execution = world.create(
        world.stage("Build", synth(world, template(world.name, "one"))),
        world.stage("Prod", deploy(world, "App")),
    )
    assert "Synth_Output" in failure(world, execution, "Deploy")


@report(
    "hashicorp/terraform-provider-aws#13121",
    "CodePipeline",
    situation="A CloudFormation action has its own role, and no RoleArn in its configuration.",
    outcome="The pipeline is created, and the action fails: RoleArn should not be empty.",
)
def test_a_deployment_without_a_role(world: World) -> None:
    acting = deploy(world, "Synth_Output", RoleArn="") | {"roleArn": f"{ROLE}/action"}
    execution = world.create(
        world.stage("Build", synth(world, template(world.name, "one"))), world.stage("Prod", acting)
    )
    assert failure(world, execution, "Deploy") == (
        "Configuration Property RoleArn should not be empty in current ActionMode"
    )


@report(
    "awslabs/aws-sam-codepipeline-cd#22",
    "CodePipeline",
    situation="The role that a CloudFormation action passes trusts another service.",
    outcome="The action fails with CloudFormation's message: invalid or cannot be assumed.",
)
def test_a_role_that_cloudformation_may_not_assume(world: World) -> None:
    role = make_role(world, "codedeploy", trust("codedeploy"))
    execution = world.create(
        world.stage("Build", synth(world, template(world.name, "one"))),
        world.stage("Prod", deploy(world, "Synth_Output", RoleArn=role)),
    )
    assert failure(world, execution, "Deploy").startswith(
        f"Role {role} is invalid or cannot be assumed (Service: AmazonCloudFormation; Status "
        "Code: 400; Error Code: ValidationError; Request ID: "
    )


@report(
    "aws-samples/aws-gateway-load-balancer-suricata-ids-ips-nsm#12",
    "CodePipeline",
    situation="Two builds of a stage start in parallel in an account with a quota of one.",
    outcome="One action fails with AccountLimitExceededException, and the execution too.",
)
def test_more_builds_than_the_account_may_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.server.cloud.codebuild, "_quotas", NEW_ACCOUNT)
    with world.lock():
        execution = world.create(world.stage("Build", world.locked("One"), world.locked("Two")))
        world.until(lambda: bool(world.errors(execution)))
    assert world.ended(execution) == "Failed"
    (said,) = world.errors(execution)
    assert said.startswith(
        "Error calling startBuild: Cannot have more than 1 builds in queue for the account "
        "(Service: AWSCodeBuild; Status Code: 400; Error Code: AccountLimitExceededException"
    )


@report(
    "aws/aws-cdk#20452",
    "CodePipeline",
    situation="Two pushes arrive while the first execution waits for an approval.",
    outcome="The first execution keeps waiting; behind it, only the newest one remains.",
)
def test_an_approval_is_not_superseded(world: World) -> None:
    gated = world.stage("Prod", world.approval(), world.build("Deploy", "true", runOrder=2))
    first = world.create(gated)
    token = world.approval_token("Prod", "Approve")
    second, third = (pushed(world, message) for message in ("second", "third"))
    assert world.ended(second) == "Superseded"
    assert approve(world, first) == token
    assert world.ended(first) == "Succeeded"
    assert approve(world, third) != token
    assert world.ended(third) == "Succeeded"


def pushed(world: World, message: str) -> str:
    """Start a further execution; return it once it waits before the stage Prod."""
    world.push(message)
    execution: str = world.executions()[0]["pipelineExecutionId"]
    queues = world.service.runner.queues
    world.until(lambda: execution in queues.waiting(world.place("Prod")))
    return execution


def approve(world: World, execution: str) -> str:
    """Approve an execution once it waits for approval; return the token."""
    token = world.approval_token("Prod", "Approve")
    assert world.running(execution, "Approve")
    world.client.put_approval_result(
        pipelineName=world.name,
        stageName="Prod",
        actionName="Approve",
        result={"summary": "good", "status": "Approved"},
        token=token,
    )
    return token


@report(
    "aws/aws-cdk#22144",
    "CodePipeline",
    situation="A stack updates its pipeline without RestartExecutionOnUpdate.",
    outcome="The pipeline changes, and no execution starts, unlike after its creation.",
)
def test_an_update_starts_nothing(world: World) -> None:
    world.server.cloud.codeconnections.ensure_repository(world.connection, world.repository)
    world.push("first")
    client = world.server.cloud.client("cloudformation", ACCOUNT, REGION)

    def body(*stages: str) -> str:
        made = [world.stage(each, world.build(each, "true")) for each in stages]
        declared = world.declared(*made)
        properties = declared.properties | {"RestartExecutionOnUpdate": False}
        resource = {"Type": declared.type, "Properties": properties}
        return json.dumps({"Resources": {"Pipeline": resource}})

    polling = {"Delay": 0.02, "MaxAttempts": 3000}
    client.create_stack(StackName=world.name, TemplateBody=body("Build"))
    client.get_waiter("stack_create_complete").wait(StackName=world.name, WaiterConfig=polling)
    (execution,) = world.executions()
    assert world.ended(execution["pipelineExecutionId"]) == "Succeeded"
    client.update_stack(StackName=world.name, TemplateBody=body("Build", "Verify"))
    client.get_waiter("stack_update_complete").wait(StackName=world.name, WaiterConfig=polling)
    stages = world.client.get_pipeline(name=world.name)["pipeline"]["stages"]
    assert [stage["name"] for stage in stages] == ["Source", "Build", "Verify"]
    assert len(world.executions()) == 1


@report(
    "aws/aws-cdk#9851",
    "CodePipeline",
    situation="A project's environment, not the action's, refers to a pipeline variable.",
    outcome="It is not resolved: the build gets the reference as text.",
)
def test_a_variable_in_a_projects_own_environment(world: World) -> None:
    build = world.build("See", "false")
    environment = {
        "Type": "LINUX_CONTAINER",
        "Image": "i",
        "ComputeType": "c",
        "EnvironmentVariables": [{"Name": "RUN", "Value": "#{codepipeline.PipelineExecutionId}"}],
    }
    declared = request(
        "AWS::CodeBuild::Project",
        Name=build["configuration"]["ProjectName"],
        ServiceRole=f"{ROLE}/codebuild",
        Source={"Type": "CODEPIPELINE", "BuildSpec": spec(build=['echo "$RUN"'])},
        Artifacts={"Type": "CODEPIPELINE"},
        Environment=environment,
    )
    world.server.cloud.codebuild.providers["AWS::CodeBuild::Project"].create(declared)
    execution = world.create(world.stage("Build", build))
    assert world.ended(execution) == "Succeeded"
    assert world.log(execution, "See") == ["#{codepipeline.PipelineExecutionId}"]
