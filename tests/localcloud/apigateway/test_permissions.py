"""API Gateway writes logs with the account's log role."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

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


def patch(role: str | None = ROLE, path: str = "/cloudwatchRoleArn") -> list[dict[str, Any]]:
    """Return the patch operations that set a property of the account."""
    return [{"op": "replace", "path": path, "value": role}]


def refused(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    """Return code and message of a rejected call."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_the_api_takes_no_role_that_may_not_write_logs(server: LocalCloud) -> None:
    """The check is the one of `AWS::ApiGateway::Account`: tmobile/jazz-installer#597."""
    api = server.cloud.client("apigateway", ACCOUNT, REGION)
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    update = api.update_account
    code, message = refused(update, patchOperations=patch())
    assert code == "BadRequestException"
    assert message.startswith("The role ARN does not have required permissions configured.")
    assert not api.get_account().get("cloudwatchRoleArn")
    iam.attach_role_policy(RoleName="logs", PolicyArn=PUSH)
    assert update(patchOperations=patch())["cloudwatchRoleArn"] == ROLE
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    document = {"Version": "2012-10-17", "Statement": trust | {"Action": "sts:AssumeRole"}}
    iam.update_assume_role_policy(RoleName="logs", PolicyDocument=json.dumps(document))
    assert refused(update, patchOperations=patch()) == (code, message)
    absent = patch(ROLE.replace("role/logs", "role/absent"))
    assert refused(update, patchOperations=absent) == (code, message)
    theirs = patch(ROLE.replace(ACCOUNT, "333333333333"))
    message = "Cross-account pass role is not allowed."
    assert refused(update, patchOperations=theirs) == ("BadRequestException", message)
    assert refused(update, patchOperations=patch("logs"))[1] == "Role ARN is not well formed"
    assert api.get_account()["cloudwatchRoleArn"] == ROLE
    assert not update(patchOperations=patch("")).get("cloudwatchRoleArn")


def test_an_account_has_two_patch_operations(server: LocalCloud) -> None:
    update = server.cloud.client("apigateway", ACCOUNT, REGION).update_account
    plans = [{"op": "add", "path": "/features", "value": "UsagePlans"}]
    assert update(patchOperations=plans)["features"] == ["UsagePlans"]
    assert refused(update, patchOperations=patch("1", "/throttleSettings/burstLimit")) == (
        "BadRequestException",
        "Invalid patch path '/throttleSettings/burstLimit' specified for op 'replace'. Must be one "
        "of: [/cloudwatchRoleArn]",
    )


def test_setting_the_log_role_passes_it_to_api_gateway(server: LocalCloud) -> None:
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    iam.attach_role_policy(RoleName="logs", PolicyArn=PUSH)
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    iam.create_role(RoleName="team", AssumeRolePolicyDocument=document)
    session = server.cloud.credentials.assume(f"arn:aws:iam::{ACCOUNT}:role/team", "me")
    api = server.cloud.client("apigateway", ACCOUNT, REGION, session)
    calls = {"Effect": "Allow", "Action": "apigateway:*", "Resource": "*"}

    def allow(service: str) -> None:
        condition = {"StringEquals": {"iam:PassedToService": service}}
        passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": ROLE}
        stated = {"Version": "2012-10-17", "Statement": [calls, passing | {"Condition": condition}]}
        iam.put_role_policy(RoleName="team", PolicyName="p", PolicyDocument=json.dumps(stated))

    allow("lambda.amazonaws.com")
    code, message = refused(api.update_account, patchOperations=patch())
    assert code == "AccessDeniedException"
    assert f"is not authorized to perform: iam:PassRole on resource: {ROLE}" in message
    api.update_account(patchOperations=patch(""))
    allow("apigateway.amazonaws.com")
    assert api.update_account(patchOperations=patch())["cloudwatchRoleArn"] == ROLE


def test_in_soft_mode_a_role_without_log_permissions_is_logged(
    start_cloud: Callable[..., LocalCloud], caplog: pytest.LogCaptureFixture
) -> None:
    server = start_cloud(services=("logs", "gateway"))
    principal = {"Service": "apigateway.amazonaws.com"}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    iam.create_role(RoleName="logs", AssumeRolePolicyDocument=document)
    api = server.cloud.client("apigateway", ACCOUNT, REGION)
    assert api.update_account(patchOperations=patch())["cloudwatchRoleArn"] == ROLE
    assert "would deny: User:" in caplog.text
    assert "logs:CreateLogGroup" in caplog.text
