"""The permissions of a pipeline's roles, with the grants that CDK generates."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.compose import Substitutes
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from tests.localcloud.codepipeline.conftest import SPEED
from tests.localcloud.codepipeline.world import ACCOUNT, REGION, ROLE, SERVICES, World, kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.localcloud.fakes import FakeAlarms, RegionalAlarms

_numbers = itertools.count()
_BUCKET = ["arn:aws:s3:::artifacts", "arn:aws:s3:::artifacts/*"]
_PROJECTS = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project"
CONNECTION = {
    "Action": ["codestar-connections:UseConnection", "codeconnections:UseConnection"],
    "Resource": "*",
}
READ = {"Action": ["s3:GetObject*", "s3:GetBucket*", "s3:List*"], "Resource": _BUCKET}
WRITE = {
    "Action": ["s3:DeleteObject*", "s3:PutObject", "s3:PutObjectAcl", "s3:Abort*"],
    "Resource": _BUCKET,
}
KEY = {
    "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"],
    "Resource": "*",
}
BUILD = {
    "Action": ["codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild"],
    "Resource": f"{_PROJECTS}/*",
}
LOG = {
    "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/codebuild/*",
}
SOURCE = (CONNECTION, READ, WRITE, KEY)


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, alarm_states: RegionalAlarms
) -> Iterator[tuple[LocalCloud, str, str]]:
    """A local cloud that enforces policies; a customer managed key encrypts artifacts."""
    folder = tmp_path_factory.mktemp("guarded")
    server = LocalCloud(
        folder,
        services=SERVICES,
        speed=SPEED,
        iam="enforce",
        delays=NO_DELAYS,
        substitutes=Substitutes(alarms=alarm_states),
    )
    server.start()
    world = World(server, "none")
    connection = world.set_up()
    world.close()
    key = server.cloud.client("kms", ACCOUNT, REGION).create_key()["KeyMetadata"]["Arn"]
    yield server, connection, key
    server.stop()


@pytest.fixture
def world(guarded: tuple[LocalCloud, str, str]) -> Iterator[World]:
    server, connection, key = guarded
    world = World(server, f"guarded-{next(_numbers)}", connection)
    world.key = key
    yield world
    server.cloud.codepipeline.delete(ACCOUNT, REGION, world.name)
    world.close()


def grant(world: World, role: str, *statements: dict[str, Any]) -> None:
    """Replace a role's permissions by these."""
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow"} | each for each in statements],
    }
    world.server.cloud.client("iam", ACCOUNT, REGION).put_role_policy(
        RoleName=role, PolicyName="own", PolicyDocument=json.dumps(document)
    )


def failure(world: World, *stages: dict[str, Any], **more: Any) -> str:
    """Return the message of the failed action."""
    execution = world.create(*stages, **more)
    assert world.ended(execution) == "Failed"
    (said,) = world.errors(execution)
    return said


def session(world: World, role: str = "codepipeline") -> str:
    """Return the session of a role in the only execution."""
    execution = world.executions()[0]["pipelineExecutionId"]
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{execution}"


def approval(world: World, **more: Any) -> dict[str, Any]:
    return world.stage("Prod", world.approval(), **more)


def deploy(world: World) -> dict[str, Any]:
    return {
        "name": "Prepare",
        "actionTypeId": kind("Deploy", "CloudFormation"),
        "configuration": {
            "ActionMode": "CHANGE_SET_REPLACE",
            "StackName": f"{world.name}-stack",
            "ChangeSetName": "PipelineChange",
            "RoleArn": f"{ROLE}/cloudformation",
            "TemplatePath": "App::message",
        },
        "inputArtifacts": [{"name": "App"}],
    }


def test_the_grants_of_cdk_suffice(world: World) -> None:
    assume = {"Action": "sts:AssumeRole", "Resource": f"{ROLE}/action"}
    grant(world, "codepipeline", *SOURCE, assume)
    grant(world, "action", BUILD)
    grant(world, "codebuild", LOG, READ, WRITE, KEY)
    build = world.build("Test", "cat message", roleArn=f"{ROLE}/action")
    execution = world.create(world.stage("Build", build))
    assert world.ended(execution) == "Succeeded", world.errors(execution)


