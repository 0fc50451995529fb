"""Next commands after a failed deployment by CloudFormation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.release.next_step import NextStep
from console.release.promotion import failed_actions, failed_stage
from pipeline.names import PIPELINE, service_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.aws.account import Aws, Place
    from console.release.executions import Execution

_CREATION_FAILED = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
"""Statuses after which a stack can only be deleted ("Stack status codes")."""
_REMOVALS = {
    "AWS::KMS::Key": "aws kms schedule-key-deletion --key-id {id} --region {region}",
    "AWS::Logs::LogGroup": "aws logs delete-log-group --log-group-name {id} --region {region}",
    "AWS::S3::Bucket": "aws s3 rb s3://{id}",
}
_RELEASE = NextStep("pithead release", "starts a new execution of this commit")


def failed_deployment(execution: Execution) -> str | None:
    """Return the environment in which CloudFormation failed; None if it did not fail."""
    stage = failed_stage(execution)
    failed = [each for each in failed_actions(execution) if each.provider == "CloudFormation"]
    return stage.name if stage and failed else None


def after_failed_deployment(
    aws: Aws, execution: Execution, environment: str, place: Place
) -> tuple[NextStep, ...]:
    """Return the next commands for the status that the environment's stack has now."""
    cloudformation = aws.client("cloudformation", place)
    stack = service_stack(environment)
    status = _status(cloudformation, stack)
    where = f"--stack-name {stack} --region {place.region}"
    whose = f"with credentials of account {place.account}"
    if status in _CREATION_FAILED:
        return (
            NextStep(
                f"aws cloudformation delete-stack {where}",
                f"{whose}: the stack is in {status} because its first deployment failed, and "
                "CloudFormation cannot update it",
            ),
            NextStep(
                f"aws cloudformation wait stack-delete-complete {where}",
                "waits until the stack is deleted",
            ),
            *_removals(cloudformation, stack, place),
            _RELEASE,
        )
    retry = (
        NextStep(
            f"aws codepipeline retry-stage-execution --pipeline-name {PIPELINE} --stage-name "
            f"{environment} --pipeline-execution-id {execution.id} --retry-mode ALL_ACTIONS",
            "deploys again with a new change set; FAILED_ACTIONS fails, because the old change set "
            "was deleted",
        ),
        _RELEASE,
    )
    if status == "UPDATE_ROLLBACK_FAILED":
        resume = f"aws cloudformation continue-update-rollback {where}"
        return (
            NextStep(resume, f"{whose}: completes the rollback, before which no update starts"),
            *retry,
        )
    return retry


def _removals(cloudformation: Any, stack: str, place: Place) -> Iterator[NextStep]:
    """Yield a command for each resource that is left after the stack is deleted."""
    seen: set[str] = set()
    for event in _events(cloudformation, stack):  # newest first
        if event["LogicalResourceId"] in seen:
            continue
        seen.add(event["LogicalResourceId"])
        command = _REMOVALS.get(event["ResourceType"])
        if command and event["ResourceStatus"] in {"DELETE_FAILED", "DELETE_SKIPPED"}:
            named = command.format(id=event["PhysicalResourceId"], region=place.region)
            empty = "; first delete all versions" if "::Bucket" in event["ResourceType"] else ""
            yield NextStep(
                named, f"deletes what the stack left; the next deployment creates another{empty}"
            )


def _events(cloudformation: Any, stack: str) -> Iterator[dict[str, Any]]:
    page = cloudformation.describe_stack_events(StackName=stack)
    yield from page["StackEvents"]
    while page.get("NextToken"):
        page = cloudformation.describe_stack_events(StackName=stack, NextToken=page["NextToken"])
        yield from page["StackEvents"]


def _status(cloudformation: Any, stack: str) -> str:
    """Return the stack's status, "" if it does not exist."""
    try:
        described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return ""
        raise
    status: str = described["StackStatus"]
    return status
