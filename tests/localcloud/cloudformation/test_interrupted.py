"""Operations that the end of the process interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"


def _client(server: LocalCloud) -> Any:
    return server.cloud.client("cloudformation", ACCOUNT, REGION)


def _stack(client: Any) -> Any:
    return client.describe_stacks(StackName="app")["Stacks"][0]


@pytest.fixture
def interrupted(start: Callable[..., LocalCloud], world: Any, settle: Any) -> Any:
    """Stops a cloud while `Slow` waits in its provider; returns the next cloud's client."""

    def run(before: str | None, during: str) -> Any:
        server = start()
        client = _client(server)
        if before:
            client.create_stack(StackName="app", TemplateBody=before)
            settle(server)
        world.held = threading.Event()
        call = client.update_stack if before else client.create_stack
        calling = threading.Thread(target=lambda: call(StackName="app", TemplateBody=during))
        calling.start()
        assert world.entered.wait(60)
        server.stop()
        calling.join()
        world.held = None
        again = start()
        settle(again)
        return _client(again)

    return run


def _reasons(client: Any) -> list[str]:
    found = client.describe_stack_events(StackName="app")["StackEvents"]
    return [each["ResourceStatusReason"] for each in found if "ResourceStatusReason" in each]


def _slow(on: str) -> dict[str, Any]:
    return {"Type": "Test::World::Thing", "DependsOn": on, "Properties": {"Value": "slow"}}


def test_an_update_is_rolled_back_at_the_next_start(
    interrupted: Any, template: Any, world: Any
) -> None:
    client = interrupted(
        template(A="x", S="y", Gone="g"), template(A="changed", New="n", S=_slow("A"))
    )
    assert _stack(client)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert sorted(each["Value"] for each in world.exists.values()) == ["g", "x", "y"]
    assert "The local cloud stopped during this operation" in _reasons(client)
    assert ("update", "A", True) in world.calls
    client.update_stack(StackName="app", TemplateBody=template(A="next"))
    _wait(client, "stack_update_complete")
    assert [each["Value"] for each in world.exists.values()] == ["next"]


def test_a_creation_is_rolled_back_at_the_next_start(
    interrupted: Any, template: Any, world: Any
) -> None:
    client = interrupted(None, template(A="x", S=_slow("A")))
    assert _stack(client)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert world.exists == {}


def test_a_stop_records_no_failure_that_did_not_happen(interrupted: Any, template: Any) -> None:
    """An interrupted change has not failed: no event reports a failure."""
    client = interrupted(template(A="x", S="y"), template(A="x", S=_slow("A")))
    events = client.describe_stack_events(StackName="app")["StackEvents"]
    assert not [each for each in events if each["ResourceStatus"].endswith("FAILED")]


_CHILD = """
import sys, threading
from pathlib import Path
from localcloud.core.providers import Resource
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud

class Slow:
    def replaces(self, request, current): return False
    def create(self, request): return Resource("slow", {}, request.properties)
    def update(self, request, current):
        if not request.rollback:
            print("updating", flush=True)
            threading.Event().wait()
        print("restored", request.properties, flush=True)
        return Resource("slow", {}, request.properties)
    def delete(self, request, current): pass

server = LocalCloud(Path(sys.argv[1]), services=("logs", "sts", "cloudformation"), delays=NO_DELAYS)
server.cloud.cloudformation.providers["Test::Slow::Thing"] = Slow()
server.start()
print(server.cloud.endpoint, flush=True)
sys.stdin.readline()
server.stop()
"""


def _child(state: Path) -> tuple[subprocess.Popen[str], Any]:
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    lines: list[str] = []
    while not (lines or [""])[-1].startswith("http"):
        lines.append(process.stdout.readline().strip())
        assert lines[-1], "the local cloud did not start"
    process.lines_before = lines[:-1]  # type: ignore[attr-defined]  # kept for the test
    return process, {
        "endpoint_url": lines[-1],
        "region_name": REGION,
        "aws_access_key_id": ACCOUNT,
        "aws_secret_access_key": json.loads((state / "endpoint.json").read_text())["secret_key"],
    }


def test_a_kill_in_an_update_of_real_resources_is_rolled_back(tmp_path: Path) -> None:
    def body(value: str) -> str:
        timeout = 7 if value == "one" else 9
        slow = {"Value": value, "Key": {"Ref": "Key"}}
        root = {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}
        stated = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": root}}
        resources = {
            "Queue": _resource("AWS::SQS::Queue", VisibilityTimeout=timeout),
            "Key": _resource("AWS::KMS::Key", KeyPolicy={"Statement": stated | {"Sid": value}}),
            "Slow": _resource("Test::Slow::Thing", **slow) | {"DependsOn": ["Queue", "Key"]},
        }
        return json.dumps({"Resources": resources})

    process, options = _child(tmp_path)
    try:
        client = boto3.client("cloudformation", **options)
        client.create_stack(StackName="app", TemplateBody=body("one"))
        _wait(client, "stack_create_complete")
        before = client.describe_stack_resources(StackName="app")["StackResources"]
        client.update_stack(StackName="app", TemplateBody=body("two"))
        assert process.stdout
        assert process.stdout.readline() == "updating\n"
        assert _sid(options, before) == "two"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    process, options = _child(tmp_path)
    try:
        client = boto3.client("cloudformation", **options)
        _wait(client, "stack_rollback_complete")
        # Before the endpoint was printed, or after it if that took long.
        assert process.stdout
        told = process.lines_before or [process.stdout.readline()]  # type: ignore[attr-defined]  # kept for the test
        assert any("restored {'Value': 'one'" in line for line in told)
        after = client.describe_stack_resources(StackName="app")["StackResources"]
        assert [_id(after, name) for name in ("Queue", "Key", "Slow")] == [
            _id(before, name) for name in ("Queue", "Key", "Slow")
        ]
        assert _sid(options, after) == "one"
        queue = boto3.client("sqs", **options).get_queue_attributes(
            QueueUrl=_id(after, "Queue"), AttributeNames=["VisibilityTimeout"]
        )
        assert queue["Attributes"]["VisibilityTimeout"] == "7"
    finally:
        process.communicate("\n", timeout=60)


def _sid(options: dict[str, Any], resources: Any) -> str:
    """Return the statement id of the key's policy."""
    kms = boto3.client("kms", **options)
    found = kms.get_key_policy(KeyId=_id(resources, "Key"), PolicyName="default")["Policy"]
    return str(json.loads(found)["Statement"]["Sid"])


def _resource(type_name: str, **properties: Any) -> dict[str, Any]:
    return {"Type": type_name, "Properties": properties}


def _wait(client: Any, waiter: str) -> None:
    client.get_waiter(waiter).wait(
        StackName="app", WaiterConfig={"Delay": 0.05, "MaxAttempts": 1000}
    )


def _id(resources: Any, name: str) -> str:
    return next(
        str(each["PhysicalResourceId"]) for each in resources if each["LogicalResourceId"] == name
    )
