"""The console's reads of AWS, against a local cloud."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from console.aws.account import connect
from console.checkout import Checkout
from console.errors import ConsoleError
from console.judge.records import of_deployment, of_environment
from console.judge.traffic import counted
from environments.schema import load_all, load_home
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from pipeline.gates.aws import answered_at
from pipeline.names import NAMESPACE, SERVICE, decision_key, service_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.aws.account import Aws
    from pipeline.judge.statistics.record import Record

ENVIRONMENTS = load_all()
PROD = ENVIRONMENTS["prod"]
HOME = load_home()


def role(name: str, principal: dict[str, object]) -> dict[str, object]:
    """Create a role that any principal may assume."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": name,
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        },
    }


FUNCTION = {
    "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
    "Architectures": ["arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"],
    "Handler": "index.handler",
    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
    "Code": {"ZipFile": "def handler(event, context):\n    return event\n"},
}
GROUP = {
    "ApplicationName": {"Ref": "Application"},
    "ServiceRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
    "DeploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
    "DeploymentStyle": {
        "DeploymentType": "BLUE_GREEN",
        "DeploymentOption": "WITH_TRAFFIC_CONTROL",
    },
}
ALIAS = {
    "FunctionName": {"Ref": "Function"},
    "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
    "Name": "live",
}
TEMPLATE = {
    "Resources": {
        "Records": {"Type": "AWS::S3::Bucket"},
        "Lookup": role(
            f"cdk-hnb659fds-lookup-role-{PROD.account}-{PROD.region}",
            {"AWS": f"arn:aws:iam::{HOME.account}:root"},
        ),
        "Role": role("runner", {"Service": ["lambda.amazonaws.com", "codedeploy.amazonaws.com"]}),
        "Function": {"Type": "AWS::Lambda::Function", "Properties": FUNCTION},
        "Version": {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": "Function"}},
        },
        "Alias": {"Type": "AWS::Lambda::Alias", "Properties": ALIAS},
        "Application": {
            "Type": "AWS::CodeDeploy::Application",
            "Properties": {"ComputePlatform": "Lambda"},
        },
        "Group": {"Type": "AWS::CodeDeploy::DeploymentGroup", "Properties": GROUP},
    },
    "Outputs": {"Decisions": {"Value": {"Ref": "Records"}}},
}


@pytest.fixture
def aws(folder: Path) -> Iterator[Aws]:
    """A checkout's local cloud, in which prod's stack has a judge's bucket."""
    cloud = LocalCloud(folder / ".pithead", delays=NO_DELAYS)
    cloud.start()
    reader, _ = connect(Checkout.here())
    cloudformation = owner().client("cloudformation")
    cloudformation.create_stack(
        StackName=service_stack("prod"),
        TemplateBody=json.dumps(TEMPLATE),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName=service_stack("prod"), WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    yield reader
    cloud.stop()


def owner() -> boto3.Session:
    """Prod's account as its administrator."""
    return boto3.Session(
        aws_access_key_id=PROD.account,
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region_name=PROD.region,
    )


def test_records_are_read_where_the_judge_wrote_them(aws: Aws, bad: Record, good: Record) -> None:
    s3 = owner().client("s3")
    (bucket,) = (each["Name"] for each in s3.list_buckets()["Buckets"])
    for deployment, record in (("d-ABCDEF123", bad), ("d-ABCDEF124", good)):
        s3.put_object(Bucket=bucket, Key=decision_key(deployment), Body=record.text().encode())
    s3.put_object(Bucket=bucket, Key="elsewhere/d-ABCDEF125.json", Body=b"{}")
    assert of_deployment(aws, ENVIRONMENTS, "d-ABCDEF124") == good
    assert list(of_environment(aws, "prod", PROD)) == [bad, good]
    with pytest.raises(ConsoleError, match="no judge has a record of d-ABCDEF125"):
        of_deployment(aws, ENVIRONMENTS, "d-ABCDEF125")


def test_traffic_is_counted_from_the_services_metrics(aws: Aws) -> None:
    assert counted(aws, "prod", PROD) is None
    cloudwatch = owner().client("cloudwatch")
    sent = answered_at(cloudwatch.list_metrics()).replace(second=0) - timedelta(minutes=10)
    dimensions = {"service": SERVICE, "environment": "prod", "version": "1"}
    for minute, failures in enumerate((1, 0, 2)):
        cloudwatch.put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": key, "Value": dimensions[key]} for key in dimensions],
                    "Timestamp": sent + timedelta(minutes=minute, seconds=20),
                    "Value": value,
                }
                for name, value in (("Requests", 500.0), ("Failures", float(failures)))
            ],
        )
    found = counted(aws, "prod", PROD)
    assert found
    assert (found.requests, found.stable_requests, found.stable_failures) == (1500, 1500, 3)
    assert 600 <= found.seconds <= 900
