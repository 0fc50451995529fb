"""Lambda writes a function's log with the function's role."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.localcloud.awslambda.conftest import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = "/aws/lambda/talks"
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def _grant(lambdas: Any, *actions: str) -> None:
    """Allow actions on the log group to the functions' role, as CDK's `grantWrite` does."""
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*"
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": arn}
    lambdas.server.cloud.client("iam", ACCOUNT, REGION).put_role_policy(
        RoleName="runner",
        PolicyName="own",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )


def _is_logged(lambdas: Any) -> bool:
    """Return whether an invocation's line is in the log."""
    lambdas.written.lines.clear()
    answer, _ = lambdas.invoke("talks")
    assert answer["StatusCode"] == 200
    lambdas.server.cloud.functions._telemetry.flush()
    return any("hello" in line for line in lambdas.written.lines)


def test_a_log_that_the_role_may_not_write_is_missing(start: Callable[..., Any]) -> None:
    lambdas = start(iam="enforce")
    logs = lambdas.server.cloud.client("logs", ACCOUNT, REGION)
    lambdas.create("talks", "def handler(event, context): print('hello')")
    assert not _is_logged(lambdas)
    _grant(lambdas, "logs:CreateLogStream", "logs:PutLogEvents")
    assert not _is_logged(lambdas)  # the log group does not exist, and the role may not create it
    assert logs.describe_log_groups()["logGroups"] == []
    logs.create_log_group(logGroupName=GROUP)
    _grant(lambdas, "logs:PutLogEvents")
    assert not _is_logged(lambdas)
    _grant(lambdas, "logs:CreateLogStream", "logs:PutLogEvents")
    assert _is_logged(lambdas)


def test_awss_basic_execution_role_may_create_the_log_group(start: Callable[..., Any]) -> None:
    lambdas = start(iam="enforce")
    iam = lambdas.server.cloud.client("iam", ACCOUNT, REGION)
    iam.attach_role_policy(RoleName="runner", PolicyArn=BASIC)
    lambdas.create("talks", "def handler(event, context): print('hello')")
    assert _is_logged(lambdas)
