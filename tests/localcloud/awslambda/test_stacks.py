from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME

ACCOUNT, REGION = "222222222222", "eu-west-1"
SOURCE = "import os\ndef handler(event, context): return [os.environ['SHADE'], {}]"


@pytest.fixture
def stack(lambdas: Any, request: pytest.FixtureRequest) -> Any:
    """A separate stack for each test, deleted at the end."""
    cloudformation = lambdas.server.cloud.client("cloudformation", ACCOUNT, REGION)
    lambdas.deployments.reset()
    name = request.function.__name__.replace("_", "-")

    class Stack:
        shifts = lambdas.deployments
        existing = False

        def deploy(self, template: Any) -> tuple[str, dict[str, str]]:
            """Deploy; return status and outputs; output `why` is the reason of a failure."""
            act = cloudformation.update_stack if self.existing else cloudformation.create_stack
            act(StackName=name, TemplateBody=json.dumps(template))
            waiter = cloudformation.get_waiter(
                "stack_update_complete" if self.existing else "stack_create_complete"
            )
            self.existing = True
            with contextlib.suppress(WaiterError):  # the status says it
                waiter.wait(StackName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 3000})
            [found] = cloudformation.describe_stacks(StackName=name)["Stacks"]
            outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            failed = [each for each in events if each["ResourceStatus"].endswith("_FAILED")]
            why = failed[0].get("ResourceStatusReason", "") if failed else ""
            return found["StackStatus"], outputs | {"why": why}

    made = Stack()
    yield made
    if made.existing:
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 3000}
        )


