"""API Gateway writes logs with the account's log role."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.apigateway.providers import AccountProvider
from localcloud.apigateway.telemetry import Telemetry
from localcloud.core.providers import ProvisioningError, ResourceRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "222222222222", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/logs"
PUSH = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


@pytest.fixture
def server(start_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    """A local cloud with a log role that trusts API Gateway and has no permissions."""
    made = start_cloud(services=("logs", "gateway"), iam="enforce")
    principal = {"Service": "apigateway.amazonaws.com"}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    iam = made.cloud.client("iam", ACCOUNT, REGION)
    iam.create_role(RoleName="logs", AssumeRolePolicyDocument=document)
    return made


def logged(server: LocalCloud, line: str) -> list[str]:
    """Write a line to the log; return the log's lines."""
    stage: Any = SimpleNamespace(account=ACCOUNT, region=REGION, log_stream="a")
    telemetry = Telemetry(server.cloud.access, server.cloud.logs, server.cloud.cloudwatch)
    telemetry.start()
    telemetry.log(stage, "access", 0.0, line)
    telemetry.stop()
    logs = server.cloud.client("logs", ACCOUNT, REGION)
    if not logs.describe_log_groups()["logGroups"]:
        return []
    return [each["message"] for each in logs.filter_log_events(logGroupName="access")["events"]]


def test_a_log_that_the_role_may_not_write_is_lost(server: LocalCloud) -> None:
    server.cloud.gateway.perform(ACCOUNT, REGION, "PutAccount", {"role": ROLE})
    assert logged(server, "lost") == []
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    iam.attach_role_policy(RoleName="logs", PolicyArn=PUSH)
    assert logged(server, "kept") == ["kept"]


def test_an_account_takes_no_role_that_may_not_write_logs(server: LocalCloud) -> None:
    account = ResourceRequest(
        type="AWS::ApiGateway::Account",
        logical_id="Account",
        account=ACCOUNT,
        region=REGION,
        stack_name="stack",
        stack_id="arn:stack",
        properties={"CloudWatchRoleArn": ROLE},
        cancel=threading.Event(),
    )
    provider = AccountProvider(server.cloud.gateway.perform, server.cloud.access)
    with pytest.raises(ProvisioningError, match="does not have required permissions configured"):
        provider.create(account)
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    iam.attach_role_policy(RoleName="logs", PolicyArn=PUSH)
    assert provider.create(account).physical_id
