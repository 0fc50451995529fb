"""The measured traffic of an environment, from CloudWatch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from console.aws.deployed import deployed, serving
from pipeline.gates.aws import answered_at
from pipeline.names import NAMESPACE, SERVICE

if TYPE_CHECKING:
    from datetime import datetime

    from console.aws.account import Aws
    from environments.schema import Environment

HOURS = 3
"""Length of the measurement, in hours before now."""


@dataclass(frozen=True)
class Counted:
    """Requests in the last `HOURS`, since the first to a version in service."""

    seconds: float
    requests: int
    """Requests to all versions in service."""
    stable_requests: int
    """Requests to the stable version."""
    stable_failures: int


def counted(aws: Aws, name: str, environment: Environment) -> Counted | None:
    """Return the traffic of an environment; None without a deployment or requests."""
    what = deployed(aws, name, environment)
    if what is None:
        return None
    now = serving(aws, what)
    versions = [now.version, *(each for each in now.weights if each != now.version)]
    until = answered_at(aws.client("sts").get_caller_identity()).replace(second=0)
    answer = aws.client("cloudwatch", environment).get_metric_data(
        MetricDataQueries=[
            _query(name, f"{metric.lower()}{index}", metric, version)
            for index, version in enumerate(versions)
            for metric in ("Requests", "Failures")
        ],
        StartTime=until - timedelta(hours=HOURS),
        EndTime=until,
    )
    series: dict[str, dict[datetime, float]] = {
        each["Id"]: dict(zip(each["Timestamps"], each["Values"], strict=True))
        for each in answer["MetricDataResults"]
    }
    requests = [series.get(f"requests{index}", {}) for index in range(len(versions))]
    if not requests[0]:
        return None
    return Counted(
        seconds=(until - min(at for each in requests for at in each)).total_seconds(),
        requests=int(sum(sum(each.values()) for each in requests)),
        stable_requests=int(sum(requests[0].values())),
        stable_failures=int(sum(series.get("failures0", {}).values())),
    )


def _query(environment: str, identifier: str, metric: str, version: str) -> dict[str, Any]:
    return {
        "Id": identifier,
        "MetricStat": {
            "Metric": {
                "Namespace": NAMESPACE,
                "MetricName": metric,
                "Dimensions": [
                    {"Name": "service", "Value": SERVICE},
                    {"Name": "environment", "Value": environment},
                    {"Name": "version", "Value": version},
                ],
            },
            "Period": 60,
            "Stat": "Sum",
        },
    }
