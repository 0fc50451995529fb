"""Count the requests to an environment's service that Lambda throttled, with CloudWatch's metric.

Lambda sends the metric once a minute, after the responses.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from environments.schema import load_all
from pipeline.gates import aws
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.service_function import service_function
from pipeline.judge.arrival import ARRIVAL_BOUND, SETTLED
from pipeline.judge.shift import MINUTE
from pipeline.names import ALIAS, PROMOTED, lookup_role, service_stack
from pipeline.planning.quotas import CONCURRENT_EXECUTIONS, executions_needed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from environments.schema import Environment

_ALIASES = (ALIAS, PROMOTED)
_INVOCATIONS_PREFIX = "invoked_"
_POLL_INTERVAL_SECONDS = 2.0
_SESSION_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    "cloudformation:DescribeStackResources",
                    "cloudwatch:GetMetricData",
                    "lambda:GetAccountSettings",
                    "lambda:GetFunctionConcurrency",
                ],
                "Resource": "*",
            }
        ],
    }
)
"""Limits the gate's session of CDK's lookup role, which may read nearly all of its account."""


@dataclass(frozen=True)
class Throttles:
    """Throttled requests, and the limit that they exceeded."""

    by_alias: Mapping[str, int]
    limit: str
    """The exceeded limit with its value."""
    next_step: str
    """The command that raises the limit."""

    @property
    def total(self) -> int:
        """Return the number of throttled requests of all aliases."""
        return sum(self.by_alias.values())


class UnknownThrottlesError(CouldNotRunError):
    """Lambda's throttles cannot be read."""


class Watch(Protocol):
    """Counts throttled requests since the start of a gate."""

    def throttles(self, expected: int) -> Throttles:
        """Return Lambda's throttles as soon as there are as many as expected.

        If there are fewer, it waits until the metrics of the newest minute have arrived.

        Raises:
            UnknownThrottlesError: they cannot be read.
        """
        ...


class EnvironmentWatch:
    """Counts the throttled requests to an environment's service since its construction."""

    def __init__(self, name: str, environment: Environment) -> None:
        self._name = name
        self._environment = environment
        self._began: datetime | None = None
        self._unknown: Exception | None = None
        try:
            self._began = _now()
        except (BotoCoreError, ClientError) as error:
            self._unknown = error

    def throttles(self, expected: int) -> Throttles:
        """See `Watch`."""
        if self._began is None:
            raise self._unreadable(self._unknown)
        try:
            return self._read(self._began, expected)
        except (BotoCoreError, ClientError, KeyError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception | str | None) -> UnknownThrottlesError:
        return UnknownThrottlesError(
            f"could not measure: API Gateway answered requests to {self._name} without the "
            "service, and Lambda's throttles cannot be read: "
            f"account {self._environment.account}: {error}"
        )

    def _read(self, began: datetime, expected: int) -> Throttles:
        place = self._environment
        role = lookup_role(place.account, place.region)
        cloudformation, cloudwatch, lambda_ = (
            aws.assumed(role, service, place.region, policy=_SESSION_POLICY)
            for service in ("cloudformation", "cloudwatch", "lambda")
        )
        function = service_function(cloudformation, service_stack(self._name))
        if function is None:
            raise self._unreadable(f"stack {service_stack(self._name)} has no alias {ALIAS}")
        by_alias = _counted(cloudwatch, function, began, expected)
        limit, next_step = _limit(lambda_, function, place)
        return Throttles(by_alias, limit, next_step)


def _counted(cloudwatch: Any, function: str, began: datetime, expected: int) -> Mapping[str, int]:
    """Return the throttles by alias when there are as many as expected, or all have arrived."""
    asked = _now()
    newest = asked.replace(second=0, microsecond=0)
    settled, end = newest + MINUTE + SETTLED, asked + ARRIVAL_BOUND  # earliest and latest end
    while True:
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[
                *(_query(alias, "Throttles", function, alias) for alias in _ALIASES),
                *(
                    _query(f"{_INVOCATIONS_PREFIX}{alias}", "Invocations", function, alias)
                    for alias in _ALIASES
                ),
            ],
            StartTime=began.replace(second=0, microsecond=0),
            EndTime=end,
        )
        results = {each["Id"]: each for each in answer["MetricDataResults"]}
        by_alias = {alias: int(sum(results[alias]["Values"])) for alias in _ALIASES}
        invoked = [
            at
            for alias in _ALIASES
            for at in results[f"{_INVOCATIONS_PREFIX}{alias}"]["Timestamps"]
        ]
        # Lambda sends the metrics of a minute together; the newest request may be a minute old.
        arrived = any(at >= newest - MINUTE for at in invoked)
        now = aws.answered_at(answer)
        if sum(by_alias.values()) >= expected or now >= (settled if arrived else end):
            return by_alias
        time.sleep(_POLL_INTERVAL_SECONDS)


def _now() -> datetime:
    return aws.answered_at(aws.client("sts").get_caller_identity())


def _query(identifier: str, metric: str, function: str, alias: str) -> dict[str, Any]:
    dimensions = {"FunctionName": function, "Resource": f"{function}:{alias}"}
    return {
        "Id": identifier,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/Lambda",
                "MetricName": metric,
                "Dimensions": [
                    {"Name": name, "Value": value} for name, value in dimensions.items()
                ],
            },
            "Period": int(MINUTE.total_seconds()),
            "Stat": "Sum",
        },
    }


def _limit(lambda_: Any, function: str, place: Environment) -> tuple[str, str]:
    """Return the limit that throttles a function, and how to raise it."""
    reserved = lambda_.get_function_concurrency(FunctionName=function).get(
        "ReservedConcurrentExecutions"
    )
    if reserved is not None:
        return (
            f"the reserved concurrency of function {function} in account {place.account} is "
            f"{reserved}",
            f"with credentials of account {place.account} run `aws lambda "
            f"delete-function-concurrency --function-name {function} --region {place.region}`",
        )
    applied = lambda_.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    where = (place.account, place.region)
    needed = executions_needed(
        each for each in load_all().values() if (each.account, each.region) == where
    )
    # If the quota is enough for the environments, other functions use it up: double it.
    wanted = needed if needed > applied else 2 * applied
    return (
        f'Lambda\'s quota "{CONCURRENT_EXECUTIONS.name}" of account {place.account} in '
        f"{place.region} is {applied}, for all of its functions; its environments need {needed}",
        f"run `pithead preflight`; with credentials of account {place.account} run "
        f"`{CONCURRENT_EXECUTIONS.increase_command(wanted, place.region)}`",
    )
