"""The journeys as they are deployed: their part of the stack in a local cloud, at a rehearsal's
speed, through the service on a server beside it.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import boto3
import pytest
from aws_cdk import aws_lambda as lambda_
from fastapi import Response

from environments.gates import Synthetic
from localcloud.server import LocalCloud
from pipeline import bundle
from pipeline.names import SYNTHETIC, alarm_name, synthetic_alarm_name
from pipeline.stacks.artifact import Artifact
from pipeline.stacks.synthetic import FailedJourneys, Journeys
from tests.pipeline.served import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pipeline.served import Served

ACCOUNT, REGION = "444444444444", "eu-west-1"
NAME = "prod"
JOURNEYS, BAKE = synthetic_alarm_name(NAME), alarm_name(NAME, SYNTHETIC)
SYNTHETICS = Synthetic(every_minutes=1, seconds=20)
BUCKET = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    with serve() as served:
        yield served


@pytest.fixture(scope="module")
def synthesised(service: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stack's folder; the service's function is a stand-in that nobody calls."""
    folder = tmp_path_factory.mktemp("cdk.out")
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(
        app,
        "Stack",
        synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
    )
    host, zipped = bundle.target("host"), bundle.build_synthetic("host")
    function = lambda_.Function(
        stack,
        "Service",
        runtime=lambda_.Runtime(
            host.runtime, lambda_.RuntimeFamily.PYTHON, supports_inline_code=True
        ),
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): pass"),
    )
    FailedJourneys(NAME, SYNTHETICS, function, function.current_version).alarm(
        stack, "Bake", SYNTHETIC, BAKE
    )
    Journeys(
        stack,
        "Journeys",
        environment_name=NAME,
        artifact=Artifact(
            commit="c" * 40,
            bundle=zipped,
            sbom=zipped,
            judge=zipped,
            synthetic=zipped,
            platform=host,
        ),
        log_retention_days=1,
        synthetic=SYNTHETICS,
        url=service.url,
    )
    app.synth()
    return folder


class Prod:
    """The stack in a local cloud."""

    def __init__(self, cloud: LocalCloud, folder: Path) -> None:
        self._cloud = cloud.cloud
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        (key,) = (
            destination["objectKey"]
            for file in json.loads((folder / "Stack.assets.json").read_text())["files"].values()
            for destination in file["destinations"].values()
            if destination["objectKey"].endswith(".zip")
        )
        content = bundle.build_synthetic("host").read_bytes()
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=NAME,
            TemplateBody=(folder / "Stack.template.json").read_text(),
            Capabilities=["CAPABILITY_IAM"],
        )
        for _ in self.polls():
            stack = cloudformation.describe_stacks(StackName=NAME)["Stacks"][0]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                break
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        self._resources = cloudformation.describe_stack_resources(StackName=NAME)["StackResources"]

    def client(self, service: str) -> Any:
        made: Any = boto3.client
        return made(
            service,
            region_name=REGION,
            endpoint_url=self._cloud.endpoint,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="local",
        )

    def name(self, kind: str, part: str) -> str:
        """The physical id of the resource of a kind whose logical id begins with the part."""
        (found,) = (
            str(each["PhysicalResourceId"])
            for each in self._resources
            if each["ResourceType"] == kind and each["LogicalResourceId"].startswith(part)
        )
        return found

    def polls(self) -> Iterator[int]:
        """Twenty minutes of the wall's, a little apart: no machine takes so long."""
        for number in range(12000):
            yield number
            self._cloud.clock.wait(6, threading.Event())

    def becomes(self, alarm: str, state: str) -> str:
        """Wait for an alarm's state; why it is in it."""
        cloudwatch = self.client("cloudwatch")
        for _ in self.polls():
            (found,) = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
            if found["StateValue"] == state:
                return str(found["StateReason"])
        raise AssertionError(found)

    def states(self, alarm: str) -> list[str]:
        """All states that an alarm has come into."""
        items = self.client("cloudwatch").describe_alarm_history(
            AlarmName=alarm, HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
        )["AlarmHistoryItems"]
        return [json.loads(each["HistoryData"])["newState"]["stateValue"] for each in items]

    def records(self) -> list[dict[str, Any]]:
        """What the journeys have logged."""
        group = self.name("AWS::Logs::LogGroup", "Journeys")
        pages = self.client("logs").get_paginator("filter_log_events")
        return [
            json.loads(each["message"])
            for page in pages.paginate(logGroupName=group, filterPattern='"_aws"')
            for each in page["events"]
        ]


@pytest.fixture(scope="module")
def prod(synthesised: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prod]:
    cloud = LocalCloud(tmp_path_factory.mktemp("state"), speed=60.0)
    cloud.start()
    yield Prod(cloud, synthesised)
    cloud.stop()


async def _broken(request: Any, service: Any) -> Response:
    answer: Response = await service(request)
    return Response("oh no", status_code=500) if request.method == "GET" else answer


def test_the_alarms_follow_the_service_and_the_journeys(prod: Prod, service: Served) -> None:
    prod.becomes(JOURNEYS, "OK")
    prod.becomes(BAKE, "OK")
    # Before the first journey there was none to judge a release by, and a first release has to
    # come through its bake; operations were told.
    assert "ALARM" not in prod.states(BAKE)

    service.behave = _broken
    prod.becomes(JOURNEYS, "ALARM")
    assert "greater than or equal to the threshold (1.0)" in prod.becomes(BAKE, "ALARM")
    # One that was under way may have failed at a later step.
    assert "step read failed: found 500: oh no; allowed is 200" in {
        each["message"] for each in prod.records() if each["FailedJourneys"]
    }

    service.mend()
    prod.becomes(JOURNEYS, "OK")
    prod.becomes(BAKE, "OK")

    prod.client("events").disable_rule(Name=prod.name("AWS::Events::Rule", "Journeys"))
    assert "treated as [Breaching]" in prod.becomes(JOURNEYS, "ALARM")
    assert prod.becomes(BAKE, "OK")
    assert service.files() == []
    assert all(each["Latency"] > 0 for each in prod.records() if not each["FailedJourneys"])
