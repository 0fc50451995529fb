"""What replays of deliveries share: local clouds, and what is in them."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.functions.configuration import ARCHITECTURE, RUNTIME
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


def trust(*services: str) -> str:
    """A trust policy that lets these services assume a role; without any it is nobody's."""
    principal = {"Service": [f"{each}.amazonaws.com" for each in services]}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_role(server: LocalCloud, account: str, name: str, *services: str) -> str:
    """Make a role that these services may assume; its ARN."""
    iam = server.cloud.client("iam", account, REGION)
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(*services))
    return str(made["Role"]["Arn"])


def make_function(server: LocalCloud, account: str, name: str, code: str = "") -> str:
    """Make a function of this module `app` with a `handler`, and publish it; its ARN."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", code or "def handler(event, context):\n    return 1\n")
    made = server.cloud.client("lambda", account, REGION).create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Architectures=[ARCHITECTURE],
        Handler="app.handler",
        Role=f"arn:aws:iam::{account}:role/runner",
        Code={"ZipFile": content.getvalue()},
        Publish=True,
    )
    return str(made["FunctionArn"]).removesuffix(":1")
