"""Rejections and waits during creations and updates of a function."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from localcloud.core.delays import AS_ON_AWS

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT, REGION = "222222222222", "eu-west-1"
SOURCE = "def handler(event, context): return 1"
SHORTEST, LONGEST = 1.0, 5.0


@pytest.fixture
def start_slow(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Start a cloud in which only updates are delayed."""

    def started(**options: Any) -> Any:
        lambdas = start(**options)
        monkeypatch.setattr(lambdas.server.cloud.functions.updates, "delays", AS_ON_AWS)
        return lambdas

    return started


@pytest.fixture
def slow(start_slow: Callable[..., Any]) -> Any:
    return start_slow()


def _pass(lambdas: Any, seconds: float) -> None:
    lambdas.server.cloud.clock._origin += seconds


def _refused(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    said = error.value.response
    assert said["Error"]["Code"] == "ResourceConflictException"
    assert said["ResponseMetadata"]["HTTPStatusCode"] == 409
    return str(said["Error"]["Message"])


def test_a_new_function_is_pending(slow: Any) -> None:
    made = slow.create("slow", SOURCE)
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    pending = (
        "The operation cannot be performed at this time. The function is currently in the "
        "following state: Pending"
    )
    assert _refused(slow.client.invoke, FunctionName="slow") == pending
    assert _refused(slow.client.publish_version, FunctionName="slow") == pending
    _pass(slow, LONGEST)
    assert slow.client.get_function(FunctionName="slow")["Configuration"]["State"] == "Active"
    assert slow.invoke("slow")[1] == 1


def test_an_update_is_in_progress_even_if_it_changes_nothing(slow: Any) -> None:
    slow.create("slow", SOURCE)
    _pass(slow, LONGEST)
    code = {"FunctionName": "slow", "ZipFile": slow.zipped(SOURCE)}
    assert slow.client.update_function_code(**code)["LastUpdateStatus"] == "InProgress"
    under_way = (
        "The operation cannot be performed at this time. An update is in progress for resource: "
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:slow"
    )
    for call, parameters in (
        (slow.client.publish_version, {"FunctionName": "slow"}),
        (slow.client.update_function_configuration, {"FunctionName": "slow", "Timeout": 9}),
        (slow.client.update_function_code, code),
        (
            slow.client.put_function_concurrency,
            {"FunctionName": "slow", "ReservedConcurrentExecutions": 1},
        ),
    ):
        assert _refused(call, **parameters) == under_way
    assert slow.invoke("slow")[1] == 1
    _pass(slow, LONGEST)
    assert slow.client.publish_version(FunctionName="slow")["Version"] == "1"


def test_a_stack_waits_for_its_function(start_slow: Callable[..., Any]) -> None:
    lambdas = start_slow(speed=50.0)
    cloudformation = lambdas.server.cloud.client("cloudformation", ACCOUNT, REGION)
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"ZipFile": SOURCE},
            "Runtime": RUNTIME,
            "Architectures": [ARCHITECTURE],
            "Handler": "index.handler",
            "Role": f"arn:aws:iam::{ACCOUNT}:role/runner",
        },
    }
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}}
    template = json.dumps({"Resources": {"Function": function, "Version": version}})
    cloudformation.create_stack(StackName="app", TemplateBody=template)
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="app", WaiterConfig={"Delay": 0.02, "MaxAttempts": 3000}
    )
    events = cloudformation.describe_stack_events(StackName="app")["StackEvents"]
    [begun, made] = [
        next(
            each["Timestamp"]
            for each in events
            if each["LogicalResourceId"] == "Function"
            and each["ResourceStatus"] == f"CREATE_{status}"
        )
        for status in ("IN_PROGRESS", "COMPLETE")
    ]
    assert (made - begun).total_seconds() >= SHORTEST
