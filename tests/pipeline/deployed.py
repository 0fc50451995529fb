"""A part of the service's stack, deployed by itself to a local cloud."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import boto3
from aws_cdk import aws_lambda as lambda_

from pipeline.builds import bundle
from pipeline.delivery.stacks.artifact import Artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.server import LocalCloud

    Fill = Callable[[cdk.Stack, Artifact, lambda_.Function], object]

ACCOUNT = "444444444444"
NAME = "prod"
"""The name of the environment and of its stack."""


@dataclass(frozen=True)
class Part:
    """A part's template, and the bundle whose key it names."""

    template: str
    zipped: Path
    key: str


def synthesise(
    folder: Path,
    zipped: Path,
    fill: Fill,
    *,
    source: str = "def handler(event, context): pass",
    environment: dict[str, str] | None = None,
) -> Part:
    """Synthesise the part that `fill` creates, beside a stand-in for the function.

    The part uses the host's bundle; `source` is the code of the stand-in.
    """
    host = bundle.target("host")
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(
        app,
        "Stack",
        synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
    )
    artifact = Artifact(
        commit="c" * 40,
        bundle=zipped,
        sbom=zipped,
        judge=zipped,
        synthetic=zipped,
        platform=host,
    )
    function = lambda_.Function(
        stack,
        "Service",
        runtime=lambda_.Runtime(
            host.runtime, lambda_.RuntimeFamily.PYTHON, supports_inline_code=True
        ),
        handler="index.handler",
        code=lambda_.Code.from_inline(source),
        environment=environment,
    )
    fill(stack, artifact, function)
    app.synth()
    (key,) = {
        destination["objectKey"]
        for file in json.loads((folder / "Stack.assets.json").read_text())["files"].values()
        for destination in file["destinations"].values()
        if destination["objectKey"].endswith(".zip")
    }
    return Part((folder / "Stack.template.json").read_text(), zipped, key)


class Deployed:
    """A part in a region of a local cloud, as its account sees it."""

    def __init__(self, cloud: LocalCloud, part: Part, region: str) -> None:
        self._cloud = cloud.cloud
        self._region = region
        self._clients: dict[str, Any] = {}
        s3 = self.client("s3")
        self._bucket = bucket = f"cdk-hnb659fds-assets-{ACCOUNT}-{region}"
        where = {} if region == "us-east-1" else {"LocationConstraint": region}
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": where} if where else {}))
        s3.put_object(Bucket=bucket, Key=part.key, Body=part.zipped.read_bytes())
        status = self.stack("create", part.template)
        assert status == "CREATE_COMPLETE", status
        described = self.client("cloudformation").describe_stack_resources(StackName=NAME)
        self._resources = described["StackResources"]

    def client(self, service: str) -> Any:
        """Return the client of a service; a new one would cost a poll 50 ms of a core."""
        if service not in self._clients:
            made: Any = boto3.client
            self._clients[service] = made(
                service,
                region_name=self._region,
                endpoint_url=self._cloud.endpoint,
                aws_access_key_id=ACCOUNT,
                aws_secret_access_key=self._cloud.credentials.secret_key,
            )
        return self._clients[service]

    def name(self, kind: str, part: str) -> str:
        """Return the physical id of the resource of a kind, by part of its logical id."""
        (found,) = (
            str(each["PhysicalResourceId"])
            for each in self._resources
            if each["ResourceType"] == kind and part in each["LogicalResourceId"]
        )
        return found

    def polls(self) -> Iterator[None]:
        """Yield at intervals for at most twenty minutes of wall time at speed 60."""
        for _ in range(12000):
            yield
            self._cloud.clock.wait(6, threading.Event())

    def stack(self, verb: str, template: str) -> str:
        """Return the final status of a `create` or an `update` of the stack."""
        cloudformation, bucket = self.client("cloudformation"), self._bucket
        # CloudFormation accepts no inline template of this size.
        self.client("s3").put_object(Bucket=bucket, Key="template.json", Body=template.encode())
        getattr(cloudformation, f"{verb}_stack")(
            StackName=NAME,
            TemplateURL=f"{self._cloud.endpoint}/{bucket}/template.json",
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        for _ in self.polls():
            (stack,) = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return str(stack["StackStatus"])
        raise AssertionError(stack)
