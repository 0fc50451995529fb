"""Retries of a stage in which a gate refused the newest execution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from console.release.history import history, in_detail, reports_in
from console.release.promotion import failed_actions, failed_stage
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from console.aws.account import Aws
    from console.release.executions import Execution

_NOT_RETRYABLE = {
    "StageNotRetryableException",
    "NotLatestPipelineExecutionException",
    "ConflictException",
}
"""RetryStageExecution's errors about the state of the pipeline (API reference)."""


@dataclass(frozen=True)
class Retry:
    """Result of a retry: either `stage` is set, or `why_not` is."""

    execution: Execution | None
    stage: str = ""
    why_not: str = ""


def retry_refused(aws: Aws, gate: str) -> Retry:
    """Retry the failed actions of the newest execution, if only this gate refused it.

    Raises:
        ConsoleError: there is no pipeline.
    """
    newest = next((each for each in reversed(history(aws)) if not each.rollback), None)
    if newest is None:
        return Retry(None, why_not="the pipeline has no execution yet")
    if newest.status != "Failed":
        return Retry(newest, why_not=f"execution {newest.id} has not failed ({newest.status})")
    execution = in_detail(aws, newest)
    stage = failed_stage(execution)
    refusals = {each.gate for each in reports_in(aws, execution) if each.status == "refused"}
    if stage is None or not failed_actions(execution) or gate not in refusals:
        return Retry(execution, why_not=f"execution {execution.id} was not refused by {gate}")
    others = ", ".join(sorted(refusals - {gate}))
    if others:
        return Retry(execution, why_not=f"{others} refused execution {execution.id} too")
    return _retry(aws, execution, stage.name)


def _retry(aws: Aws, execution: Execution, stage: str) -> Retry:
    try:
        aws.client("codepipeline").retry_stage_execution(
            pipelineName=PIPELINE,
            stageName=stage,
            pipelineExecutionId=execution.id,
            retryMode="FAILED_ACTIONS",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NOT_RETRYABLE:
            raise
        return Retry(execution, why_not=error.response["Error"]["Message"].rstrip("."))
    return Retry(execution, stage)
