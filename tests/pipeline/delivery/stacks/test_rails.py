"""The synthesised stack's alarms, evaluated by the local cloud's CloudWatch."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from environments.schema import load
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT, REGION = "444444444444", "eu-west-1"
LIMIT = load("prod").guard.max_failure_share
FEW = load("prod").guard.min_requests
ENVIRONMENTS = (f"prod-{number}" for number in itertools.count())
MINUTE = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)


@pytest.fixture(scope="module")
def cloudwatch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    server = LocalCloud(
        tmp_path_factory.mktemp("state"),
        services=("logs", "sts", "cloudwatch"),
        delays=NO_DELAYS,
    )
    server.start()
    yield boto3.client(
        "cloudwatch",
        region_name=REGION,
        endpoint_url=server.cloud.endpoint,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key=server.cloud.credentials.secret_key,
    )
    server.stop()


def _queries(alarm: dict[str, Any], environment: str) -> list[dict[str, Any]]:
    """The alarm's metrics as GetMetricData queries, for version 3 of an environment."""
    queries = []
    for each in alarm["Metrics"]:
        query = {key: value for key, value in each.items() if key != "Label"}
        if "MetricStat" in query:
            metric = query["MetricStat"]["Metric"]
            dimensions = [
                each | {"Value": environment if each["Name"] == "environment" else "3"}
                for each in metric["Dimensions"]
                if each["Name"] in {"environment", "version"}
            ]
            service = {"Name": "service", "Value": "files"}
            query["MetricStat"] = query["MetricStat"] | {
                "Metric": metric | {"Dimensions": [service, *dimensions]}
            }
        queries.append(query)
    return queries


def _datum(name: str, value: float, environment: str, version: str | None) -> dict[str, Any]:
    dimensions = {"service": "files", "environment": environment}
    dimensions |= {"version": version} if version else {}
    return {
        "MetricName": name,
        "Timestamp": MINUTE,
        "Value": value,
        "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
    }


@pytest.mark.parametrize(
    ("new", "others", "told"),
    [
        pytest.param((100, 40), (900, 0), 0.4, id="the new version alone fails"),
        pytest.param((100, 40), (900, 360), 0, id="both fail alike"),
        pytest.param((100, 40), (900, 90), 0.4, id="the others just keep the limit"),
        pytest.param((100, 0), (900, 900), 0, id="the others alone fail"),
        pytest.param((1000, 400), (0, 0), 0.4, id="it has all traffic"),
        pytest.param((FEW - 1, FEW - 1), (900, 0), 0, id="too few requests"),
        pytest.param((FEW, FEW), (900, 0), 1, id="just enough requests"),
    ],
)
def test_a_guard_rail_measures_only_the_new_version(
    assembly: Any,
    cloudwatch: Any,
    new: tuple[int, int],
    others: tuple[int, int],
    told: float,
) -> None:
    (alarm,) = (
        each
        for key, each in assembly.services["prod"].of_type("AWS::CloudWatch::Alarm").items()
        if key.startswith("ReleaseShiftfailures")
    )
    environment = next(ENVIRONMENTS)
    data = [
        _datum(name, value, environment, version)
        for version, counts in (("3", new), (None, (new[0] + others[0], new[1] + others[1])))
        for name, value in zip(("Requests", "Failures"), counts, strict=True)
    ]
    cloudwatch.put_metric_data(Namespace="Pithead/Service", MetricData=data)
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=_queries(alarm, environment),
        StartTime=MINUTE,
        EndTime=MINUTE + timedelta(minutes=1),
    )
    (result,) = answer["MetricDataResults"]
    assert result["Values"] == [told]
    assert alarm["Threshold"] == LIMIT
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
