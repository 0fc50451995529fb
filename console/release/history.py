"""The pipeline's executions and the reports of their gates, read from AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.errors import ConsoleError
from console.release import executions as model
from console.release.gates import reports_of_builds
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.aws.account import Aws
    from console.release.executions import Execution
    from pipeline.gates.report.gate_report import GateReport


def history(aws: Aws) -> list[Execution]:
    """Return the newest executions, oldest first, without their stages.

    Raises:
        ConsoleError: the pipeline does not exist.
    """
    codepipeline = aws.client("codepipeline")
    try:
        answer = codepipeline.list_pipeline_executions(pipelineName=PIPELINE, maxResults=50)
    except codepipeline.exceptions.PipelineNotFoundException as error:
        raise ConsoleError(
            f"there is no pipeline {PIPELINE} yet; pithead up deploys it to the local cloud, "
            "the README's steps to AWS"
        ) from error
    return model.executions(answer["pipelineExecutionSummaries"])


def in_detail(aws: Aws, execution: Execution) -> Execution:
    """Return an execution with its stages."""
    codepipeline = aws.client("codepipeline")
    wanted = {"pipelineName": PIPELINE, "filter": {"pipelineExecutionId": execution.id}}
    return model.with_stages(
        execution,
        _all("actionExecutionDetails", codepipeline.list_action_executions, wanted),
        codepipeline.get_pipeline_state(name=PIPELINE),
        codepipeline.get_pipeline(name=PIPELINE)["pipeline"],
    )


def _all(
    key: str, operation: Callable[..., dict[str, Any]], wanted: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the items of all pages of an operation."""
    answer = operation(**wanted)
    found: list[dict[str, Any]] = answer[key]
    while answer.get("nextToken"):
        answer = operation(**wanted, nextToken=answer["nextToken"])
        found = found + answer[key]
    return found


def reports_in(aws: Aws, execution: Execution) -> tuple[GateReport, ...]:
    """Return the reports of an execution's gates."""
    return reports_of_builds(
        aws,
        [
            action.external_id
            for stage in execution.stages
            for action in stage.actions
            if action.provider == "CodeBuild"
            and action.external_id
            and action.status != "InProgress"
        ],
    )
