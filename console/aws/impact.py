"""What customers notice of an environment: failed requests and red alarms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pipeline.names import alarms_prefix, api_name

if TYPE_CHECKING:
    from datetime import datetime

    from console.aws.account import Aws, Place

WINDOW_MINUTES = 5
"""Minutes of the cloud's clock whose requests are counted."""
MAX_METRIC_DELAY_MINUTES = 10
"""Minutes by which API Gateway's newest metrics may lag behind the cloud's clock."""
_MINUTE = timedelta(minutes=1)
_METRICS = {"requests": "Count", "failures": "5XXError", "client_errors": "4XXError"}


@dataclass(frozen=True)
class Responses:
    """API Gateway's counts of responses in the newest `WINDOW_MINUTES` that arrived."""

    requests: int
    failures: int
    """Responses with status 5xx."""
    client_errors: int
    """Responses with status 4xx."""
    until: datetime | None = None
    """The end of the newest minute with a request; None if there is none."""

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
    """Count the responses of the environment's API by its own metrics, up to `now`.

    All counts of a minute arrive together, so late metrics do not distort the share of failures.
    """
    dimensions = [
        {"Name": "ApiName", "Value": api_name(environment)},
        {"Name": "Stage", "Value": environment},
    ]
    oldest_minutes = WINDOW_MINUTES + MAX_METRIC_DELAY_MINUTES
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
        StartTime=now.replace(second=0, microsecond=0) - oldest_minutes * _MINUTE,
        EndTime=now + timedelta(seconds=1),
    )
    series = {
        each["Id"]: dict(zip(each["Timestamps"], each["Values"], strict=True))
        for each in counted["MetricDataResults"]
    }
    newest = max((at for at, value in series.get("requests", {}).items() if value), default=None)
    if newest is None:
        return Responses(0, 0, 0)
    since = newest - (WINDOW_MINUTES - 1) * _MINUTE
    sums = {
        name: int(sum(value for at, value in series.get(name, {}).items() if since <= at <= newest))
        for name in _METRICS
    }
    return Responses(**sums, until=newest + _MINUTE)


def red_alarms(aws: Aws, environment: str, place: Place) -> tuple[RedAlarm, ...]:
    """Return the environment's alarms that are in state ALARM, by name."""
    cloudwatch = aws.client("cloudwatch", place)
    wanted: dict[str, Any] = {
        "AlarmNamePrefix": alarms_prefix(environment),
        "StateValue": "ALARM",
        "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
    }
    answer = cloudwatch.describe_alarms(**wanted)
    found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    while answer.get("NextToken"):
        answer = cloudwatch.describe_alarms(**wanted, NextToken=answer["NextToken"])
        found += [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    red = (
        RedAlarm(each["AlarmName"], each["StateUpdatedTimestamp"], each.get("StateReason", ""))
        for each in found
    )
    return tuple(sorted(red, key=lambda each: each.name))