@pytest.mark.parametrize("service", ["codestar-connections", ""], ids=["old-prefix", "nothing"])
def test_a_connection_is_used_by_the_prefix_of_its_arn(world: World, service: str) -> None:
    old = {"Action": f"{service}:UseConnection", "Resource": "*"}
    grant(world, "codepipeline", *([old] if service else []), READ, WRITE, KEY)
    assert failure(world, approval(world)) == (
        f"Unable to use Connection: {world.connection}. The provided role does not have "
        "sufficient permissions."
    )


def test_a_connection_is_used_for_one_repository(world: World) -> None:
    condition = {"StringEquals": {"codeconnections:FullRepositoryId": "acme/another"}}
    grant(world, "codepipeline", CONNECTION | {"Condition": condition}, READ, WRITE, KEY)
    assert failure(world, approval(world)).startswith("Unable to use Connection")


def test_the_source_action_writes_its_artifact(world: World) -> None:
    grant(world, "codepipeline", CONNECTION, READ, KEY)
    said = failure(world, approval(world))
    assert said.startswith(
        "[GitHub] Upload to S3 failed with the following error: "
        f"User: {session(world)} is not authorized to perform: s3:PutObject on resource: "
    )


def test_the_source_action_writes_its_artifact_for_the_buckets_owner(world: World) -> None:
    put = WRITE | {"Action": [each for each in WRITE["Action"] if each != "s3:PutObjectAcl"]}
    grant(world, "codepipeline", CONNECTION, READ, put, KEY)
    said = failure(world, approval(world))
    assert said.startswith("[GitHub] Upload to S3 failed with the following error: ")
    assert "is not authorized to perform: s3:PutObjectAcl on resource: " in said


def test_the_source_action_needs_the_key_of_the_bucket(world: World) -> None:
    grant(world, "codepipeline", CONNECTION, READ, WRITE)
    said = failure(world, approval(world))
    assert said.startswith(
        "[GitHub] Upload to S3 failed with the following error: "
        f"User: {session(world)} is not authorized to perform: kms:GenerateDataKey on resource: "
    )


@pytest.mark.parametrize("operation", ["StartBuild", "BatchGetBuilds"])
def test_a_build_is_started_and_watched_by_the_actions_role(world: World, operation: str) -> None:
    others = [each for each in BUILD["Action"] if operation not in each]
    grant(world, "codepipeline", *SOURCE, BUILD | {"Action": others})
    build = world.build("Test", "true")
    project = build["configuration"]["ProjectName"]
    said = failure(world, world.stage("Build", build))
    assert said.startswith(
        f"Error calling {operation[0].lower()}{operation[1:]}: User: {session(world)} is not "
        f"authorized to perform: codebuild:{operation} on resource: {_PROJECTS}/{project} because "
        f"no identity-based policy allows the codebuild:{operation} action (Service: AWSCodeBuild;"
    )


def test_a_build_clones_by_its_own_role(world: World) -> None:
    grant(world, "codepipeline", *SOURCE, BUILD)
    grant(world, "codebuild", LOG, READ, WRITE, KEY)
    source = world.source(OutputArtifactFormat="CODEBUILD_CLONE_REF")
    stages = [
        {"name": "Source", "actions": [source]},
        world.stage("B", world.build("Test", "true")),
    ]
    assert "authorization failed for primary source and source version" in failure(
        world, stages=stages
    )


def test_an_action_reads_its_artifacts_by_its_role(world: World) -> None:
    stack = {"Action": "cloudformation:*", "Resource": "*"}
    grant(world, "codepipeline", CONNECTION, WRITE, KEY, stack)
    said = failure(world, world.stage("Prod", deploy(world)))
    assert said.startswith("Unable to access the artifact with Amazon S3 object key 'guarded-")
    assert (
        "located in the Amazon S3 artifact bucket 'artifacts'. The provided role does not" in said
    )


