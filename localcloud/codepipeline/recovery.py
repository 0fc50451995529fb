"""What becomes of executions when the local cloud starts again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.codepipeline.model import Execution, Pipeline
    from localcloud.codepipeline.service import CodePipeline

_INTERRUPTED = "Interrupted: the local cloud stopped during this execution"


def take_up(service: CodePipeline, execution: Execution) -> None:
    """Go on with an execution that an earlier process left behind, or say how it ended.

    One that waited in front of a stage or for an approval goes on; one that was at work has
    failed, says why, and can be retried.
    """
    pipeline = service.pipelines.get(f"{execution.account}/{execution.region}/{execution.pipeline}")
    inside = [each for each in execution.stages.values() if each.status == "InProgress"]
    ended = [
        each.status
        for each in execution.stages.values()
        if each.status not in {"InProgress", "Succeeded", "Skipped"}
    ]
    if execution.status == "Stopping" or pipeline is None:
        _interrupt(service, execution, "Stopped")
    elif inside:
        _inside(service, pipeline, execution, inside[0].name)
    elif ended:
        service.finish(execution, ended[-1])
    elif pipeline.version != execution.version:
        _interrupt(service, execution, "Cancelled")
    else:
        _between(service, pipeline, execution)


def _inside(service: CodePipeline, pipeline: Pipeline, execution: Execution, stage: str) -> None:
    if pipeline.version == execution.version and _only_approvals(pipeline, execution, stage):
        service.runner.begin(pipeline, execution, pipeline.index(stage) or 0, again="RESUME")
    else:
        _interrupt(service, execution, "Failed")


def _between(service: CodePipeline, pipeline: Pipeline, execution: Execution) -> None:
    names = [execution.stage] if execution.stage else [stage["name"] for stage in pipeline.stages]
    left = [name for name in names if name not in execution.stages]
    if left:
        service.runner.begin(pipeline, execution, pipeline.index(left[0]) or 0)
    else:
        service.finish(execution, "Succeeded")


def _interrupt(service: CodePipeline, execution: Execution, status: str) -> None:
    with service.changing(execution):
        for action in execution.actions:
            if action.status == "InProgress":
                action.status = "Failed" if status == "Failed" else "Abandoned"
                action.error = _INTERRUPTED
        for rule in execution.rules:
            if rule.status == "InProgress":
                rule.status, rule.summary = "Abandoned", _INTERRUPTED
        for stage in execution.stages.values():
            if stage.status == "InProgress":
                stage.status = status
                stage.conditions = {
                    kind: "Abandoned" if each == "InProgress" else each
                    for kind, each in stage.conditions.items()
                }
        execution.summary = _INTERRUPTED
    service.finish(execution, status)


def _only_approvals(pipeline: Pipeline, execution: Execution, stage: str) -> bool:
    """Whether a stage did nothing but wait for people."""
    declared = {
        each["name"]: each for each in pipeline.stages[pipeline.index(stage) or 0]["actions"]
    }
    waiting = [
        each
        for each in execution.actions
        if each.stage == stage and each.status == "InProgress" and each.name in declared
    ]
    return bool(waiting) and all(
        declared[each.name]["actionTypeId"]["provider"] == "Manual" and each.token
        for each in waiting
    )
