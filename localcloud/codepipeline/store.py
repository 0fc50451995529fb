"""Pipelines and executions: each change is durable, and is published to the event bus."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from localcloud.codepipeline.model import Execution, Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.codepipeline.model import ActionExecution, StageExecution
    from localcloud.core.core import Core

_PIPELINE = "codepipeline:pipeline"
_EXECUTION = "codepipeline:execution"


class Store:
    """Pipelines by key, executions by id. After `close` nothing is recorded or published."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.pipelines: dict[str, Pipeline] = {}
        self.executions: dict[str, Execution] = {}
        self.closed = False
        self.lock = threading.RLock()

    def load(self) -> None:
        """Read everything back from the ledger."""
        for key, document in self._core.ledger.all(_PIPELINE):
            self.pipelines[key] = Pipeline(**document)
        for _, document in self._core.ledger.all(_EXECUTION):
            execution = Execution.of(document)
            self.executions[execution.id] = execution

    def close(self) -> None:
        """Record nothing from now on."""
        with self.lock:
            self.closed = True

    def save_pipeline(self, pipeline: Pipeline) -> None:
        """Write a pipeline to the ledger."""
        self._core.ledger.put(_PIPELINE, pipeline.key, asdict(pipeline))

    def remove_pipeline(self, key: str) -> Pipeline | None:
        """Remove a pipeline and return it; None if it does not exist."""
        self._core.ledger.delete(_PIPELINE, key)
        return self.pipelines.pop(key, None)

    def history(self, pipeline: Pipeline) -> list[Execution]:
        """Return a pipeline's executions, newest first, without a deleted namesake's."""
        mine = (pipeline.account, pipeline.region, pipeline.name)
        found = [
            each
            for each in list(self.executions.values())
            if (each.account, each.region, each.pipeline) == mine
            and each.started >= pipeline.created
        ]
        return sorted(found, key=lambda each: -each.started)

    def new(self, pipeline: Pipeline, trigger: str, detail: str) -> Execution:
        """Return a new execution, which is not recorded yet.

        Raises:
            RuntimeError: the store is closed.
        """
        now = self._core.clock.timestamp()
        execution = Execution(
            id=str(uuid.uuid4()),
            pipeline=pipeline.name,
            account=pipeline.account,
            region=pipeline.region,
            version=pipeline.version,
            mode=pipeline.mode,
            status="InProgress",
            started=now,
            updated=now,
            trigger=trigger,
            trigger_detail=detail,
        )
        with self.lock:
            if self.closed:
                raise RuntimeError("the local cloud is stopping: start the execution again later")
        return execution

    def record(self, execution: Execution, state: str) -> None:
        """Make an execution that starts or resumes durable, and publish its state."""
        with self.changing(execution):
            pass
        self.executions[execution.id] = execution
        self.publish(execution, "Pipeline", {}, state)

    @contextmanager
    def changing(self, execution: Execution) -> Iterator[None]:
        """Change an execution; durable at the end."""
        with self.lock:
            yield
            execution.updated = self._core.clock.timestamp()
            if not self.closed:
                self._core.ledger.put(_EXECUTION, execution.key, execution.document())

    def finish(self, execution: Execution, status: str) -> None:
        """Record an execution's final status and publish it."""
        with self.changing(execution):
            execution.status = status
        self.publish(execution, "Pipeline", {}, _event_state(status))

    def mark_stage(self, execution: Execution, stage: StageExecution, status: str) -> None:
        """Record a stage's status."""
        with self.changing(execution):
            stage.status, stage.updated = status, self._core.clock.timestamp()
        self.publish(execution, "Stage", {"stage": stage.name}, _event_state(status))

    def mark_action(
        self, execution: Execution, action: dict[str, Any], record: ActionExecution, status: str
    ) -> None:
        """Record an action's status."""
        with self.changing(execution):
            record.status, record.updated = status, self._core.clock.timestamp()
        where = {"stage": record.stage, "action": record.name, "type": action["actionTypeId"]}
        self.publish(execution, "Action", where, _event_state(status))

    def publish(self, execution: Execution, what: str, where: dict[str, Any], state: str) -> None:
        """Publish a state; `what` is Pipeline, Stage or Action, `where` names it."""
        if self.closed:
            return
        self._core.bus.publish(
            execution.account,
            execution.region,
            "aws.codepipeline",
            f"CodePipeline {what} Execution State Change",
            {
                "pipeline": execution.pipeline,
                "execution-id": execution.id,
                "version": float(execution.version),
                "state": state,
                **where,
            },
            (f"arn:aws:codepipeline:{execution.region}:{execution.account}:{execution.pipeline}",),
        )


def _event_state(status: str) -> str:
    names = {"InProgress": "STARTED", "Cancelled": "CANCELED", "Abandoned": "ABANDONED"}
    return names.get(status, status.upper())
