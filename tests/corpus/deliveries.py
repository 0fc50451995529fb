"""What replays of deliveries share: local clouds, and what is in them."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.quotas import ESTABLISHED_ACCOUNT
from localcloud.server import LocalCloud
from tests.localcloud.cloudwatch.state_changes import StateChanges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.iam.access import Mode
    from localcloud.quotas import Quotas

REGION = "eu-west-1"
FAST = 600.0
"""A minute of the cloud in a tenth of a second."""
ACCOUNTS = (str(number) for number in itertools.count(300000000001))
"""Accounts in which nothing has been made."""


@contextmanager
def running(
    folder: Path,
    *services: str,
    speed: float = FAST,
    iam: Mode = "soft",
    quotas: Quotas = ESTABLISHED_ACCOUNT,
) -> Iterator[LocalCloud]:
    """Run a local cloud of these services, whose metrics arrive at once."""
    server = LocalCloud(
        folder / "state", services=services, speed=speed, iam=iam, quotas=quotas, metric_delay=None
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    """Code and message of a call that is refused."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


ONE_FAILURE = {
    "Namespace": "Shop",
    "MetricName": "Failures",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold",
}


class Watched:
    """CloudWatch in an account of its own."""

    def __init__(self, server: LocalCloud) -> None:
        self.account = next(ACCOUNTS)
        self.client = server.cloud.client("cloudwatch", self.account, REGION)
        self.logs = server.cloud.client("logs", self.account, REGION)
        self.changes = StateChanges(server, self.account)

    def alarm(self, name: str, **changes: Any) -> None:
        self.client.put_metric_alarm(AlarmName=name, **ONE_FAILURE | changes)

    def composite(self, name: str, rule: str) -> None:
        self.client.put_composite_alarm(AlarmName=name, AlarmRule=rule)

    def put(self, **datum: Any) -> None:
        self.client.put_metric_data(
            Namespace="Shop", MetricData=[{"MetricName": "Failures", "Value": 1} | datum]
        )

    def state(self, name: str) -> str:
        (alarm,) = self.client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(alarm["StateValue"])

    def names(self) -> list[str]:
        found = self.client.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return [each["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms")
                for each in found[kind]]  # fmt: skip