def test_a_cloudformation_role_is_passed(world: World) -> None:
    stack = {"Action": "cloudformation:*", "Resource": "*"}
    grant(world, "codepipeline", *SOURCE, stack)
    said = failure(world, world.stage("Prod", deploy(world)))
    assert said.startswith(
        f"User: {session(world)} is not authorized to perform: iam:PassRole on resource: "
        f"{ROLE}/cloudformation because no identity-based policy allows the iam:PassRole action "
        "(Service: AmazonCloudFormation; Status Code: 403; Error Code: AccessDenied; Request ID: "
    )


@pytest.mark.parametrize("allowed", [False, True], ids=["denied", "allowed"])
def test_a_rule_reads_alarms_by_its_role(world: World, alarms: FakeAlarms, allowed: bool) -> None:
    alarms.set("errors", "ALARM")
    read = {"Action": "cloudwatch:DescribeAlarms", "Resource": "*"}
    grant(world, "codepipeline", *SOURCE, *([read] if allowed else []))
    entry = world.conditions("FAIL", ("CloudWatchAlarm", {"AlarmName": "errors"}))
    execution = world.create(approval(world, beforeEntry=entry))
    assert world.ended(execution) == "Failed"
    summary = world.service.executions[execution].summary
    if allowed:
        assert summary == "Alarm errors is in state ALARM: a test said so"
    else:
        assert summary == (
            f"User: {session(world)} is not authorized to perform: cloudwatch:DescribeAlarms on "
            f"resource: arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:* because no identity-based "
            "policy allows the cloudwatch:DescribeAlarms action"
        )


def _topic(world: World) -> tuple[str, str]:
    """Create a topic; return its ARN and the URL of a subscribed queue."""
    cloud = world.server.cloud
    topic = cloud.client("sns", ACCOUNT, REGION).create_topic(Name=world.name)["TopicArn"]
    queue = cloud.client("sqs", ACCOUNT, REGION).create_queue(QueueName=world.name)["QueueUrl"]
    cloud.client("sns", ACCOUNT, REGION).subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{world.name}",
        Attributes={"RawMessageDelivery": "true"},
    )
    return topic, queue


def test_an_approval_notifies_its_topic_by_the_pipelines_role(world: World) -> None:
    topic, queue = _topic(world)
    grant(world, "codepipeline", *SOURCE, {"Action": "sns:Publish", "Resource": topic})
    configuration = {"NotificationArn": topic, "CustomData": "Is it good?"}
    stage = world.stage("Prod", world.approval(configuration=configuration))
    execution = world.create(stage)
    token = world.approval_token("Prod", "Approve")
    world.client.put_approval_result(
        pipelineName=world.name,
        stageName="Prod",
        actionName="Approve",
        result={"summary": "good", "status": "Approved"},
        token=token,
    )
    assert world.ended(execution) == "Succeeded", world.errors(execution)
    sqs = world.server.cloud.client("sqs", ACCOUNT, REGION)
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    notification = json.loads(message["Body"])
    assert notification["region"] == REGION
    assert notification["approval"] | {"expires": "", "approvalReviewLink": ""} == {
        "pipelineName": world.name,
        "stageName": "Prod",
        "actionName": "Approve",
        "token": token,
        "expires": "",
        "externalEntityLink": None,
        "approvalReviewLink": "",
        "customData": "Is it good?",
    }


def test_an_approval_whose_role_may_not_publish_fails(world: World) -> None:
    topic, _ = _topic(world)
    grant(world, "codepipeline", *SOURCE)
    stage = world.stage("Prod", world.approval(configuration={"NotificationArn": topic}))
    assert failure(world, stage).startswith(
        f"User: {session(world)} is not authorized to perform: SNS:Publish on resource: {topic} "
        "because no identity-based policy allows the SNS:Publish action (Service: AmazonSNS;"
    )
