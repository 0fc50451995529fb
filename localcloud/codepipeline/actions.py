"""What each kind of action does."""

from __future__ import annotations

import io
import json
import threading
import uuid
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.codepipeline.model import ActionError
from localcloud.ports import BuildRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.codepipeline.model import ActionExecution, Execution, Pipeline

_POLL = 0.1  # wall seconds between two looks at a stack
_DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}
_APPROVAL_DAYS = 7


@dataclass
class Running:
    """All that an action may look at and write to."""

    cloud: Cloud
    pipeline: Pipeline
    execution: Execution
    action: dict[str, Any]
    record: ActionExecution
    save: Callable[[], None]
    stop: threading.Event
    approvals: dict[str, Approval]
    configuration: dict[str, Any] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """Where the action runs."""
        return str(self.action.get("region") or self.pipeline.region)

    def bucket(self) -> tuple[str, Any]:
        """The artifact bucket and a client for it."""
        client = self.cloud.client("s3", self.pipeline.account, self.pipeline.region)
        return self.pipeline.bucket(self.region), client

    def place(self, artifact: str) -> tuple[str, str]:
        """Where an output artifact goes."""
        bucket = self.pipeline.bucket(self.region)
        return bucket, f"{self.pipeline.name[:20]}/{artifact[:10]}/{uuid.uuid4().hex[:7]}"

    def store(self, artifact: str, content: bytes) -> None:
        """Put an output artifact."""
        bucket, client = self.bucket()
        _, key = self.place(artifact)
        client.put_object(Bucket=bucket, Key=key, Body=content)
        self.execution.artifacts[artifact] = (bucket, key)

    def file(self, reference: str) -> str:
        """The text of `Artifact::path/in/it`."""
        artifact, _, path = reference.partition("::")
        if artifact not in self.execution.artifacts:
            raise ActionError(f"Artifact {artifact} does not exist")
        bucket, key = self.execution.artifacts[artifact]
        _, client = self.bucket()
        content = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return archive.read(path).decode()
        except KeyError as error:
            raise ActionError(f"File [{path}] does not exist in artifact [{artifact}]") from error

    def client(self, service: str) -> Any:
        """A client as the action's own role, else as the pipeline's."""
        role = self.action.get("roleArn") or self.pipeline.definition["roleArn"]
        mine = self.cloud.credentials.assume(
            self.pipeline.definition["roleArn"], self.execution.id[:32]
        )
        if role != mine.role_arn:
            sts = self.cloud.client("sts", mine.account, self.region, mine)
            try:
                given = sts.assume_role(RoleArn=role, RoleSessionName=self.execution.id)
            except sts.exceptions.ClientError as error:
                raise ActionError(str(error)) from error
            session = self.cloud.credentials.session(given["Credentials"]["AccessKeyId"])
            return self.cloud.client(service, role.split(":")[4], self.region, session)
        return self.cloud.client(service, mine.account, self.region, mine)


@dataclass
class Approval:
    """An approval that waits for its answer."""

    event: threading.Event = field(default_factory=threading.Event)
    status: str = ""
    summary: str = ""


def source(running: Running) -> None:
    """CodeStarSourceConnection: the branch's commit as a zip, with the action's variables."""
    arn, repository, branch = (
        running.configuration[key] for key in ("ConnectionArn", "FullRepositoryId", "BranchName")
    )
    connections = running.cloud.codeconnections
    wanted = next(
        (each["revisionId"] for each in running.execution.revisions if each["actionName"] == ""),
        None,
    )
    commit = wanted or connections.resolve(arn, repository, branch)
    if commit is None:
        raise ActionError(
            f"[GitHub] No Branch [{branch}] found for FullRepositoryName [{repository}]"
        )
    told = connections.commit(arn, repository, commit)
    running.store(
        running.action["outputArtifacts"][0]["name"],
        connections.archive(arn, repository, commit),
    )
    running.record.outputs = {
        "AuthorDate": told.date,
        "AuthorDisplayName": told.author,
        "BranchName": branch,
        "CommitId": commit,
        "CommitMessage": told.message,
        "ConnectionArn": arn,
        "FullRepositoryName": repository,
    }
    running.record.external_id = commit
    running.record.summary = json.dumps({"ProviderType": "GitHub", "CommitMessage": told.message})
    running.execution.revisions = [
        {
            "actionName": running.action["name"],
            "revisionId": commit,
            "revisionSummary": running.record.summary,
        }
    ]


def build(running: Running) -> None:
    """CodeBuild: one build of the project with the action's artifacts and variables."""
    configuration = running.configuration
    environment = json.loads(configuration.get("EnvironmentVariables") or "[]")
    inputs = {
        each["name"]: running.execution.artifacts[each["name"]]
        for each in running.action.get("inputArtifacts") or []
        if each["name"] in running.execution.artifacts
    }
    outputs = {
        each["name"]: running.place(each["name"])
        for each in running.action.get("outputArtifacts") or []
    }
    request = BuildRequest(
        account=running.pipeline.account,
        region=running.region,
        project=configuration["ProjectName"],
        environment=environment,
        inputs=inputs,
        primary=configuration.get("PrimarySource") or next(iter(inputs), None),
        outputs=outputs,
        initiator=f"codepipeline/{running.pipeline.name}",
        source_version=next((each["revisionId"] for each in running.execution.revisions), None),
    )
    started = running.cloud.codebuild.start_build(request)
    running.record.external_id = started.id
    running.save()
    started.wait(running.stop)
    running.record.outputs = dict(started.exported)
    if started.status != "SUCCEEDED":
        raise ActionError(f"Build terminated with state: {started.status}. {started.reason}")
    running.execution.artifacts.update(outputs)


