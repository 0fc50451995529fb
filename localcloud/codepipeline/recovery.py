"""Recovery of executions after a restart of the local cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from localcloud.codepipeline.model import Execution, Pipeline
    from localcloud.codepipeline.store import Store


class Begin(Protocol):
    """Runs an execution from a stage on."""

    def __call__(
        self, pipeline: Pipeline, execution: Execution, first: int = 0, *, again: str = ""
    ) -> None:
        """See `localcloud.codepipeline.runner.Runner.begin`."""
        ...


_INTERRUPTED_SUMMARY = "Interrupted: the local cloud stopped during this execution"


def recover(store: Store, begin: Begin, execution: Execution) -> None:
    """Resume an execution that the last process left running, or record its end.

    An execution that waited for a stage or an approval resumes. One with other running actions
    fails with the reason, and can be retried.
    """
    pipeline = store.pipelines.get(f"{execution.account}/{execution.region}/{execution.pipeline}")
    inside = [each for each in execution.stages.values() if each.status == "InProgress"]
    ended = [
        each.status
        for each in execution.stages.values()
        if each.status not in {"InProgress", "Succeeded", "Skipped"}
    ]
    if execution.status == "Stopping" or pipeline is None:
        _interrupt(store, execution, "Stopped")
    elif inside:
        _recover_in_stage(store, begin, pipeline, execution, inside[0].name)
    elif ended:
        store.finish(execution, ended[-1])
    elif pipeline.version != execution.version:
        _interrupt(store, execution, "Cancelled")
    else:
        _recover_between_stages(store, begin, pipeline, execution)


def _recover_in_stage(
    store: Store, begin: Begin, pipeline: Pipeline, execution: Execution, stage: str
) -> None:
    if pipeline.version == execution.version and _only_approvals(pipeline, execution, stage):
        begin(pipeline, execution, pipeline.index(stage) or 0, again="RESUME")
    else:
        _interrupt(store, execution, "Failed")


def _recover_between_stages(
    store: Store, begin: Begin, pipeline: Pipeline, execution: Execution
) -> None:
    names = [execution.stage] if execution.stage else [stage["name"] for stage in pipeline.stages]
    left = [name for name in names if name not in execution.stages]
    if left:
        begin(pipeline, execution, pipeline.index(left[0]) or 0)
    else:
        store.finish(execution, "Succeeded")


def _interrupt(store: Store, execution: Execution, status: str) -> None:
    with store.changing(execution):
        for action in execution.actions:
            if action.status == "InProgress":
                action.status = "Failed" if status == "Failed" else "Abandoned"
                action.error = _INTERRUPTED_SUMMARY
        for rule in execution.rules:
            if rule.status == "InProgress":
                rule.status, rule.summary = "Abandoned", _INTERRUPTED_SUMMARY
        for stage in execution.stages.values():
            if stage.status == "InProgress":
                stage.status = status
                stage.conditions = {
                    kind: "Abandoned" if each == "InProgress" else each
                    for kind, each in stage.conditions.items()
                }
        execution.summary = _INTERRUPTED_SUMMARY
    store.finish(execution, status)


def _only_approvals(pipeline: Pipeline, execution: Execution, stage: str) -> bool:
    """Whether every running action of a stage is a manual approval."""
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
