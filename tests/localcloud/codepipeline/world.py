"""A local cloud with what pipelines need, and one pipeline of a test."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.codeconnections.authentication import sign
from localcloud.codepipeline.provider import PipelineProvider
from localcloud.core.providers import ResourceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.codepipeline.queues import Ticket
    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
SERVICES = ("logs", "sts", "cloudformation", "codebuild", "codeconnections", "codepipeline")
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
_GIT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}
NUMBERS = itertools.count()


class World:
    """A local cloud with what pipelines need, and one pipeline of a test."""

    def __init__(self, server: LocalCloud, name: str, connection: str = "") -> None:
        self.server = server
        self.name = name
        self.service = server.cloud.codepipeline
        self.client = server.cloud.client("codepipeline", ACCOUNT, REGION)
        self.connection = connection
        self.key = ""
        self.folder = Path(tempfile.mkdtemp(prefix="pipeline-"))
        self._changed = threading.Condition()
        self._put = server.cloud.ledger.put
        self._arrive = self.service.runner.queues.enqueue
        server.cloud.ledger.put = self._noticed  # type: ignore[method-assign]  # a fake at the port
        self.service.runner.queues.enqueue = self._arrived  # type: ignore[method-assign]  # a fake at the port

    def close(self) -> None:
        self.server.cloud.ledger.put = self._put  # type: ignore[method-assign]  # a fake at the port
        self.service.runner.queues.enqueue = self._arrive  # type: ignore[method-assign]  # a fake at the port
        shutil.rmtree(self.folder)

    def set_up(self) -> str:
        """Create roles, bucket and connection; return the connection's ARN."""
        iam = self.server.cloud.client("iam", ACCOUNT, REGION)
        for name in ("codepipeline", "codebuild", "cloudformation"):
            iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=_trust({"Service": f"{name}.amazonaws.com"}),
            )
        iam.create_role(
            RoleName="action", AssumeRolePolicyDocument=_trust({"AWS": f"{ROLE}/codepipeline"})
        )
        self.server.cloud.client("s3", ACCOUNT, REGION).create_bucket(
            Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        connections = self.server.cloud.codeconnections
        self.connection = connections.create(ACCOUNT, REGION, "github", "GitHub", {})
        return self.connection

    # Parts of a pipeline's declaration.

    @property
    def repository(self) -> str:
        return f"acme/{self.name}"

    @staticmethod
    def stage(name: str, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"name": name, "actions": list(actions)} | more

    @staticmethod
    def approval(name: str = "Approve", **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "actionTypeId": kind("Approval", "Manual"),
            "configuration": {"CustomData": "Is it good?"},
        } | more

    @staticmethod
    def conditions(result: str, *rules: tuple[str, dict[str, str]]) -> dict[str, Any]:
        """Return one condition with rules, given the provider and configuration of each."""
        declared = [
            {
                "name": f"{provider}-{number}",
                "ruleTypeId": kind("Rule", provider),
                "configuration": configuration,
            }
            for number, (provider, configuration) in enumerate(rules)
        ]
        return {"conditions": [{"result": result, "rules": declared}]}

    def source(self, **configuration: str) -> dict[str, Any]:
        return {
            "name": "Git",
            "namespace": "Commit",
            "actionTypeId": kind("Source", "CodeStarSourceConnection"),
            "configuration": {
                "ConnectionArn": self.connection,
                "FullRepositoryId": self.repository,
                "BranchName": "main",
                **configuration,
            },
            "outputArtifacts": [{"name": "App"}],
        }

    def build(
        self,
        name: str,
        *commands: str,
        variables: dict[str, str] | None = None,
        files: str = "",
        exported: tuple[str, ...] = (),
        **more: Any,
    ) -> dict[str, Any]:
        """Create a build project; return an action that runs it."""
        project = f"{self.name}-{name}-{next(NUMBERS)}"
        spec: dict[str, Any] = {
            "version": "0.2",
            "env": {"exported-variables": list(exported)},
            "phases": {"build": {"commands": list(commands)}},
        }
        if files:
            spec["artifacts"] = {"files": [files]}
            more["outputArtifacts"] = [{"name": f"{name}_Output"}]
        self.server.cloud.codebuild.providers["AWS::CodeBuild::Project"].create(
            request(
                "AWS::CodeBuild::Project",
                Name=project,
                ServiceRole=f"{ROLE}/codebuild",
                Source={"Type": "CODEPIPELINE", "BuildSpec": json.dumps(spec)},
                Artifacts={"Type": "CODEPIPELINE"},
                **({"EncryptionKey": self.key} if self.key else {}),
                Environment={"Type": "LINUX_CONTAINER", "Image": "i", "ComputeType": "c"},
            )
        )
        configuration = {"ProjectName": project}
        if variables:
            given = [{"name": k, "value": v, "type": "PLAINTEXT"} for k, v in variables.items()]
            configuration["EnvironmentVariables"] = json.dumps(given)
        return {
            "name": name,
            "actionTypeId": kind("Build", "CodeBuild"),
            "configuration": configuration,
            "inputArtifacts": [{"name": "App"}],
        } | more

    def held(self, name: str, *then: str, **more: Any) -> dict[str, Any]:
        """Return an action whose build waits until the test calls `release`."""
        os.mkfifo(self.folder / name)
        return self.build(name, f"cat {self.folder / name}", *then, **more)

    def locked(self, name: str, *then: str, **more: Any) -> dict[str, Any]:
        """Return an action whose every build waits while the test holds the lock."""
        return self.build(name, f"flock {self.folder / 'lock'} true", *then, **more)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Block the builds that are `locked`."""
        with (self.folder / "lock").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def release(self, name: str) -> None:
        """Wait for a held build to start, and let it continue."""
        (self.folder / name).write_text("go\n")

    def create(self, *stages: dict[str, Any], **more: Any) -> str:
        """Create the pipeline after a first push; return its first execution."""
        self.server.cloud.codeconnections.ensure_repository(self.connection, self.repository)
        self.push("first")
        self.client.create_pipeline(pipeline=self.definition(*stages, **more))
        return self.executions()[0]["pipelineExecutionId"]  # type: ignore[no-any-return]  # boto3's answers are Any

    def definition(self, *stages: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "name": self.name,
            "roleArn": f"{ROLE}/codepipeline",
            "pipelineType": "V2",
            "artifactStore": {
                "type": "S3",
                "location": "artifacts",
                **({"encryptionKey": {"id": self.key, "type": "KMS"}} if self.key else {}),
            },
            "stages": [{"name": "Source", "actions": [self.source()]}, *stages],
        } | more

    # Executions of the pipeline.

    def push(self, message: str, branch: str = "main") -> str:
        checkout = self.folder / "checkout"
        if not checkout.exists():
            checkout.mkdir()
            self._git("init", "--quiet", "--initial-branch=main")
        (checkout / "message").write_text(message)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)
        url = self.server.cloud.codeconnections.clone_url(self.connection, self.repository)
        user, password = sign(url, ACCOUNT, self.server.cloud.credentials.secret_key)
        url = url.replace("://", f"://{user}:{password}@")
        self._git("push", "--quiet", url, f"HEAD:{branch}")
        return self._git("rev-parse", "HEAD")

    def start(self, **given: Any) -> str:
        started = self.client.start_pipeline_execution(name=self.name, **given)
        return str(started["pipelineExecutionId"])

    def executions(self) -> list[dict[str, Any]]:
        """Return the executions, newest first."""
        listed = self.client.list_pipeline_executions(pipelineName=self.name)
        return list(listed["pipelineExecutionSummaries"])

    def until(self, holds: Callable[[], bool], seconds: float = 90) -> None:
        """Wait for a predicate; it is evaluated when the ledger or a queue changes."""
        with self._changed:
            assert self._changed.wait_for(holds, seconds)

    def ended(self, execution: str) -> str:
        """Wait for an execution to end; return its status."""
        self.until(lambda: not self.service.executions[execution].running)
        return self.service.executions[execution].status

    def action(self, execution: str, name: str) -> dict[str, Any]:
        """Return the newest run of an action, in the API's shape."""
        listed = self.client.list_action_executions(
            pipelineName=self.name, filter={"pipelineExecutionId": execution}
        )["actionExecutionDetails"]
        found: dict[str, Any] = next(each for each in listed if each["actionName"] == name)
        return found

    def state(self, name: str) -> dict[str, Any]:
        """Return a stage's state, in the API's shape."""
        states = self.client.get_pipeline_state(name=self.name)["stageStates"]
        found: dict[str, Any] = next(each for each in states if each["stageName"] == name)
        return found

    def log(self, execution: str, action: str) -> list[str]:
        """Return the log of an action's build."""
        build_id = self.action(execution, action)["output"]["executionResult"]
        build = self.server.cloud.codebuild.builds[build_id["externalExecutionId"]]
        events = self.server.cloud.client("logs", ACCOUNT, REGION).get_log_events(
            logGroupName=build.group, logStreamName=build.stream
        )["events"]
        messages = [event["message"] for event in events]
        return [each for each in messages if not each.startswith("[Container]")]

    def place(self, stage: str) -> tuple[str, str]:
        """Return the runner's key of a stage."""
        return f"{ACCOUNT}/{REGION}/{self.name}", stage

    def baking(self, execution: str) -> bool:
        """Whether the ON_SUCCESS condition of the stage Prod is in progress."""
        return (execution, "Prod", "ON_SUCCESS") in self.service.decisions.conditions

    def override(self, execution: str) -> None:
        """Override the ON_SUCCESS condition of the stage Prod."""
        self.client.override_stage_condition(
            pipelineName=self.name,
            stageName="Prod",
            pipelineExecutionId=execution,
            conditionType="ON_SUCCESS",
        )

    def approval_token(self, stage: str, action: str) -> str:
        """Wait for an approval action to run; return its token."""
        self.until(lambda: bool(self._token(stage, action)))
        with self.service.store.lock:  # a change can be read before it is durable
            return self._token(stage, action)

    def provider(self) -> PipelineProvider:
        return PipelineProvider(self.service)

    def declared(
        self,
        *stages: dict[str, Any],
        tags: dict[str, str] | None = None,
        rollback: bool = False,
    ) -> ResourceRequest:
        """Return the pipeline as a CloudFormation template declares it."""
        definition = _upper(self.definition(*stages)) | {"RestartExecutionOnUpdate": True}
        return replace(
            request("AWS::CodePipeline::Pipeline", **definition),
            tags=tags or {},
            rollback=rollback,
        )

    def _token(self, stage: str, action: str) -> str:
        for execution in self.service.executions.values():
            ran = execution.action(stage, action)
            awaited = ran is not None and ran.status == "InProgress"
            if execution.pipeline == self.name and ran is not None and awaited and ran.token:
                return ran.token
        return ""

    def errors(self, execution: str) -> list[str]:
        """Return the messages of failed actions."""
        return [each.error for each in self.service.executions[execution].actions if each.error]

    def running(self, execution: str, action: str) -> bool:
        """Whether an action is in progress."""
        for stage in self.service.pipelines[f"{ACCOUNT}/{REGION}/{self.name}"].stages:
            ran = self.service.executions[execution].action(stage["name"], action)
            if ran is not None:
                return ran.status == "InProgress"
        return False

    def _noticed(self, kind: str, key: str, document: dict[str, Any]) -> None:
        self._put(kind, key, document)
        with self._changed:
            self._changed.notify_all()

    def _arrived(self, *arguments: Any, **more: Any) -> Ticket:
        ticket = self._arrive(*arguments, **more)
        with self._changed:
            self._changed.notify_all()
        return ticket

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder / "checkout",
            env=_GIT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def kind(category: str, provider: str) -> dict[str, str]:
    return {"category": category, "owner": "AWS", "provider": provider, "version": "1"}


def _trust(principal: dict[str, str]) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _upper(value: Any, key: str = "") -> Any:
    if isinstance(value, list):
        return [_upper(item) for item in value]
    if not isinstance(value, dict):
        return value
    if key == "configuration":
        return value
    return {name[0].upper() + name[1:]: _upper(inner, name) for name, inner in value.items()}


def request(type_name: str, **properties: Any) -> ResourceRequest:
    return ResourceRequest(
        type=type_name,
        logical_id="It",
        account=ACCOUNT,
        region=REGION,
        stack_name="stack",
        stack_id="arn:stack",
        properties=properties,
        cancel=threading.Event(),
    )
