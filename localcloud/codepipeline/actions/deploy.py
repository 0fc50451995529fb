"""The CloudFormation action."""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localcloud.codepipeline.model import ActionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.codepipeline.actions.run import ActionRun
    from localcloud.core.bus import Event

_COMPLETE_STATUSES = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}
_NO_CHANGES_REASONS = ("didn't contain changes", "No updates are to be performed")


def deploy(run: ActionRun) -> None:
    """Create or execute a change set, or create, update or delete a stack."""
    configuration = run.configuration
    mode, stack = configuration["ActionMode"], configuration["StackName"]
    client = run.client("cloudformation")
    try:
        if mode == "CHANGE_SET_REPLACE":
            _replace_change_set(run, client, stack, configuration["ChangeSetName"])
        elif mode == "CHANGE_SET_EXECUTE":
            _execute_change_set(run, client, stack, configuration["ChangeSetName"])
        elif mode == "CREATE_UPDATE":
            name = f"codepipeline-{run.execution.id}"
            _replace_change_set(run, client, stack, name)
            _execute_change_set(run, client, stack, name)
        else:
            _delete(run, client, stack)
    except ClientError as error:
        raise ActionError(_error_text(error)) from error


def _error_text(error: ClientError) -> str:
    """Format an error of CloudFormation as CodePipeline does.

    AWS's text is in quickstart-trek10-serverless-enterprise-cicd#23.
    """
    said, answered = error.response["Error"], error.response["ResponseMetadata"]
    request = answered.get("RequestId") or uuid.uuid4()
    return (
        f"{said['Message']} (Service: AmazonCloudFormation; Status Code: "
        f"{answered['HTTPStatusCode']}; Error Code: {said['Code']}; Request ID: {request})"
    )


def _replace_change_set(run: ActionRun, client: Any, stack: str, name: str) -> None:
    configuration = run.configuration
    if not configuration.get("RoleArn"):  # terraform-provider-aws#13121
        raise ActionError(
            "Configuration Property RoleArn should not be empty in current ActionMode"
        )
    status = (_described(client, stack) or {"StackStatus": ""})["StackStatus"]
    template = run.file(configuration["TemplatePath"])
    extra = _parameters_and_tags(run)
    if status:
        client.delete_change_set(StackName=stack, ChangeSetName=name)
    with run.uploaded(template) as url:
        client.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="UPDATE" if status not in {"", "REVIEW_IN_PROGRESS"} else "CREATE",
            TemplateURL=url,
            Capabilities=[
                each for each in configuration.get("Capabilities", "").split(",") if each
            ],
            RoleARN=configuration["RoleArn"],
            **extra,
        )
    found = client.describe_change_set(StackName=stack, ChangeSetName=name)
    run.update_record(external_id=found["ChangeSetId"], summary=f"Change set {name} was created.")
    if found["Status"] == "FAILED" and not _without_changes(found):
        raise ActionError(found["StatusReason"])


def _parameters_and_tags(run: ActionRun) -> dict[str, Any]:
    configuration = run.configuration
    given: dict[str, Any] = {}
    if configuration.get("TemplateConfiguration"):
        given = json.loads(run.file(configuration["TemplateConfiguration"]))
    parameters = given.get("Parameters", {}) | json.loads(
        configuration.get("ParameterOverrides") or "{}"
    )
    for name, value in parameters.items():
        if not isinstance(value, str):
            raise ActionError(
                f"Parameter {name} of stack {configuration['StackName']} is {json.dumps(value)}; "
                "functions in ParameterOverrides are not part of the local cloud"
            )
    return {
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        "Tags": [{"Key": k, "Value": v} for k, v in given.get("Tags", {}).items()],
    }


def _execute_change_set(run: ActionRun, client: Any, stack: str, name: str) -> None:
    found = client.describe_change_set(StackName=stack, ChangeSetName=name)
    run.update_record(external_id=found["StackId"])
    with _stack_settled(run, found["StackId"]) as settled:
        if found["Status"] == "FAILED":
            if not _without_changes(found):
                raise ActionError(found["StatusReason"])
            run.update_record(summary="The change set contains no changes; nothing was executed.")
        else:
            client.execute_change_set(StackName=stack, ChangeSetName=name)
        described = _wait(run, client, found["StackId"], settled)
    if described["StackStatus"] not in _COMPLETE_STATUSES | {"UPDATE_ROLLBACK_COMPLETE"} or (
        described["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE" and found["Status"] != "FAILED"
    ):
        raise ActionError(_reason(client, described))
    run.update_record(
        outputs={each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
    )


def _delete(run: ActionRun, client: Any, stack: str) -> None:
    described = _described(client, stack)
    if described is None:
        return
    stack_id = described["StackId"]
    run.update_record(external_id=stack_id)
    with _stack_settled(run, stack_id) as settled:
        client.delete_stack(StackName=stack)
        described = _wait(run, client, stack_id, settled)
    if described["StackStatus"] != "DELETE_COMPLETE":
        raise ActionError(_reason(client, described))


@contextmanager
def _stack_settled(run: ActionRun, stack_id: str) -> Iterator[threading.Event]:
    """Yield an event that is set whenever the stack leaves its `_IN_PROGRESS` status."""
    settled = threading.Event()

    def heard(event: Event) -> None:
        if event.source == "aws.cloudformation" and stack_id in event.resources:
            status = event.detail.get("status-details", {}).get("status", "")
            if not status.endswith("_IN_PROGRESS"):
                settled.set()

    unsubscribe = run.core.bus.subscribe(heard)
    try:
        with run.halt.waking(settled):
            yield settled
    finally:
        unsubscribe()


def _wait(run: ActionRun, client: Any, stack_id: str, settled: threading.Event) -> dict[str, Any]:
    while True:
        described: dict[str, Any] = client.describe_stacks(StackName=stack_id)["Stacks"][0]
        if not described["StackStatus"].endswith("_IN_PROGRESS"):
            return described
        settled.wait()
        settled.clear()
        run.halt.check()


def _described(client: Any, stack: str) -> dict[str, Any] | None:
    try:
        stacks: list[dict[str, Any]] = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return stacks[0]


def _without_changes(change_set: dict[str, Any]) -> bool:
    return any(words in change_set.get("StatusReason", "") for words in _NO_CHANGES_REASONS)


def _reason(client: Any, described: dict[str, Any]) -> str:
    """Return why a stack operation failed: the first failed resource's reason."""
    events = client.describe_stack_events(StackName=described["StackId"])["StackEvents"]
    reason = described.get("StackStatusReason", "")
    for event in events:  # newest first, back to the start of the operation
        if event["PhysicalResourceId"] == described["StackId"] and (
            event.get("ResourceStatusReason") == "User Initiated"
        ):
            break
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason"):
            reason = f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
    return f"Stack {described['StackName']} ended in {described['StackStatus']}. {reason}"