def cloudformation(running: Running) -> None:
    """CloudFormation: make or execute a change set, or create, update or delete a stack."""
    mode = running.configuration["ActionMode"]
    client = running.client("cloudformation")
    stack = running.configuration["StackName"]
    if mode == "CHANGE_SET_REPLACE":
        _replace_change_set(running, client, stack, running.configuration["ChangeSetName"])
    elif mode == "CHANGE_SET_EXECUTE":
        _execute_change_set(running, client, stack, running.configuration["ChangeSetName"])
    elif mode == "CREATE_UPDATE":
        name = f"codepipeline-{running.execution.id}"
        _replace_change_set(running, client, stack, name)
        _execute_change_set(running, client, stack, name)
    elif mode == "DELETE_ONLY":
        client.delete_stack(StackName=stack)
        _settled(running, client, stack, gone=True)
    else:
        raise ActionError(f"ActionMode {mode} is not part of the local cloud")


def _replace_change_set(running: Running, client: Any, stack: str, name: str) -> None:
    configuration = running.configuration
    try:
        status = client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except client.exceptions.ClientError:
        status = ""
    if status == "ROLLBACK_COMPLETE":
        raise ActionError(
            f"Stack {stack} is in ROLLBACK_COMPLETE state and can not be updated; delete it first"
        )
    extra: dict[str, Any] = {}
    if configuration.get("TemplateConfiguration"):
        given = json.loads(running.file(configuration["TemplateConfiguration"]))
        extra["Tags"] = [{"Key": k, "Value": v} for k, v in given.get("Tags", {}).items()]
        extra["Parameters"] = [
            {"ParameterKey": k, "ParameterValue": v} for k, v in given.get("Parameters", {}).items()
        ]
    if configuration.get("ParameterOverrides"):
        extra["Parameters"] = [
            *extra.get("Parameters", []),
            *(
                {"ParameterKey": k, "ParameterValue": v}
                for k, v in json.loads(configuration["ParameterOverrides"]).items()
            ),
        ]
    client.delete_change_set(StackName=stack, ChangeSetName=name)
    try:
        client.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="UPDATE" if status not in {"", "REVIEW_IN_PROGRESS"} else "CREATE",
            TemplateBody=running.file(configuration["TemplatePath"]),
            Capabilities=[
                each for each in configuration.get("Capabilities", "").split(",") if each
            ],
            RoleARN=configuration["RoleArn"],
            **extra,
        )
    except client.exceptions.ClientError as error:
        raise ActionError(error.response["Error"]["Message"]) from error
    found = client.describe_change_set(StackName=stack, ChangeSetName=name)
    running.record.external_id = found["ChangeSetId"]
    running.record.summary = f"Change set {name} was created."
    if found["Status"] == "FAILED" and "didn't contain changes" not in found["StatusReason"]:
        raise ActionError(found["StatusReason"])


def _execute_change_set(running: Running, client: Any, stack: str, name: str) -> None:
    try:
        found = client.describe_change_set(StackName=stack, ChangeSetName=name)
    except client.exceptions.ClientError as error:
        raise ActionError(error.response["Error"]["Message"]) from error
    running.record.external_id = found["StackId"]
    running.save()
    if found["Status"] == "FAILED":
        running.record.summary = "The change set contains no changes; nothing was executed."
    else:
        try:
            client.execute_change_set(StackName=stack, ChangeSetName=name)
        except client.exceptions.ClientError as error:
            raise ActionError(error.response["Error"]["Message"]) from error
    described = _settled(running, client, stack)
    running.record.outputs = {
        each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])
    }


def _settled(running: Running, client: Any, stack: str, *, gone: bool = False) -> dict[str, Any]:
    while True:
        try:
            described: dict[str, Any] = client.describe_stacks(StackName=stack)["Stacks"][0]
        except client.exceptions.ClientError:
            if gone:
                return {}
            raise
        status = described["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            break
        if running.stop.wait(_POLL):
            raise ActionError("The action was stopped")
    if status in _DONE:
        return described
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    reason = next(
        (
            f"{each['LogicalResourceId']}: {each['ResourceStatusReason']}"
            for each in events
            if each["ResourceStatus"].endswith("_FAILED") and each.get("ResourceStatusReason")
        ),
        described.get("StackStatusReason", ""),
    )
    raise ActionError(f"Stack {stack} ended in {status}. {reason}")


def approval(running: Running) -> None:
    """Manual approval: wait for `PutApprovalResult`, seven days at most."""
    waiting = Approval()
    running.record.token = str(uuid.uuid4())
    running.approvals[running.record.token] = waiting
    running.save()
    until = threading.Event()

    def watch() -> None:
        while not waiting.event.wait(0.2) and not running.stop.is_set():
            pass
        until.set()

    threading.Thread(target=watch, name="approval", daemon=True).start()
    answered = running.cloud.clock.wait(_APPROVAL_DAYS * 86400, until)
    running.approvals.pop(running.record.token, None)
    running.record.summary = waiting.summary
    if running.stop.is_set():
        raise ActionError("The action was stopped")
    if not answered:
        raise ActionError("Approval action timed out after 7 days")
    if waiting.status != "Approved":
        raise ActionError(f"Rejected: {waiting.summary}")


PROVIDERS: dict[tuple[str, str, str], Callable[[Running], None]] = {
    ("Source", "AWS", "CodeStarSourceConnection"): source,
    ("Build", "AWS", "CodeBuild"): build,
    ("Test", "AWS", "CodeBuild"): build,
    ("Deploy", "AWS", "CloudFormation"): cloudformation,
    ("Approval", "AWS", "Manual"): approval,
}
"""By category, owner and provider; any other is refused when a pipeline is made."""
