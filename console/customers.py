"""Failed requests and red alarms of an environment, as its customers see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pipeline.names import alarms_prefix, api_name

if TYPE_CHECKING:
    from datetime import datetime

    from console.aws import Aws, Place

MINUTES = 5
"""How far back requests are counted, in the cloud's time."""
_METRICS = {"requests": "Count", "failures": "5XXError", "client_errors": "4XXError"}


@dataclass(frozen=True)
class Responses:
    """API Gateway's own counts of responses in the last `MINUTES`."""

    requests: int
    failures: int
    """Responses with status 5xx."""
    client_errors: int
    """Responses with status 4xx."""

    @property
    def failure_share(self) -> float:
        """Share of failed requests, 0 to 1; 0 without requests."""
        return self.failures / self.requests if self.requests else 0.0


@dataclass(frozen=True)
class RedAlarm:
    """An alarm in state ALARM."""

    name: str
    since: datetime
    reason: str


def responses(aws: Aws, environment: str, place: Place, now: datetime) -> Responses:
    """Count the responses of the environment's API by its own metrics, up to `now`."""
    dimensions = [
        {"Name": "ApiName", "Value": api_name(environment)},
        {"Name": "Stage", "Value": environment},
    ]
    counted = aws.client("cloudwatch", place).get_metric_data(
        MetricDataQueries=[
            {
                "Id": identifier,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/ApiGateway",
                        "MetricName": metric,
                        "Dimensions": dimensions,
                    },
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
            for identifier, metric in _METRICS.items()
        ],
        StartTime=now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES),
        EndTime=now + timedelta(seconds=1),
    )
    return Responses(
        **dict.fromkeys(_METRICS, 0)
        | {each["Id"]: int(sum(each["Values"])) for each in counted["MetricDataResults"]}
    )


def red_alarms(aws: Aws, environment: str, place: Place) -> tuple[RedAlarm, ...]:
    """Return the environment's alarms that are in state ALARM, by name."""
    cloudwatch = aws.client("cloudwatch", place)
    wanted: dict[str, Any] = {
        "AlarmNamePrefix": alarms_prefix(environment),
        "StateValue": "ALARM",
        "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
    }
    answered = cloudwatch.describe_alarms(**wanted)
    found = [*answered.get("MetricAlarms", []), *answered.get("CompositeAlarms", [])]
    while answered.get("NextToken"):
        answered = cloudwatch.describe_alarms(**wanted, NextToken=answered["NextToken"])
        found += [*answered.get("MetricAlarms", []), *answered.get("CompositeAlarms", [])]
    red = (
        RedAlarm(each["AlarmName"], each["StateUpdatedTimestamp"], each.get("StateReason", ""))
        for each in found
    )
    return tuple(sorted(red, key=lambda each: each.name))
