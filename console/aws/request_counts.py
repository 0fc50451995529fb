"""Counts of requests and failures by version, and of throttled requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.names import ALIAS, NAMESPACE, SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True)
class RequestCounts:
    """The service's own counts of requests during a shift, in whole minutes."""

    requests: int = 0
    """To both versions."""
    failures: int = 0
    """Of both versions."""
    canary_requests: int = 0
    canary_failures: int = 0


def count_requests(
    cloudwatch: Any, environment: str, versions: tuple[str, str], begin: datetime, end: datetime
) -> RequestCounts:
    """Count the requests of the stable version and the canary, by the service.

    `begin` and `end` are on whole minutes.
    """
    metrics = {
        f"{metric.lower()}{index}": (
            NAMESPACE,
            metric,
            {"service": SERVICE, "environment": environment, "version": version},
        )
        for index, version in enumerate(versions)
        for metric in ("Requests", "Failures")
    }
    sums = _sums(cloudwatch, metrics, begin, end)
    return RequestCounts(
        requests=sums["requests0"] + sums["requests1"],
        failures=sums["failures0"] + sums["failures1"],
        canary_requests=sums["requests1"],
        canary_failures=sums["failures1"],
    )


def count_throttles(cloudwatch: Any, function: str, begin: datetime, end: datetime) -> int:
    """Count the requests to a function's alias that Lambda throttled, by its metric."""
    dimensions = {"FunctionName": function, "Resource": f"{function}:{ALIAS}"}
    metrics = {"throttles": ("AWS/Lambda", "Throttles", dimensions)}
    return _sums(cloudwatch, metrics, begin, end)["throttles"]


def _sums(
    cloudwatch: Any,
    metrics: Mapping[str, tuple[str, str, Mapping[str, str]]],
    begin: datetime,
    end: datetime,
) -> dict[str, int]:
    """Return each metric's sum by id; a metric is a namespace, a name and dimensions."""
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {
                "Id": identifier,
                "MetricStat": {
                    "Metric": {
                        "Namespace": namespace,
                        "MetricName": name,
                        "Dimensions": [
                            {"Name": dimension, "Value": value}
                            for dimension, value in dimensions.items()
                        ],
                    },
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
            for identifier, (namespace, name, dimensions) in metrics.items()
        ],
        StartTime=begin,
        EndTime=end,
    )
    found = {each["Id"]: int(sum(each["Values"])) for each in answer["MetricDataResults"]}
    return {identifier: found.get(identifier, 0) for identifier in metrics}
