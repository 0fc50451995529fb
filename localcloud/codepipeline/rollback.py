"""Which execution a stage may be rolled back to, and the execution that does it.

Source: "Configure stage rollback" of the CodePipeline user guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.codepipeline.model import ROLLBACK, STANDARD

if TYPE_CHECKING:
    from localcloud.codepipeline.model import Execution, Pipeline
    from localcloud.codepipeline.store import Store


def is_rollback_target(pipeline: Pipeline, execution: Execution, stage: str) -> bool:
    """Return whether a stage may be rolled back to an execution.

    AWS allows it only within one version of the pipeline's structure, and not to a rollback.
    """
    held = execution.stages.get(stage)
    return (
        execution.version == pipeline.version
        and execution.type == STANDARD
        and held is not None
        and held.status == "Succeeded"
    )


def latest_target(
    store: Store, pipeline: Pipeline, failed: Execution, stage: str
) -> Execution | None:
    """Return the execution that succeeded last in a stage in which one has failed, or None."""
    targets = [
        each
        for each in store.history(pipeline)
        if each.id != failed.id and is_rollback_target(pipeline, each, stage)
    ]
    if failed.type != STANDARD or store.closed:
        return None
    return max(targets, key=lambda each: each.stages[stage].updated, default=None)


def new_rollback(
    store: Store, pipeline: Pipeline, target: Execution, stage: str, trigger: str, detail: str
) -> Execution:
    """Return a new execution that brings a stage back to the revisions of another one."""
    execution = store.new(pipeline, trigger, detail)
    execution.type, execution.rolled_back, execution.stage = ROLLBACK, target.id, stage
    execution.revisions = list(target.revisions)
    execution.artifacts = dict(target.artifacts)
    execution.namespaces = {name: dict(each) for name, each in target.namespaces.items()}
    return execution
