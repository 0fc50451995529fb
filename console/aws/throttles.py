"""Requests to the service that Lambda throttled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.names import ALIAS

if TYPE_CHECKING:
    from datetime import datetime


def throttles(cloudwatch: Any, function: str, begin: datetime, end: datetime) -> int:
    """Return how many requests to a function's alias were throttled, by Lambda's metric."""
    dimensions = {"FunctionName": function, "Resource": f"{function}:{ALIAS}"}
    query = {
        "Id": "throttles",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/Lambda",
                "MetricName": "Throttles",
                "Dimensions": [
                    {"Name": name, "Value": value} for name, value in dimensions.items()
                ],
            },
            "Period": 60,
            "Stat": "Sum",
        },
    }
    (found,) = cloudwatch.get_metric_data(MetricDataQueries=[query], StartTime=begin, EndTime=end)[
        "MetricDataResults"
    ]
    return int(sum(found["Values"]))
