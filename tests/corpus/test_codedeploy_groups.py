"""CodeDeploy: groups and configurations that templates create, update and keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from tests.corpus.deliveries import Shop, refusal, running
from tests.corpus.report import report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.server import LocalCloud

SERVICES = (
    "logs", "cloudwatch", "sts", "signer", "functions", "codedeploy", "cloudformation",
)  # fmt: skip
STYLE = {"DeploymentType": "BLUE_GREEN", "DeploymentOption": "WITH_TRAFFIC_CONTROL"}
CANARY = {
    "type": "TimeBasedCanary",
    "timeBasedCanary": {"canaryPercentage": 5, "canaryInterval": 1},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with running(tmp_path_factory.mktemp("groups"), *SERVICES, speed=6000) as started:
        yield started


@pytest.fixture
def shop(server: LocalCloud) -> Shop:
    return Shop(server)


def group(shop: Shop, **properties: Any) -> dict[str, Any]:
    """Return application and group of a template."""
    made = {
        "ApplicationName": {"Ref": "Application"},
        "DeploymentGroupName": "prod",
        "ServiceRoleArn": shop.deployer,
        "DeploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
        "DeploymentStyle": STYLE,
    }
    application = {"ApplicationName": "shop", "ComputePlatform": "Lambda"}
    return {
        "Application": {"Type": "AWS::CodeDeploy::Application", "Properties": application},
        "Group": {"Type": "AWS::CodeDeploy::DeploymentGroup", "Properties": made | properties},
    }


def function(shop: Shop, description: str, version: str) -> dict[str, Any]:
    """Return a template's function, its version, and the alias that CodeDeploy shifts."""
    code = {
        "Runtime": RUNTIME,
        "Architectures": [ARCHITECTURE],
        "Handler": "index.handler",
        "FunctionName": "shop",
        "Role": shop.runner,
        "Code": {"ZipFile": "def handler(event, context): return 1\n"},
        "Description": description,
    }
    alias = {
        "FunctionName": {"Ref": "Function"},
        "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
        "Name": "live",
    }
    shift = {"ApplicationName": {"Ref": "Application"}, "DeploymentGroupName": {"Ref": "Group"}}
    return {
        "Function": {"Type": "AWS::Lambda::Function", "Properties": code},
        version: {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": "Function"}},
            "DeletionPolicy": "Retain",
        },
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": alias,
            "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": shift},
        },
    }


@report(
    "davidgf/serverless-plugin-canary-deployments#80",
    "CodeDeploy",
    situation="A stack with a function, an alias and a deployment group is created.",
    outcome="The first release has no deployment, because there is one version; the second has.",
)
def test_the_first_release_has_no_deployment(shop: Shop) -> None:
    assert shop.stack(group(shop) | function(shop, "one", "V1")) == ("CREATE_COMPLETE", [])
    assert shop.deploy.list_deployments()["deployments"] == []
    assert shop.served() == ("1", {})
    second = group(shop) | function(shop, "two", "V2")
    assert shop.stack(second, update=True) == ("UPDATE_COMPLETE", [])
    (deployment,) = shop.deploy.list_deployments()["deployments"]
    assert shop.ended(deployment)["status"] == "Succeeded"
    assert shop.served() == ("2", {})


@report(
    "aws/aws-cdk#23307",
    "CodeDeploy",
    situation="An update removes AlarmConfiguration from a deployment group's template.",
    outcome="The update succeeds, and the group keeps its alarms.",
)
def test_alarms_that_a_template_leaves_out_stay(shop: Shop) -> None:
    alarms = {"Enabled": True, "Alarms": [{"Name": "failures"}]}
    assert shop.stack(group(shop, AlarmConfiguration=alarms)) == ("CREATE_COMPLETE", [])
    faster = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    without = group(shop, DeploymentConfigName=faster)
    assert shop.stack(without, update=True) == ("UPDATE_COMPLETE", [])
    asked = {"applicationName": "shop", "deploymentGroupName": "prod"}
    found = shop.deploy.get_deployment_group(**asked)["deploymentGroupInfo"]
    assert found["deploymentConfigName"] == faster
    assert found["alarmConfiguration"] == {"enabled": True, "alarms": [{"name": "failures"}]}
    disabled = group(shop, AlarmConfiguration={"Enabled": False, "Alarms": []})
    assert shop.stack(disabled, update=True) == ("UPDATE_COMPLETE", [])
    found = shop.deploy.get_deployment_group(**asked)["deploymentGroupInfo"]
    assert not found["alarmConfiguration"]["enabled"]


@report(
    "davidgf/serverless-plugin-canary-deployments#155",
    "CodeDeploy",
    situation="A deployment group names an absent configuration with AWS's own prefix.",
    outcome="The stack fails: No deployment configuration found for name.",
)
def test_a_configuration_that_does_not_exist_fails_the_stack(shop: Shop) -> None:
    name = "CodeDeployDefault.LambdaTestDeploymentConfiguration"
    status, reasons = shop.stack(group(shop, DeploymentConfigName=name))
    assert status == "ROLLBACK_COMPLETE"
    assert any(f"No deployment configuration found for name: {name}" in each for each in reasons)


@report(
    "pulumi/pulumi-aws#1807",
    "CodeDeploy",
    situation="A deployment configuration with a custom name is replaced while a group uses it.",
    outcome="Creation first fails because the name exists; deletion first, because it is in use.",
)
def test_a_named_configuration_cannot_be_replaced(shop: Shop) -> None:
    parameters = {
        "deploymentConfigName": "shift",
        "computePlatform": "Lambda",
        "trafficRoutingConfig": CANARY,
    }
    shop.deploy.create_deployment_config(**parameters)
    shop.deploy.create_application(applicationName="shop", computePlatform="Lambda")
    shop.deploy.create_deployment_group(
        applicationName="shop",
        deploymentGroupName="prod",
        serviceRoleArn=shop.deployer,
        deploymentConfigName="shift",
        deploymentStyle={name[0].lower() + name[1:]: value for name, value in STYLE.items()},
    )
    code, message = refusal(shop.deploy.create_deployment_config, **parameters)
    assert code == "DeploymentConfigAlreadyExistsException"
    assert "shift" in message
    code, _message = refusal(shop.deploy.delete_deployment_config, deploymentConfigName="shift")
    assert code == "DeploymentConfigInUseException"
