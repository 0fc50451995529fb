"""The contract of the API, as boto3 sees it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.core.ports import Routing

if TYPE_CHECKING:
    from collections.abc import Callable

TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "codedeploy.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
AT_TEN = Routing("1", {"2": 0.1})
ASKED = {"applicationName": "files", "deploymentGroupName": "prod"}


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def scene(make_scene: Callable[..., Any]) -> Any:
    """A group whose canary lasts longer than every test."""
    made = make_scene(speed=0.1)
    made.group(made.canary(), tags=[{"Key": "team", "Value": "files"}], **made.guarded)
    return made


def test_predefined_configurations_are_listed_and_stay(scene: Any) -> None:
    names = scene.client.list_deployment_configs()["deploymentConfigsList"]
    assert names[-1] == "shift"
    assert len([name for name in names if name.startswith("CodeDeployDefault.Lambda")]) == 9
    found = scene.client.get_deployment_config(deploymentConfigName=names[1])
    assert found["deploymentConfigInfo"]["trafficRoutingConfig"]["type"] == "TimeBasedCanary"
    code, _ = refusal(scene.client.delete_deployment_config, deploymentConfigName=names[0])
    assert code == "InvalidOperationException"


def test_long_lists_come_in_pages(scene: Any) -> None:
    configurations = scene.cloud.codedeploy.registry(scene.account, scene.region).configurations
    for number in range(100):
        configurations.create(f"shift-{number:03}", scene.canary())
    pages = list(scene.client.get_paginator("list_deployment_configs").paginate())
    names = [name for page in pages for name in page["deploymentConfigsList"]]
    assert [len(page["deploymentConfigsList"]) for page in pages] == [100, 10]
    assert names == configurations.names()


def test_a_configuration_lives_as_long_as_a_group_uses_it(scene: Any) -> None:
    found = scene.client.get_deployment_config(deploymentConfigName="shift")
    assert found["deploymentConfigInfo"]["trafficRoutingConfig"] == scene.canary()
    code, message = refusal(scene.client.delete_deployment_config, deploymentConfigName="shift")
    assert code == "DeploymentConfigInUseException"
    assert "prod" in message
    scene.client.delete_application(applicationName="files")
    scene.client.delete_deployment_config(deploymentConfigName="shift")
    code, _ = refusal(scene.client.get_deployment_config, deploymentConfigName="shift")
    assert code == "DeploymentConfigDoesNotExistException"


WRONG_CONFIGURATIONS: list[tuple[dict[str, Any], str]] = [
    ({"computePlatform": "ECS"}, "InvalidComputePlatformException"),
    ({"deploymentConfigName": "a b"}, "InvalidDeploymentConfigNameException"),
    (
        {"deploymentConfigName": "CodeDeployDefault.Own"},
        "InvalidDeploymentConfigNameException",
    ),
    ({"deploymentConfigName": "shift"}, "DeploymentConfigAlreadyExistsException"),
    (
        {"trafficRoutingConfig": {"type": "TimeBasedCanary"}},
        "InvalidTrafficRoutingConfigurationException",
    ),
]


def test_a_wrong_configuration_is_refused(scene: Any) -> None:
    wanted = {
        "deploymentConfigName": "other",
        "computePlatform": "Lambda",
        "trafficRoutingConfig": scene.canary(),
    }
    for changes, code in WRONG_CONFIGURATIONS:
        assert refusal(scene.client.create_deployment_config, **wanted | changes)[0] == code


def test_applications_are_of_lambda_alone(scene: Any) -> None:
    assert scene.client.list_applications()["applications"] == ["files"]
    found = scene.client.get_application(applicationName="files")["application"]
    assert found["computePlatform"] == "Lambda"
    create = scene.client.create_application
    assert refusal(create, applicationName="files", computePlatform="Lambda")[0] == (
        "ApplicationAlreadyExistsException"
    )
    for platform in ({}, {"computePlatform": "ECS"}):
        code, message = refusal(create, applicationName="web", **platform)
        assert code == "InvalidComputePlatformException"
        assert "not part of the local cloud" in message
    scene.client.delete_application(applicationName="files")
    code, _ = refusal(scene.client.get_application, applicationName="files")
    assert code == "ApplicationDoesNotExistException"


def test_a_group_is_read_back_with_its_latest_deployments(scene: Any) -> None:
    assert scene.client.list_deployment_groups(applicationName="files")["deploymentGroups"] == [
        "prod"
    ]
    deployment_id = scene.begin()
    scene.functions.await_routing(AT_TEN)
    scene.client.stop_deployment(deploymentId=deployment_id)
    scene.await_end(deployment_id)
    group = scene.client.get_deployment_group(**ASKED)["deploymentGroupInfo"]
    assert group["alarmConfiguration"] == scene.guarded["alarmConfiguration"]
    assert group["autoRollbackConfiguration"] == scene.guarded["autoRollbackConfiguration"]
    assert group["computePlatform"] == "Lambda"
    rollback = scene.info(deployment_id)["rollbackInfo"]["rollbackDeploymentId"]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == rollback
    assert group["lastAttemptedDeployment"]["status"] == "Succeeded"


WRONG_GROUPS: list[tuple[dict[str, Any], str, str]] = [
    ({"ecsServices": [{"serviceName": "s"}]}, "InvalidInputException", "ecsServices"),
    ({"autoScalingGroups": ["g"]}, "InvalidInputException", "autoScalingGroups"),
    (
        {"ec2TagFilters": [{"Key": "k", "Type": "KEY_ONLY"}]},
        "InvalidInputException",
        "ec2TagFilters",
    ),
    (
        {
            "deploymentStyle": {
                "deploymentType": "IN_PLACE",
                "deploymentOption": "WITH_TRAFFIC_CONTROL",
            }
        },
        "InvalidDeploymentStyleException",
        "BLUE_GREEN",
    ),
    (
        {"serviceRoleArn": "arn:aws:iam::222222222222:role/absent"},
        "InvalidRoleException",
        "absent does not exist",
    ),
    (
        {"deploymentConfigName": "absent"},
        "DeploymentConfigDoesNotExistException",
        "absent",
    ),
    (
        {"alarmConfiguration": {"enabled": True, "alarms": []}},
        "InvalidAlarmConfigException",
        "empty",
    ),
    (
        {"alarmConfiguration": {"alarms": [{"name": "a"}, {"name": "a"}]}},
        "InvalidAlarmConfigException",
        "same name",
    ),
    (
        {"alarmConfiguration": {"alarms": [{"name": str(n)} for n in range(11)]}},
        "AlarmsLimitExceededException",
        "11",
    ),
    (
        {"autoRollbackConfiguration": {"enabled": True, "events": []}},
        "InvalidAutoRollbackConfigException",
        "no event",
    ),
    (
        {"autoRollbackConfiguration": {"enabled": True, "events": ["SOMETIMES"]}},
        "InvalidAutoRollbackConfigException",
        "SOMETIMES",
    ),
    (
        {
            "triggerConfigurations": [
                {
                    "triggerName": "t",
                    "triggerTargetArn": "arn:aws:sns:eu-west-1:222222222222:t",
                    "triggerEvents": ["Never"],
                }
            ]
        },
        "InvalidTriggerConfigException",
        "Never",
    ),
    (
        {"triggerConfigurations": [{"triggerName": "t", "triggerTargetArn": "arn:aws:sqs:x"}]},
        "InvalidTriggerConfigException",
        "SNS",
    ),
    ({"deploymentGroupName": "prod"}, "DeploymentGroupAlreadyExistsException", "prod"),
    ({"applicationName": "absent"}, "ApplicationDoesNotExistException", "absent"),
]


def test_a_wrong_group_is_refused_by_name(scene: Any) -> None:
    wanted = {
        "applicationName": "files",
        "deploymentGroupName": "other",
        "serviceRoleArn": scene.role_arn,
    }
    for changes, code, named in WRONG_GROUPS:
        found, message = refusal(scene.client.create_deployment_group, **wanted | changes)
        assert (found, named in message) == (code, True), message


@pytest.mark.usefixtures("real_roles")
def test_the_service_role_must_exist_and_trust_codedeploy(make_scene: Callable[..., Any]) -> None:
    scene = make_scene()
    iam = scene.cloud.client("iam", scene.account, "us-east-1")
    scene.client.create_application(applicationName="files", computePlatform="Lambda")
    group = ASKED | {"serviceRoleArn": scene.role_arn}
    code, message = refusal(scene.client.create_deployment_group, **group)
    assert code == "InvalidRoleException"
    assert f"{scene.role_arn} does not exist" in message
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    foreign = trust.replace("codedeploy", "lambda")
    name = scene.role_arn.rsplit("/", 1)[-1]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=foreign)
    code, message = refusal(scene.client.create_deployment_group, **group)
    assert code == "InvalidRoleException"
    assert "does not allow codedeploy.amazonaws.com" in message
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    scene.client.create_deployment_group(**group)
    iam.delete_role(RoleName=name)
    assert refusal(scene.begin)[0] == "InvalidRoleException"


def test_a_group_is_updated_in_part_and_renamed(scene: Any) -> None:
    before = scene.client.get_deployment_group(**ASKED)["deploymentGroupInfo"]
    scene.client.update_deployment_group(
        applicationName="files",
        currentDeploymentGroupName="prod",
        newDeploymentGroupName="live",
        deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce",
    )
    after = scene.client.get_deployment_group(applicationName="files", deploymentGroupName="live")
    assert after["deploymentGroupInfo"] == before | {
        "deploymentGroupName": "live",
        "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
    }
    code, _ = refusal(scene.client.get_deployment_group, **ASKED)
    assert code == "DeploymentGroupDoesNotExistException"
    arn = f"arn:aws:codedeploy:{scene.region}:{scene.account}:deploymentgroup:files/live"
    assert scene.client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [
        {"Key": "team", "Value": "files"}
    ]
    scene.client.delete_deployment_group(applicationName="files", deploymentGroupName="live")
    scene.client.delete_deployment_group(applicationName="files", deploymentGroupName="live")
    assert scene.client.list_deployment_groups(applicationName="files")["deploymentGroups"] == []


def test_tags(scene: Any) -> None:
    where = f"arn:aws:codedeploy:{scene.region}:{scene.account}"
    arn = f"{where}:deploymentgroup:files/prod"
    scene.client.tag_resource(ResourceArn=arn, Tags=[{"Key": "tier", "Value": "1"}])
    assert scene.client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [
        {"Key": "team", "Value": "files"},
        {"Key": "tier", "Value": "1"},
    ]
    scene.client.untag_resource(ResourceArn=arn, TagKeys=["team"])
    assert scene.client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [
        {"Key": "tier", "Value": "1"}
    ]
    tags = scene.client.list_tags_for_resource
    assert refusal(tags, ResourceArn=f"{where}:application:absent")[0] == (
        "ApplicationDoesNotExistException"
    )
    assert refusal(tags, ResourceArn=f"{where}:deploymentconfig:shift")[0] == (
        "ArnNotSupportedException"
    )
    assert refusal(tags, ResourceArn="arn:aws:s3:::bucket")[0] == "InvalidArnException"


def test_deployments_are_listed_by_their_properties(scene: Any) -> None:
    began = scene.cloud.clock.now()
    deployment_id = scene.begin(description="The second version")
    scene.functions.await_routing(AT_TEN)
    listed = scene.client.list_deployments
    for filters in (
        {},
        {"applicationName": "files"},
        ASKED,
        {"includeOnlyStatuses": ["InProgress"]},
        {"createTimeRange": {"start": began}},
    ):
        assert listed(**filters)["deployments"] == [deployment_id]
    for filters in (
        {"includeOnlyStatuses": ["Succeeded"]},
        {"createTimeRange": {"end": began}},
    ):
        assert listed(**filters)["deployments"] == []
    assert refusal(listed, applicationName="absent")[0] == "ApplicationDoesNotExistException"
    assert refusal(listed, deploymentGroupName="prod")[0] == "ApplicationNameRequiredException"
    assert refusal(listed, nextToken="x")[0] == "InvalidNextTokenException"
    several = scene.client.batch_get_deployments(deploymentIds=[deployment_id, "d-ABSENT"])
    assert [each["deploymentId"] for each in several["deploymentsInfo"]] == [deployment_id]
    info = scene.info(deployment_id)
    assert info["description"] == "The second version"
    assert (info["creator"], info["computePlatform"]) == ("user", "Lambda")
    other = scene.cloud.client("codedeploy", "333333333333", scene.region)
    assert refusal(other.get_deployment, deploymentId=deployment_id)[0] == (
        "DeploymentDoesNotExistException"
    )


def test_a_revision_is_named_by_its_digest_and_its_content_is_found_by_it(scene: Any) -> None:
    deployment_id = scene.begin()
    content = scene.app_spec()
    revision = scene.info(deployment_id)["revision"]
    digest = hashlib.sha256(content.encode()).hexdigest()
    assert revision == {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": digest}}
    found = scene.client.get_application_revision(applicationName="files", revision=revision)
    assert found["revision"]["appSpecContent"]["content"] == content
    assert found["revisionInfo"]["deploymentGroups"] == ["prod"]
    wrong = {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": "0" * 64}}
    get = scene.client.get_application_revision
    assert refusal(get, applicationName="files", revision=wrong)[0] == (
        "RevisionDoesNotExistException"
    )


def test_a_revision_may_be_a_string_of_yaml(scene: Any) -> None:
    made = scene.client.create_deployment(
        **ASKED,
        deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce",
        revision={"revisionType": "String", "string": {"content": scene.app_spec()}},
    )
    info = scene.await_end(made["deploymentId"])
    assert info["revision"]["revisionType"] == "String"
    assert info["deploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"
    assert scene.functions.history == [Routing("1"), Routing("2")]


WRONG_DEPLOYMENTS: list[tuple[dict[str, Any], str, str]] = [
    ({"revision": {"revisionType": "S3"}}, "InvalidRevisionException", "type S3"),
    ({"revision": {}}, "RevisionRequiredException", "revision"),
    (
        {"revision": {"revisionType": "String", "string": {"content": "version: 0.0"}}},
        "InvalidRevisionException",
        "one Lambda function",
    ),
    (
        {"revision": {"revisionType": "String", "string": {"content": "", "sha256": "0"}}},
        "InvalidRevisionException",
        "SHA-256",
    ),
    (
        {"targetInstances": {"autoScalingGroups": ["g"]}},
        "InvalidInputException",
        "targetInstances",
    ),
    (
        {"overrideAlarmConfiguration": {"enabled": True}},
        "InvalidAlarmConfigException",
        "empty",
    ),
    (
        {"autoRollbackConfiguration": {"enabled": True}},
        "InvalidAutoRollbackConfigException",
        "no event",
    ),
    (
        {"deploymentConfigName": "absent"},
        "DeploymentConfigDoesNotExistException",
        "absent",
    ),
    (
        {"deploymentGroupName": "absent"},
        "DeploymentGroupDoesNotExistException",
        "absent",
    ),
]


def test_a_wrong_deployment_is_refused_by_name(scene: Any) -> None:
    revision = {"revisionType": "String", "string": {"content": scene.app_spec()}}
    for changes, code, named in WRONG_DEPLOYMENTS:
        wanted = ASKED | {"revision": revision} | changes
        found, message = refusal(scene.client.create_deployment, **wanted)
        assert (found, named in message) == (code, True), message
    assert scene.client.list_deployments()["deployments"] == []


def test_a_deployment_overrides_alarms_and_rollback_of_its_group(scene: Any) -> None:
    scene.alarms.set("failures", "ALARM")
    deployment_id = scene.begin(
        overrideAlarmConfiguration={"enabled": True, "alarms": [{"name": "slow"}]},
        autoRollbackConfiguration={"enabled": False},
    )
    scene.functions.await_routing(AT_TEN)
    scene.alarms.set("slow", "ALARM")
    info = scene.await_end(deployment_id)
    assert info["overrideAlarmConfiguration"]["alarms"] == [{"name": "slow"}]
    assert info["autoRollbackConfiguration"] == {"enabled": False}
    assert "<slow>" in info["errorInformation"]["message"]
    assert scene.functions.history[-1] == AT_TEN


def test_a_function_that_does_not_exist_fails_the_deployment(scene: Any) -> None:
    from localcloud.core.service_api import ApiError  # noqa: PLC0415  # as the functions raise it

    def routing(*_where: str) -> Routing:
        raise ApiError("ResourceNotFoundException", "Cannot find alias arn:of:live")

    scene.functions.routing = routing
    info = scene.await_end(scene.begin())
    assert info["status"] == "Failed"
    assert info["errorInformation"]["code"] == "INVALID_LAMBDA_FUNCTION"
    assert "arn:of:live" in info["errorInformation"]["message"]


def test_an_ended_deployment_can_be_neither_stopped_nor_continued(scene: Any) -> None:
    deployment_id = scene.begin(deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce")
    scene.await_end(deployment_id)
    for lever in (scene.client.stop_deployment, scene.client.continue_deployment):
        code, message = refusal(lever, deploymentId=deployment_id)
        assert code == "DeploymentAlreadyCompletedException"
        assert deployment_id in message
        assert refusal(lever, deploymentId="d-ABSENT")[0] == "DeploymentDoesNotExistException"


def test_a_lambda_deployment_is_never_ready_to_be_continued(scene: Any) -> None:
    deployment_id = scene.begin()
    code, _ = refusal(scene.client.continue_deployment, deploymentId=deployment_id)
    assert code == "DeploymentIsNotInReadyStateException"


def test_a_hooks_result_is_validated(scene: Any) -> None:
    deployment_id = scene.begin()
    put = scene.client.put_lifecycle_event_hook_execution_status
    asked = {"deploymentId": deployment_id, "lifecycleEventHookExecutionId": "x"}
    assert refusal(put, **asked, status="Skipped")[0] == (
        "InvalidLifecycleEventHookExecutionStatusException"
    )
    assert refusal(put, **asked, status="Succeeded")[0] == (
        "InvalidLifecycleEventHookExecutionIdException"
    )


def test_targets_are_listed_and_found(scene: Any) -> None:
    deployment_id = scene.begin()
    scene.functions.await_routing(AT_TEN)
    listed = scene.client.list_deployment_targets
    ids = listed(deploymentId=deployment_id)["targetIds"]
    assert ids == ["files:live"]
    got = scene.client.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=ids)
    assert [each["deploymentTargetType"] for each in got["deploymentTargets"]] == ["LambdaTarget"]
    target = got["deploymentTargets"][0]["lambdaTarget"]
    assert target["targetArn"].endswith(":function:files:live")
    assert target["status"] == "InProgress"
    filters = {"TargetStatus": ["Succeeded"]}
    assert listed(deploymentId=deployment_id, targetFilters=filters)["targetIds"] == []
    assert refusal(
        listed, deploymentId=deployment_id, targetFilters={"ServerInstanceLabel": ["Blue"]}
    )[0] == ("InvalidTargetFilterNameException")
    assert refusal(
        scene.client.get_deployment_target, deploymentId=deployment_id, targetId="other"
    )[0] == ("DeploymentTargetDoesNotExistException")
