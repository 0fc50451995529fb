"""Helpers for replays of CloudFormation, Lambda, IAM, S3 and API Gateway."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from botocore.exceptions import ClientError, WaiterError

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.core.credentials import Session
    from localcloud.iam.access import Mode

ACCOUNT, OTHER, REGION = "111111111111", "222222222222", "eu-west-1"
TOPIC: dict[str, Any] = {"Type": "AWS::SNS::Topic"}
WAIT = {"Delay": 0.02, "MaxAttempts": 3000}
SERVICES = ("logs", "cloudwatch", "sts", "signer", "functions", "gateway", "cloudformation")


def parameter(value: Any) -> dict[str, Any]:
    """Return a resource of type AWS::SSM::Parameter."""
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}


def statements(*stated: dict[str, Any]) -> dict[str, Any]:
    """Return a policy document whose statements allow."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | each for each in stated]}


def trust(principal: Any) -> dict[str, Any]:
    """Return a trust policy."""
    return statements({"Action": "sts:AssumeRole", "Principal": principal})


def zipped(source: str) -> bytes:
    """Return a bundle with the module `app`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), source)
    return content.getvalue()


def refused(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    """Return code and message of a rejected call."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


class Bench:
    """A local cloud with helpers for replays."""

    def __init__(self, server: LocalCloud) -> None:
        self.server = server
        self.stacks = self.client("cloudformation")
        self.lambdas = self.client("lambda")

    def client(
        self,
        service: str,
        account: str = ACCOUNT,
        region: str = REGION,
        session: Session | None = None,
    ) -> Any:
        """Return a client of a service."""
        return self.server.cloud.client(service, account, region, session)

    def create(self, name: str, template: dict[str, Any], **more: Any) -> str:
        """Create a stack; return its final status."""
        more |= {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
        self.stacks.create_stack(StackName=name, TemplateBody=json.dumps(template), **more)
        return self.ended(name, "stack_create_complete")

    def update(self, name: str, template: dict[str, Any], **more: Any) -> str:
        """Update a stack; return its final status."""
        more |= {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
        self.stacks.update_stack(StackName=name, TemplateBody=json.dumps(template), **more)
        return self.ended(name, "stack_update_complete")

    def delete(self, name: str) -> str:
        """Delete a stack; return its final status."""
        found = self.stacks.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self.stacks.delete_stack(StackName=name)
        return self.ended(found, "stack_delete_complete")

    def change_set(
        self, name: str, template: dict[str, Any], kind: str = "UPDATE", called: str = "changes"
    ) -> Any:
        """Create a change set and describe it."""
        made = self.stacks.create_change_set(
            StackName=name,
            ChangeSetName=called,
            ChangeSetType=kind,
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        return self.stacks.describe_change_set(ChangeSetName=made["Id"])

    def execute(self, change_set: Any, waiter: str = "stack_create_complete") -> str:
        """Execute a change set; return the stack's final status."""
        self.stacks.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
        return self.ended(change_set["StackName"], waiter)

    def failures(self, name: str, logical_id: str = "") -> list[str]:
        """Return the reasons of failed resources, or of the stack by its own name."""
        events = self.stacks.describe_stack_events(StackName=name)["StackEvents"]
        return [
            each["ResourceStatusReason"]
            for each in events
            if each.get("ResourceStatusReason")
            and (
                each["LogicalResourceId"] == logical_id
                if logical_id
                else each["ResourceStatus"].endswith("_FAILED")
            )
        ]

    def role(self, name: str, service: str = "lambda.amazonaws.com") -> str:
        """Create a role that a service may assume; return its ARN."""
        document = json.dumps(trust({"Service": service}))
        made = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
        return str(made["Role"]["Arn"])

    def session(self, name: str, account: str, *stated: dict[str, Any]) -> Session:
        """Return a session of a new role with these statements."""
        iam = self.client("iam", account)
        document = json.dumps(trust({"AWS": account}))
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        policy = json.dumps(statements(*stated))
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
        return self.server.cloud.credentials.assume(arn, "AWSCodeBuild-1")

    def function(self, name: str, source: str = "def handler(*_): return 1", **more: Any) -> Any:
        """Create a function under the role `runner`, which `started` creates."""
        given = {
            "FunctionName": name,
            "Runtime": RUNTIME,
            "Architectures": [ARCHITECTURE],
            "Handler": "app.handler",
            "Role": f"arn:aws:iam::{ACCOUNT}:role/runner",
            "Code": {"ZipFile": zipped(source)},
        }
        made = self.lambdas.create_function(**given | more)
        self.lambdas.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=WAIT)
        return made

    def invoke(self, name: str) -> tuple[str, Any]:
        """Return the kind of an invocation's error, and its payload."""
        answer = self.lambdas.invoke(FunctionName=name)
        return answer.get("FunctionError", ""), json.loads(answer["Payload"].read())

    def request(self, api: str, path: str, verb: str = "GET") -> tuple[int, Any]:
        """Return status and body of a request to a deployed REST API."""
        url = f"{self.server.cloud.gateway_endpoint}/{api}{path}"
        with urllib3.PoolManager(retries=False) as http:
            answer = http.request(verb, url)
            return answer.status, json.loads(answer.data)

    def ended(self, name: str, waiter: str) -> str:
        """Wait for the end of a stack's operation; return the stack's status."""
        with suppress(WaiterError):  # the status reports it
            self.stacks.get_waiter(waiter).wait(StackName=name, WaiterConfig=WAIT)
        return str(self.stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


@contextmanager
def started(folder: Path, *, iam: Mode = "soft", speed: float = 60.0) -> Iterator[Bench]:
    """Run a local cloud in a folder, with the role `runner` for functions."""
    server = LocalCloud(folder / "state", speed=speed, services=SERVICES, iam=iam, delays=NO_DELAYS)
    server.start()
    try:
        bench = Bench(server)
        bench.role("runner")
        yield bench
    finally:
        server.stop()
