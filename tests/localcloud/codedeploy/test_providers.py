"""Providers of `AWS::CodeDeploy::*`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.providers import ProvisioningError, ResourceRequest

if TYPE_CHECKING:
    from collections.abc import Callable

APPLICATION = "AWS::CodeDeploy::Application"
GROUP = "AWS::CodeDeploy::DeploymentGroup"
CONFIG = "AWS::CodeDeploy::DeploymentConfig"
CANARY = {
    "Type": "TimeBasedCanary",
    "TimeBasedCanary": {"CanaryPercentage": "10", "CanaryInterval": 5},
}


class Stack:
    """Creates requests of one stack."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._providers = scene.cloud.codedeploy.providers

    def request(self, type_name: str, logical_id: str, properties: Any, **more: Any) -> Any:
        return ResourceRequest(
            type=type_name,
            logical_id=logical_id,
            account=self._scene.account,
            region=self._scene.region,
            stack_name="service",
            stack_id="arn:of:service",
            properties=properties,
            cancel=threading.Event(),
            tags={"stack": "service"},
            **more,
        )

    def create(self, type_name: str, logical_id: str, properties: Any, **more: Any) -> Any:
        return self._providers[type_name].create(
            self.request(type_name, logical_id, properties, **more)
        )

    def replaces(self, type_name: str, current: Any, properties: Any) -> bool:
        request = self.request(type_name, "Any", properties)
        return bool(self._providers[type_name].replaces(request, current))

    def update(self, type_name: str, current: Any, properties: Any) -> Any:
        request = self.request(type_name, "Any", properties)
        return self._providers[type_name].update(request, current)

    def delete(self, type_name: str, current: Any) -> None:
        request = self.request(type_name, "Any", current.properties)
        self._providers[type_name].delete(request, current)


@pytest.fixture
def scene(make_scene: Callable[..., Any]) -> Any:
    return make_scene()


@pytest.fixture
def stack(scene: Any) -> Stack:
    return Stack(scene)


def group_of(scene: Any, application: str, **more: Any) -> dict[str, Any]:
    return {
        "ApplicationName": application,
        "ServiceRoleArn": scene.role_arn,
        "DeploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
        "DeploymentStyle": {
            "DeploymentOption": "WITH_TRAFFIC_CONTROL",
            "DeploymentType": "BLUE_GREEN",
        },
        "AlarmConfiguration": {"Alarms": [{"Name": "failures"}], "Enabled": "true"},
        "AutoRollbackConfiguration": {"Enabled": True, "Events": ["DEPLOYMENT_STOP_ON_ALARM"]},
    } | more


def test_a_template_of_cdk_is_created_updated_and_deleted(scene: Any, stack: Stack) -> None:
    scene.role()
    application = stack.create(APPLICATION, "Application", {"ComputePlatform": "Lambda"})
    properties = group_of(scene, application.physical_id)
    group = stack.create(GROUP, "Group", properties)
    asked = {
        "applicationName": application.physical_id,
        "deploymentGroupName": group.physical_id,
    }
    made = scene.client.get_deployment_group(**asked)["deploymentGroupInfo"]
    assert made["alarmConfiguration"] == {"enabled": True, "alarms": [{"name": "failures"}]}
    arn = f"arn:aws:codedeploy:{scene.region}:{scene.account}:deploymentgroup:"
    tags = scene.client.list_tags_for_resource(
        ResourceArn=f"{arn}{application.physical_id}/{group.physical_id}"
    )
    assert tags["Tags"] == [{"Key": "stack", "Value": "service"}]
    changed = properties | {"AlarmConfiguration": {"Enabled": False, "Alarms": []}}
    assert not stack.replaces(GROUP, group, changed)
    group = stack.update(GROUP, group, changed | {"Tags": [{"Key": "team", "Value": "files"}]})
    updated = scene.client.get_deployment_group(**asked)["deploymentGroupInfo"]
    assert updated["alarmConfiguration"] == {"enabled": False, "alarms": []}
    assert updated["deploymentGroupId"] == made["deploymentGroupId"]
    stack.delete(GROUP, group)
    stack.delete(GROUP, group)
    stack.delete(APPLICATION, application)
    assert scene.client.list_applications()["applications"] == []


def test_an_interrupted_creation_is_resumed(scene: Any, stack: Stack) -> None:
    scene.role()
    for _ in range(2):
        application = stack.create(APPLICATION, "Application", {"ComputePlatform": "Lambda"})
        stack.create(GROUP, "Group", group_of(scene, application.physical_id))
        properties = {"ComputePlatform": "Lambda", "TrafficRoutingConfig": CANARY}
        stack.create(CONFIG, "Shift", properties)
    assert len(scene.client.list_applications()["applications"]) == 1


def test_an_explicit_name_can_be_used_once(scene: Any, stack: Stack) -> None:
    properties = {"ApplicationName": "files", "ComputePlatform": "Lambda"}
    application = stack.create(APPLICATION, "Application", properties)
    assert application.physical_id == "files"
    with pytest.raises(ProvisioningError, match="already exists with name files"):
        stack.create(APPLICATION, "Other", properties)
    assert stack.replaces(APPLICATION, application, properties | {"ApplicationName": "web"})


def test_a_configuration_is_replaced_by_another(scene: Any, stack: Stack) -> None:
    properties = {"ComputePlatform": "Lambda", "TrafficRoutingConfig": CANARY}
    shift = stack.create(CONFIG, "Shift", properties)
    found = scene.client.get_deployment_config(deploymentConfigName=shift.physical_id)
    assert found["deploymentConfigInfo"]["trafficRoutingConfig"] == scene.canary()
    changed = properties | {"TrafficRoutingConfig": {"Type": "AllAtOnce"}}
    assert stack.replaces(CONFIG, shift, changed)
    replacement = stack.create(CONFIG, "Shift", changed, replaces=shift.physical_id)
    assert replacement.physical_id != shift.physical_id
    stack.delete(CONFIG, shift)
    names = scene.client.list_deployment_configs()["deploymentConfigsList"]
    assert shift.physical_id not in names
    assert replacement.physical_id in names


@pytest.mark.parametrize(
    ("type_name", "properties", "reason"),
    [
        (APPLICATION, {"ComputePlatform": "ECS"}, "ECS is not part of the local cloud"),
        (CONFIG, {"ComputePlatform": "Server"}, "platform Server is not part"),
        (
            CONFIG,
            {"ComputePlatform": "Lambda", "ZonalConfig": {"MonitorDurationInSeconds": 1}},
            "zonalConfig is not part",
        ),
        (
            CONFIG,
            {"ComputePlatform": "Lambda", "TrafficRoutingConfig": {"Type": "TimeBasedLinear"}},
            "linearPercentage is None",
        ),
    ],
)
def test_an_unsupported_property_is_a_failure_reason(
    stack: Stack, type_name: str, properties: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ProvisioningError, match=reason):
        stack.create(type_name, "Any", properties)


def test_a_group_of_ecs_or_without_a_role_is_a_failure_reason(scene: Any, stack: Stack) -> None:
    application = stack.create(APPLICATION, "Application", {"ComputePlatform": "Lambda"})
    with pytest.raises(ProvisioningError, match="does not exist"):
        stack.create(GROUP, "Group", group_of(scene, application.physical_id))
    scene.role()
    wanted = group_of(scene, application.physical_id, LoadBalancerInfo={"ElbInfoList": []})
    with pytest.raises(ProvisioningError, match="loadBalancerInfo is not a parameter"):
        stack.create(GROUP, "Group", wanted)
