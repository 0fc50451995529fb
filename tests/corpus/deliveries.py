"""Helpers for replays of deliveries: local clouds and their resources."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from localcloud.core.delays import NO_DELAYS
from localcloud.core.quotas import ESTABLISHED_ACCOUNT
from localcloud.server import LocalCloud
from tests.localcloud.cloudwatch.state_changes import StateChanges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.core.quotas import Quotas
    from localcloud.iam.access import Mode

REGION = "eu-west-1"
FAST = 600.0
"""A minute of the cloud in a tenth of a second."""
ACCOUNTS = (str(number) for number in itertools.count(300000000001))
"""New, empty accounts."""


@contextmanager
def running(
    folder: Path,
    *services: str,
    speed: float = FAST,
    iam: Mode = "soft",
    quotas: Quotas = ESTABLISHED_ACCOUNT,
) -> Iterator[LocalCloud]:
    """Run a local cloud of these services, whose metrics arrive at once."""
    server = LocalCloud(
        folder / "state", services=services, speed=speed, iam=iam, quotas=quotas, delays=NO_DELAYS
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))  # of the builds' image
        server.start()
        try:
            yield server
        finally:
            server.stop()


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    """Return code and message of a rejected call."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


ONE_FAILURE = {
    "Namespace": "Shop",
    "MetricName": "Failures",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold",
}


class Watched:
    """CloudWatch in a separate account."""

    def __init__(self, server: LocalCloud) -> None:
        self.account = next(ACCOUNTS)
        self.client = server.cloud.client("cloudwatch", self.account, REGION)
        self.logs = server.cloud.client("logs", self.account, REGION)
        self.changes = StateChanges(server, self.account)

    def alarm(self, name: str, **changes: Any) -> None:
        self.client.put_metric_alarm(AlarmName=name, **ONE_FAILURE | changes)

    def composite(self, name: str, rule: str) -> None:
        self.client.put_composite_alarm(AlarmName=name, AlarmRule=rule)

    def put(self, **datum: Any) -> None:
        self.client.put_metric_data(
            Namespace="Shop", MetricData=[{"MetricName": "Failures", "Value": 1} | datum]
        )

    def state(self, name: str) -> str:
        (alarm,) = self.client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(alarm["StateValue"])

    def names(self) -> list[str]:
        found = self.client.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return [each["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms")
                for each in found[kind]]  # fmt: skip


def trust(*services: str) -> str:
    """Return a trust policy for these services; without any, it trusts no one."""
    principal = {"Service": [f"{each}.amazonaws.com" for each in services]}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_role(server: LocalCloud, account: str, name: str, *services: str) -> str:
    """Create a role that these services may assume; return its ARN."""
    iam = server.cloud.client("iam", account, REGION)
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(*services))
    return str(made["Role"]["Arn"])


def make_function(server: LocalCloud, account: str, name: str, code: str = "") -> str:
    """Create and publish a function of module `app`; return its ARN."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", code or "def handler(event, context):\n    return 1\n")
    made = server.cloud.client("lambda", account, REGION).create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Architectures=[ARCHITECTURE],
        Handler="app.handler",
        Role=f"arn:aws:iam::{account}:role/runner",
        Code={"ZipFile": content.getvalue()},
        Publish=True,
    )
    return str(made["FunctionArn"]).removesuffix(":1")


class Shop(Watched):
    """Function `shop` with two versions, its alias `live`, and CodeDeploy to shift it."""

    def __init__(self, server: LocalCloud) -> None:
        super().__init__(server)
        self.server = server
        self.deploy = server.cloud.client("codedeploy", self.account, REGION)
        self.functions = server.cloud.client("lambda", self.account, REGION)
        self.stacks = server.cloud.client("cloudformation", self.account, REGION)
        self.runner = make_role(server, self.account, "runner", "lambda")
        self.deployer = make_role(server, self.account, "deployer", "codedeploy")

    def permit_deployer(self) -> None:
        """Allow CodeDeploy's role what a deployment without alarms calls, also under `enforce`."""
        allow = {
            "Effect": "Allow",
            "Action": ["lambda:GetAlias", "lambda:InvokeFunction", "lambda:UpdateAlias"],
            "Resource": f"arn:aws:lambda:{REGION}:{self.account}:function:*",
        }
        self.server.cloud.client("iam", self.account, REGION).put_role_policy(
            RoleName="deployer",
            PolicyName="deploys",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
        )

    def release(self) -> None:
        """Create the function and its versions; the alias serves the first."""
        make_function(self.server, self.account, "shop")
        self.functions.update_function_configuration(FunctionName="shop", Description="second")
        self.functions.publish_version(FunctionName="shop")
        self.functions.create_alias(FunctionName="shop", Name="live", FunctionVersion="1")

    def group(self, configuration: str = "LambdaCanary10Percent5Minutes", **more: Any) -> None:
        """Create application `shop` and its group `prod`."""
        self.deploy.create_application(applicationName="shop", computePlatform="Lambda")
        self.deploy.create_deployment_group(
            applicationName="shop",
            deploymentGroupName="prod",
            serviceRoleArn=self.deployer,
            deploymentConfigName=f"CodeDeployDefault.{configuration}",
            deploymentStyle={
                "deploymentType": "BLUE_GREEN",
                "deploymentOption": "WITH_TRAFFIC_CONTROL",
            },
            **more,
        )

    def revision(self, current: str = "1", target: str = "2", **hooks: str) -> dict[str, Any]:
        """Return the parameters of a deployment from one version to another."""
        properties = {
            "Name": "shop",
            "Alias": "live",
            "CurrentVersion": current,
            "TargetVersion": target,
        }
        resource = {"Type": "AWS::Lambda::Function", "Properties": properties}
        content = {
            "version": 0.0,
            "Resources": [{"shop": resource}],
            "Hooks": [{name: function} for name, function in hooks.items()],
        }
        revision = {
            "revisionType": "AppSpecContent",
            "appSpecContent": {"content": json.dumps(content)},
        }
        return {"applicationName": "shop", "deploymentGroupName": "prod", "revision": revision}

    def ended(self, deployment_id: str) -> dict[str, Any]:
        """Return a deployment at its end, its rollback included."""
        run = self.server.cloud.codedeploy.run(deployment_id)
        assert run is None or run.done.wait(60)
        found = self.deploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return dict(found)

    def served(self) -> tuple[str, dict[str, float]]:
        """Return the alias's version and the weights of others."""
        alias = self.functions.get_alias(FunctionName="shop", Name="live")
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return str(alias["FunctionVersion"]), dict(weights)

    def stack(self, resources: dict[str, Any], *, update: bool = False) -> tuple[str, list[str]]:
        """Deploy a stack `shop`; return its status, and the reasons of failures."""
        act = self.stacks.update_stack if update else self.stacks.create_stack
        act(StackName="shop", TemplateBody=json.dumps({"Resources": resources}))
        waiter = self.stacks.get_waiter(f"stack_{'update' if update else 'create'}_complete")
        with suppress(WaiterError):  # the status reports it
            waiter.wait(StackName="shop", WaiterConfig={"Delay": 0.02, "MaxAttempts": 3000})
        (found,) = self.stacks.describe_stacks(StackName="shop")["Stacks"]
        events = self.stacks.describe_stack_events(StackName="shop")["StackEvents"]
        failed = [each for each in events if each["ResourceStatus"].endswith("_FAILED")]
        return found["StackStatus"], [each["ResourceStatusReason"] for each in failed]
