"""`pithead rollback` of a stack that CodeDeploy shifts, in a local cloud."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from console.aws.account import AwsSession
from console.aws.deployed import deployed
from console.errors import ConsoleError
from console.release.rollback import roll_back
from environments.schema import load, load_home
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from pipeline.builds.bundle import target
from pipeline.names import ALIAS, deploy_role, lookup_role, publishing_role, staging_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.aws.deployed import Deployed

PLACE, HOME = load("prod"), load_home()
WHERE = (PLACE.account, PLACE.region)
REASON = "customers cannot upload, ticket 4711"


def template(number: int) -> dict[str, Any]:
    """Return the template of a release: its code, version, and the alias that shifts."""
    host = target("host")
    version = f"Version{number}"
    trust = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com", "codedeploy.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ]
    }
    return {
        "Parameters": {"Stage": {"Type": "String", "Default": "prod"}},
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": trust,
                    "ManagedPolicyArns": [
                        "arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"
                    ],
                },
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": host.runtime,
                    "Architectures": [host.architecture],
                    "Handler": "index.handler",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Code": {"ZipFile": "def handler(event, context): return 0"},
                    "Environment": {"Variables": {"COMMIT": f"commit{number}"}},
                },
            },
            version: {
                "Type": "AWS::Lambda::Version",
                "Properties": {"FunctionName": {"Ref": "Function"}},
                "DeletionPolicy": "Retain",
            },
            "Application": {
                "Type": "AWS::CodeDeploy::Application",
                "Properties": {"ComputePlatform": "Lambda"},
            },
            "Group": {
                "Type": "AWS::CodeDeploy::DeploymentGroup",
                "Properties": {
                    "ApplicationName": {"Ref": "Application"},
                    "DeploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
                    "DeploymentStyle": {
                        "DeploymentType": "BLUE_GREEN",
                        "DeploymentOption": "WITH_TRAFFIC_CONTROL",
                    },
                    "ServiceRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                },
            },
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Ref": "Function"},
                    "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
                    "Name": ALIAS,
                },
                "UpdatePolicy": {
                    "CodeDeployLambdaAliasUpdate": {
                        "ApplicationName": {"Ref": "Application"},
                        "DeploymentGroupName": {"Ref": "Group"},
                    }
                },
            },
        },
    }


class Prod:
    """Production's account, with the roles that `cdk bootstrap` creates."""

    def __init__(self, server: LocalCloud) -> None:
        self._cloud = server.cloud
        iam = self.client("iam")
        trust = {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{HOME.account}:root"},
                    "Action": "sts:AssumeRole",
                }
            ]
        }
        for role in (
            lookup_role(*WHERE).rsplit("/", 1)[1], deploy_role(*WHERE), publishing_role(*WHERE),
        ):  # fmt: skip
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
            iam.attach_role_policy(
                RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
            )
        self.client("s3").create_bucket(
            Bucket=staging_bucket(*WHERE),
            CreateBucketConfiguration={"LocationConstraint": PLACE.region},
        )

    def client(self, service: str) -> Any:
        made: Any = boto3.client
        return made(
            service,
            region_name=PLACE.region,
            endpoint_url=self._cloud.endpoint,
            aws_access_key_id=PLACE.account,
            aws_secret_access_key=self._cloud.credentials.secret_key,
        )

    def release(self, number: int) -> str:
        """Release a template; return the status of the stack afterwards."""
        cloudformation = self.client("cloudformation")
        call = cloudformation.create_stack if number == 1 else cloudformation.update_stack
        call(
            StackName="prod-files",
            TemplateBody=json.dumps(template(number)),
            Capabilities=["CAPABILITY_IAM"],
        )
        while True:
            (stack,) = cloudformation.describe_stacks(StackName="prod-files")["Stacks"]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return str(stack["StackStatus"])
            self._cloud.clock.wait(2, threading.Event())

    def serves(self, function: str) -> str:
        alias = self.client("lambda").get_alias(FunctionName=function, Name=ALIAS)
        return str(alias["FunctionVersion"])

    def shifts(self) -> list[tuple[str, str]]:
        """Return the old and new version of each deployment, oldest first."""
        codedeploy = self.client("codedeploy")
        found = []
        for each in reversed(codedeploy.list_deployments()["deployments"]):
            (id_,) = codedeploy.list_deployment_targets(deploymentId=each)["targetIds"]
            shape = codedeploy.get_deployment_target(deploymentId=each, targetId=id_)
            moved = shape["deploymentTarget"]["lambdaTarget"]["lambdaFunctionInfo"]
            found.append((moved["currentVersion"], moved["targetVersion"]))
        return found


@pytest.fixture
def prod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Prod]:
    server = LocalCloud(tmp_path / "state", speed=60.0, delays=NO_DELAYS)
    server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.cloud.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", HOME.account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.cloud.credentials.secret_key)
    yield Prod(server)
    server.stop()


def known(aws: AwsSession) -> Deployed:
    what = deployed(aws, "prod", PLACE)
    assert what is not None
    return what


def test_a_promoted_release_is_rolled_back_and_the_next_one_shifts_from_there(prod: Prod) -> None:
    assert prod.release(1) == "CREATE_COMPLETE"
    aws = AwsSession(HOME)
    with pytest.raises(ConsoleError, match="found no deployment to version 1"):
        roll_back(aws, known(aws), REASON)
    assert prod.release(2) == "UPDATE_COMPLETE"
    what = known(aws)

    done = roll_back(aws, what, REASON)

    assert (done.version, done.to_version) == ("2", "1")
    assert (done.commit, done.to_commit) == ("commit2", "commit1")
    assert prod.serves(what.function) == "1"
    assert prod.shifts() == [("1", "2")]  # no deployment ran in between
    cloudformation = prod.client("cloudformation")
    found = cloudformation.get_template(StackName="prod-files", TemplateStage="Original")
    alias = found["TemplateBody"]["Resources"]["Alias"]
    assert alias["Properties"]["FunctionVersion"] == "1"
    assert alias["Properties"]["Description"] == f"Moved back from version 2: {REASON}"
    assert alias["UpdatePolicy"] == template(2)["Resources"]["Alias"]["UpdatePolicy"]
    with pytest.raises(ConsoleError, match="version 1 has all traffic already"):
        roll_back(aws, known(aws), REASON, "1")
    assert prod.release(3) == "UPDATE_COMPLETE"
    assert prod.shifts() == [("1", "2"), ("1", "3")]


def test_a_rollback_during_a_deployment_is_an_error(prod: Prod) -> None:
    assert prod.release(1) == "CREATE_COMPLETE"
    aws = AwsSession(HOME)
    what = known(aws)
    updating = replace(what, stack_status="UPDATE_IN_PROGRESS")
    with pytest.raises(ConsoleError, match="aws deploy stop-deployment --auto-rollback-enabled"):
        roll_back(aws, updating, REASON)