def _template(
    shade: str, version: str = "Version", *, kept: str = "RetainExceptOnCreate", **resources: Any
) -> dict[str, Any]:
    function = {
        "Runtime": RUNTIME,
        "Architectures": [ARCHITECTURE],
        "Handler": "index.handler",
        "Role": f"arn:aws:iam::{ACCOUNT}:role/runner",
        "Code": {"ZipFile": SOURCE.format(1)},
        "Environment": {"Variables": {"SHADE": shade}},
        "Timeout": "30",
    }
    alias = {
        "FunctionName": {"Ref": "Function"},
        "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
        "Name": "live",
    }
    permission = {
        "FunctionName": {"Ref": "Alias"},
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:api/*",
    }
    return {
        "Resources": {
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
            version: {
                "Type": "AWS::Lambda::Version",
                "Properties": {"FunctionName": {"Ref": "Function"}},
                "DeletionPolicy": kept,
            },
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": alias,
                "UpdatePolicy": {
                    "CodeDeployLambdaAliasUpdate": {
                        "ApplicationName": "app",
                        "DeploymentGroupName": "group",
                        "BeforeAllowTrafficHook": "check",
                    }
                },
            },
            "Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission},
            **resources,
        },
        "Outputs": {
            "Function": {"Value": {"Ref": "Function"}},
            "Arn": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}},
            "Version": {"Value": {"Ref": version}},
            "Alias": {"Value": {"Ref": "Alias"}},
        },
    }


def test_a_stack_is_deployed_and_invoked(lambdas: Any, stack: Any) -> None:
    status, outputs = stack.deploy(_template("red"))
    assert status == "CREATE_COMPLETE", outputs
    assert outputs["Arn"].endswith(f":function:{outputs['Function']}")
    assert outputs["Version"] == f"{outputs['Arn']}:1"
    assert outputs["Alias"] == f"{outputs['Arn']}:live"
    assert lambdas.invoke(outputs["Alias"])[1] == ["red", 1]
    assert stack.shifts.deployments == []
    functions = lambdas.server.cloud.functions
    gateway, source = "apigateway.amazonaws.com", f"arn:aws:execute-api:{REGION}:{ACCOUNT}:api/x"
    assert functions.allows(
        ACCOUNT, REGION, outputs["Function"], "live", principal=gateway, source_arn=source
    )
    tags = lambdas.client.list_tags(Resource=outputs["Arn"])["Tags"]
    assert tags["aws:cloudformation:logical-id"] == "Function"


def test_a_new_version_is_shifted_by_codedeploy(lambdas: Any, stack: Any) -> None:
    stack.deploy(_template("red"))
    status, outputs = stack.deploy(_template("blue", "VersionB"))
    assert status == "UPDATE_COMPLETE", outputs
    assert outputs["Version"].endswith(":2")
    [deployment] = stack.shifts.deployments
    assert (deployment.application, deployment.deployment_group) == ("app", "group")
    assert (deployment.current_version, deployment.target_version) == ("1", "2")
    assert (deployment.before_hook, deployment.after_hook) == ("check", "")
    assert lambdas.invoke(outputs["Alias"])[1] == ["blue", 1]


def test_a_manually_moved_alias_is_shifted_from_the_stacks_recorded_version(
    lambdas: Any, stack: Any
) -> None:
    stack.deploy(_template("red"))
    _, outputs = stack.deploy(_template("blue", "VersionB"))
    lambdas.client.update_alias(FunctionName=outputs["Function"], Name="live", FunctionVersion="1")
    stack.shifts.failure = "the alias does not match"
    stack.shifts.compares = False
    status, _ = stack.deploy(_template("green", "VersionC"))
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    deployment = stack.shifts.deployments[-1]
    assert (deployment.current_version, deployment.target_version) == ("2", "3")
    # The rollback also sets the version that the stack records.
    assert lambdas.invoke(outputs["Alias"])[1] == ["blue", 1]


def test_a_failed_shift_rolls_the_stack_back(lambdas: Any, stack: Any) -> None:
    stack.deploy(_template("red"))
    stack.shifts.failure = "The alarm `failures` stopped deployment d-1"
    status, outputs = stack.deploy(_template("blue", "VersionB"))
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.shifts.failure in outputs["why"]
    assert len(stack.shifts.deployments) == 1
    alias = outputs["Alias"]
    assert lambdas.invoke(alias)[1] == ["red", 1]
    assert lambdas.invoke(alias.removesuffix(":live"))[1] == ["red", 1]


def test_a_rolled_back_version_is_deleted_and_republished_with_a_new_number(
    lambdas: Any, stack: Any
) -> None:
    _, outputs = stack.deploy(_template("red"))
    stack.shifts.failure = "The alarm `failures` stopped deployment d-1"
    stack.deploy(_template("blue", "VersionB"))
    assert _versions(lambdas, outputs["Function"]) == ["$LATEST", "1"]
    stack.shifts.failure = ""
    status, outputs = stack.deploy(_template("blue", "VersionB"))
    assert status == "UPDATE_COMPLETE", outputs
    assert outputs["Version"].endswith(":3")
    assert stack.shifts.deployments[-1].target_version == "3"
    assert lambdas.invoke(outputs["Alias"])[1] == ["blue", 1]
    # The previous version is needed for rollbacks, so it is retained with its resource's deletion.
    assert _versions(lambdas, outputs["Function"]) == ["$LATEST", "1", "3"]


def test_a_version_retained_by_a_rollback_blocks_the_same_release(lambdas: Any, stack: Any) -> None:
    """As in aws-cdk#35540 and aws-cdk#28252."""
    _, outputs = stack.deploy(_template("red"))
    stack.shifts.failure = "The alarm `failures` stopped deployment d-1"
    stack.deploy(_template("blue", "VersionB", kept="Retain"))
    assert _versions(lambdas, outputs["Function"]) == ["$LATEST", "1", "2"]
    stack.shifts.failure = ""
    status, outputs = stack.deploy(_template("blue", "VersionB", kept="Retain"))
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    refused = f"Version already exists: [{outputs['Arn']}:2]. Please modify the function to create"
    assert refused in outputs["why"]
    assert "Status Code: 409" in outputs["why"]
    assert len(stack.shifts.deployments) == 1


def test_an_unchanged_function_gets_no_second_version(stack: Any) -> None:
    stack.deploy(_template("red"))
    status, outputs = stack.deploy(_template("red", "VersionB"))
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert f"Version already exists: [{outputs['Arn']}:1]." in outputs["why"]
    assert "HandlerErrorCode: AlreadyExists" in outputs["why"]
    assert stack.shifts.deployments == []


def test_a_version_that_serves_is_not_deleted(lambdas: Any, stack: Any) -> None:
    """Neither an alias's version, nor one that gets a share of its traffic."""
    _, outputs = stack.deploy(_template("red"))
    name = outputs["Function"]
    lambdas.client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"SHADE": "blue"}}
    )
    lambdas.client.publish_version(FunctionName=name)
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    lambdas.client.update_alias(FunctionName=name, Name="live", RoutingConfig=weights)
    for version in ("1", "2"):
        with pytest.raises(ClientError) as refused:
            lambdas.client.delete_function(FunctionName=name, Qualifier=version)
        error = refused.value.response["Error"]
        assert error["Code"] == "ResourceConflictException"
        assert error["Message"].endswith("the following aliases reference it: [live]")
    assert _versions(lambdas, name) == ["$LATEST", "1", "2"]


def test_a_version_that_a_crash_left_unrecorded_is_found_again(lambdas: Any, stack: Any) -> None:
    """Otherwise it would remain, and the same release could not be published again."""
    _, outputs = stack.deploy(_template("red"))
    cloudformation = lambdas.server.cloud.cloudformation
    [made] = [each for each in cloudformation.stacks.values() if "Version" in each.resources]
    provider = cloudformation.provider("AWS::Lambda::Version")
    assert provider.unclaimed(made.id, "Version") == outputs["Version"]
    assert provider.unclaimed(made.id, "VersionB") == ""


def _versions(lambdas: Any, function: str) -> list[str]:
    listed = lambdas.client.list_versions_by_function(FunctionName=function)["Versions"]
    return [each["Version"] for each in listed]


def test_weights_of_a_template(lambdas: Any, stack: Any) -> None:
    template = _template("red")
    template["Resources"]["Alias"]["Properties"]["RoutingConfig"] = {
        "AdditionalVersionWeights": [{"FunctionVersion": "7", "FunctionWeight": 0.5}]
    }
    status, outputs = stack.deploy(template)
    assert status.startswith("ROLLBACK_")
    assert "Function not found" in outputs["why"]
    assert lambdas.client.list_functions()["Functions"] == []


def test_properties_removed_from_a_template_return_to_their_default(
    lambdas: Any, stack: Any
) -> None:
    template = _template("red")
    del template["Resources"]["Function"]["Properties"]["Timeout"]
    stack.deploy(_template("red"))
    _, outputs = stack.deploy(template | {"Resources": template["Resources"]})
    del outputs["why"]
    found = lambdas.client.get_function_configuration(FunctionName=outputs["Function"])
    assert found["Timeout"] == 3


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        (
            {
                "Type": "AWS::Lambda::Url",
                "Properties": {
                    "AuthType": "NONE",
                    "TargetFunctionArn": {"Fn::GetAtt": ["Function", "Arn"]},
                },
            },
            "function URLs are not part of the local cloud",
        ),
        (
            {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Ref": "Function"},
                    "FunctionVersion": "1",
                    "Name": "warm",
                    "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1},
                },
            },
            "Extra: ProvisionedConcurrencyConfig is not part of the local cloud",
        ),
        (
            {
                "Type": "AWS::Lambda::EventInvokeConfig",
                "Properties": {
                    "FunctionName": {"Ref": "Function"},
                    "Qualifier": "$LATEST",
                    "MaximumRetryAttempts": 3,
                },
            },
            "MaximumRetryAttempts is 3; it must be between 0 and 2",
        ),
    ],
)
def test_rejected_properties_of_a_template(stack: Any, resource: Any, told: str) -> None:
    _, outputs = stack.deploy(_template("red", Extra=resource))
    assert told in outputs["why"]
