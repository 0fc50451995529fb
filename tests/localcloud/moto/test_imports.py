"""Imports that a start omits, and the operations that need them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.moto.imports import managed_policies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud.server import LocalCloud

ACCOUNTS, REGION = ("111111111111", "222222222222"), "eu-west-1"
_READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
_START = """
import json, sys
from pathlib import Path
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
server = LocalCloud(Path(sys.argv[1]), delays=NO_DELAYS)
server.start()
client = lambda service: server.cloud.client(service, "111111111111", "eu-west-1")
client("ssm").put_parameter(Name="p", Value="v", Type="String", Overwrite=True)
client("apigateway").create_rest_api(name="a")
client("iam").list_users()
server.stop()
print(json.dumps(sorted(sys.modules)))
"""


def _start(state: Path) -> set[str]:
    """Return the modules of a process that started a local cloud and used it."""
    done = subprocess.run(
        [sys.executable, "-c", _START, str(state)], stdout=subprocess.PIPE, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_start_imports_no_unused_library(tmp_path: Path) -> None:
    """EC2 and the OpenAPI validator took half of the time until the first response."""
    for modules in (_start(tmp_path), _start(tmp_path)):
        assert {"moto.ssm.models", "moto.apigateway.models"} <= modules
        assert not {"moto.ec2.models", "openapi_spec_validator"} & modules


def test_managed_policies_are_created_once_and_attached_in_each_account(
    start_cloud: Callable[..., LocalCloud],
) -> None:
    managed_policies.cache_clear()
    server = start_cloud(services=("logs", "sts"))
    first, second = (server.cloud.client("iam", each, REGION) for each in ACCOUNTS)
    first.create_user(UserName="u")
    first.attach_user_policy(UserName="u", PolicyArn=_READ_ONLY)
    found = [each.get_policy(PolicyArn=_READ_ONLY)["Policy"] for each in (first, second)]
    assert [each["AttachmentCount"] for each in found] == [1, 0]
    assert found[0]["PolicyId"] == found[1]["PolicyId"]
    assert managed_policies.cache_info().misses == 1
    server.stop()
    server = start_cloud(services=("logs", "sts"))
    again = server.cloud.client("iam", ACCOUNTS[0], REGION).get_policy(PolicyArn=_READ_ONLY)
    assert again["Policy"] == found[0]
    assert managed_policies.cache_info().misses == 1


def test_lazily_imported_services_work(start_cloud: Callable[..., LocalCloud]) -> None:
    server = start_cloud(services=("logs", "sts"))

    def client(service: str) -> Any:
        return server.cloud.client(service, ACCOUNTS[0], REGION)

    image = client("ec2").describe_images()["Images"][0]["ImageId"]
    client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1)
    instance = client("ec2").describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    sent = client("ssm").send_command(
        DocumentName="AWS-RunShellScript",
        Targets=[{"Key": "instance-state-name", "Values": ["running"]}],
        Parameters={"commands": ["true"]},
    )["Command"]["CommandId"]
    invoked = client("ssm").get_command_invocation(CommandId=sent, InstanceId=instance)
    assert invoked["InstanceId"] == instance
    document = {"openapi": "3.0.0", "info": {"title": "t", "description": "d"}}
    with pytest.raises(ClientError, match="BadRequestException"):
        client("apigateway").import_rest_api(failOnWarnings=True, body=json.dumps(document))
    valid = document | {"info": {"title": "t", "description": "d", "version": "1"}, "paths": {}}
    client("apigateway").import_rest_api(failOnWarnings=True, body=json.dumps(valid))
