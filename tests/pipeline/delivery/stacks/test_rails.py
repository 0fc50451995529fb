"""The synthesised stack's alarms, evaluated by the local cloud's CloudWatch."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from environments.schema import load
from localcloud.cloudwatch import expressions
from localcloud.cloudwatch.metric_math import Scope, evaluate
from localcloud.cloudwatch.time_series import TimeSeries
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from pipeline.judge.rails import deviations
from pipeline.names import RAILS
from pipeline.planning.policy import rails_threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT, REGION = "444444444444", "eu-west-1"
GUARD = load("prod").guard
FEW = GUARD.min_requests
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
    ("new", "others", "fires"),
    [
        pytest.param((100, 40), (900, 0), True, id="the new version alone fails"),
        pytest.param((100, 20), (900, 0), False, id="it exceeds the limit by chance"),
        pytest.param((100, 40), (900, 360), False, id="both fail alike"),
        pytest.param((100, 40), (900, 90), True, id="the others just keep the limit"),
        pytest.param((100, 0), (900, 900), False, id="the others alone fail"),
        pytest.param((100, 1), (900, 1), False, id="one request fails"),
        pytest.param((1000, 400), (0, 0), True, id="it has all traffic"),
        pytest.param((1000, 1000), (0, 0), True, id="all of its requests fail"),
        pytest.param((FEW - 1, FEW - 1), (900, 0), False, id="too few requests"),
        pytest.param((FEW, FEW // 2), (900, 0), True, id="half of just enough requests"),
    ],
)
def test_a_guard_rail_measures_only_the_new_version(
    assembly: Any,
    cloudwatch: Any,
    new: tuple[int, int],
    others: tuple[int, int],
    fires: bool,
) -> None:
    alarm = _alarm(assembly, "failures")
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
    (value,) = result["Values"]
    assert (value >= alarm["Threshold"]) is fires
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


@pytest.mark.parametrize("rail", RAILS)
def test_the_expression_is_the_exact_statistic(assembly: Any, rail: str) -> None:
    """For up to 60,000 requests a minute, from none that is bad to all."""
    alarm = _alarm(assembly, rail.replace("-", ""))
    limit = GUARD.max_slow_share if rail == "slow-requests" else GUARD.max_failure_share
    prod = load("prod")
    assert alarm["Threshold"] == rails_threshold(prod.judge, prod.shift)
    cells = [
        (bad, requests)
        for requests in (0, 1, FEW - 1, FEW, FEW + 1, 120, 600, 6_000, 60_000)
        for bad in sorted({*range(0, requests + 1, 1 + requests // 200), requests})
    ]
    columns = {
        "bad": [bad for bad, _ in cells],
        "requests": [requests for _, requests in cells],
        "all_bad": [bad for bad, _ in cells],
        "all_requests": [requests + 1 for _, requests in cells],
    }
    series = {
        name: TimeSeries(name, name, 60, {60 * at: float(each) for at, each in enumerate(column)})
        for name, column in columns.items()
    }
    (expression,) = (each["Expression"] for each in alarm["Metrics"] if "Expression" in each)
    assert len(expression) <= 2048  # the limit of MetricDataQuery ("PutMetricAlarm")
    scope = Scope("e", "e", 60, range(0, 60 * len(cells), 60), series.__getitem__, [])
    found = evaluate(expressions.parse(expression), scope)
    assert isinstance(found, TimeSeries)
    assert list(found.values.values()) == pytest.approx(
        [deviations(*each, limit) if each[1] >= FEW else 0 for each in cells]
    )


def _alarm(assembly: Any, rail: str) -> dict[str, Any]:
    (alarm,) = (
        each
        for key, each in assembly.services["prod"].of_type("AWS::CloudWatch::Alarm").items()
        if key.startswith(f"ReleaseShift{rail}")
    )
    found: dict[str, Any] = alarm
    return found
