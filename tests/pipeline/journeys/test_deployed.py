"""The deployed journeys, in a local cloud at rehearsal speed, with a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Response

from environments.gates import Synthetic
from localcloud.server import LocalCloud
from pipeline.builds import bundle
from pipeline.delivery.stacks.synthetic import FailedJourneys, Journeys
from pipeline.names import SYNTHETIC, synthetic_alarm_name, version_alarm_name
from tests.pipeline.deployed import NAME, Deployed, synthesise
from tests.pipeline.served import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aws_cdk as cdk
    from aws_cdk import aws_lambda as lambda_

    from pipeline.delivery.stacks.artifact import Artifact
    from tests.pipeline.deployed import Part
    from tests.pipeline.served import Served

REGION = "eu-west-1"
JOURNEYS, BAKE = synthetic_alarm_name(NAME), version_alarm_name(NAME, "1", SYNTHETIC)
SYNTHETICS = Synthetic(every_minutes=1, seconds=20)


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    with serve() as served:
        yield served


@pytest.fixture(scope="module")
def part(service: Served, tmp_path_factory: pytest.TempPathFactory) -> Part:
    """The journeys beside a function that is never called."""

    def fill(stack: cdk.Stack, artifact: Artifact, function: lambda_.Function) -> None:
        FailedJourneys(NAME, SYNTHETICS, function, function.current_version).alarm(
            stack, "Bake", SYNTHETIC, BAKE
        )
        Journeys(
            stack,
            "Journeys",
            environment_name=NAME,
            artifact=artifact,
            log_retention_days=1,
            synthetic=SYNTHETICS,
            url=service.url,
        )

    return synthesise(tmp_path_factory.mktemp("cdk.out"), bundle.build_synthetic("host"), fill)


class Prod(Deployed):
    """A region with journeys."""

    def becomes(self, alarm: str, state: str) -> str:
        """Wait for an alarm's state; return its reason."""
        cloudwatch = self.client("cloudwatch")
        for _ in self.polls():
            (found,) = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
            if found["StateValue"] == state:
                return str(found["StateReason"])
        raise AssertionError(found)

    def states(self, alarm: str) -> list[str]:
        """Return all states of an alarm, in order."""
        items = self.client("cloudwatch").describe_alarm_history(
            AlarmName=alarm, HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
        )["AlarmHistoryItems"]
        return [json.loads(each["HistoryData"])["newState"]["stateValue"] for each in items]

    def records(self) -> list[dict[str, Any]]:
        """Return the journeys' log records."""
        group = self.name("AWS::Logs::LogGroup", "Journeys")
        pages = self.client("logs").get_paginator("filter_log_events")
        return [
            json.loads(each["message"])
            for page in pages.paginate(logGroupName=group, filterPattern='"_aws"')
            for each in page["events"]
        ]


@pytest.fixture(scope="module")
def prod(part: Part, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prod]:
    cloud = LocalCloud(tmp_path_factory.mktemp("state"), speed=60.0)
    cloud.start()
    yield Prod(cloud, part, REGION)
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
    # A journey in progress may have failed at a later step.
    assert "step read failed: found 500: oh no; allowed is 200" in {
        each["message"] for each in prod.records() if each["FailedJourneys"]
    }

    service.restore()
    prod.becomes(JOURNEYS, "OK")
    prod.becomes(BAKE, "OK")

    prod.client("events").disable_rule(Name=prod.name("AWS::Events::Rule", "Journeys"))
    assert "treated as [Breaching]" in prod.becomes(JOURNEYS, "ALARM")
    assert prod.becomes(BAKE, "OK")
    assert service.files() == []
    assert all(each["Latency"] > 0 for each in prod.records() if not each["FailedJourneys"])
