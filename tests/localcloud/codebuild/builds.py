"""Projects and builds of one local cloud."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.core.ports import BuildRequest
from localcloud.core.providers import ResourceRequest

if TYPE_CHECKING:
    from localcloud.codebuild.model import Build
    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
SERVICES = ("logs", "sts", "codeconnections", "codebuild")


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@dataclass
class Builds:
    """Projects and builds of one local cloud."""

    server: LocalCloud
    project: str = "builder"
    bucket: str = "artifacts"

    def client(self, service: str) -> Any:
        return self.server.cloud.client(service, ACCOUNT, REGION)

    def set_up(self) -> None:
        """Create the role of all builds and the bucket of all artifacts."""
        self.client("iam").create_role(
            RoleName="build",
            AssumeRolePolicyDocument=json.dumps(
                {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "codebuild.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ]
                }
            ),
        )
        self.client("s3").create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def declare(self, buildspec: Any = None, **properties: Any) -> None:
        """Create or change the project."""
        text = buildspec if buildspec is None or isinstance(buildspec, str) else None
        wanted: dict[str, Any] = {
            "Name": self.project,
            "ServiceRole": f"arn:aws:iam::{ACCOUNT}:role/build",
            "Source": {"Type": "CODEPIPELINE"},
            "Artifacts": {"Type": "CODEPIPELINE"},
            "Environment": {
                "Type": "LINUX_CONTAINER",
                "Image": "aws/codebuild/standard:7.0",
                "ComputeType": "BUILD_GENERAL1_SMALL",
            },
        }
        if buildspec is not None:
            wanted["Source"]["BuildSpec"] = text or json.dumps(buildspec)
        self.server.cloud.codebuild.providers["AWS::CodeBuild::Project"].create(
            request(wanted | properties)
        )

    def put(self, key: str, files: dict[str, str]) -> tuple[str, str]:
        """Put an artifact in S3."""
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=zipped(files))
        return self.bucket, key

    def start(self, minutes: float | None = None, **request: Any) -> Build:
        return self.server.cloud.codebuild.start_build(
            BuildRequest(account=ACCOUNT, region=REGION, project=self.project, **request), minutes
        )

    def run(self, minutes: float | None = None, **request: Any) -> Build:
        """Run a build to its end."""
        build = self.start(minutes, **request)
        wait(build)
        return build

    def commands(self, *commands: str, **request: Any) -> Build:
        """Run a build of these commands."""
        return self.run(
            buildspec=json.dumps(
                {"version": "0.2", "phases": {"build": {"commands": list(commands)}}}
            ),
            **request,
        )

    def log(self, build: Build) -> list[str]:
        """Return the log lines of the commands, without CodeBuild's own."""
        return [line for line in self.whole_log(build) if not line.startswith("[Container]")]

    def whole_log(self, build: Build) -> list[str]:
        events = self.client("logs").get_log_events(
            logGroupName=build.group, logStreamName=build.stream, startFromHead=True
        )["events"]
        return [event["message"] for event in events]

    def artifact(self, key: str) -> dict[str, str]:
        content = self.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}


def wait(build: Build, seconds: float = 90) -> None:
    ended = threading.Event()
    build.set_when_complete(ended)
    assert ended.wait(seconds)


def request(properties: dict[str, Any]) -> ResourceRequest:
    return ResourceRequest(
        type="AWS::CodeBuild::Project",
        logical_id="Builder",
        account=ACCOUNT,
        region=REGION,
        stack_name="stack",
        stack_id="arn:aws:cloudformation:eu-west-1:111111111111:stack/stack/1",
        properties=properties,
        cancel=threading.Event(),
    )
