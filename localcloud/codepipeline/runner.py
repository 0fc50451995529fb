"""The runner of executions, each in its own thread."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from localcloud.codepipeline.halt import Halt
from localcloud.codepipeline.model import ROLLBACK, STANDARD
from localcloud.codepipeline.progress import Progress
from localcloud.codepipeline.queues import ENTERED, StageQueues, Ticket
from localcloud.codepipeline.rollback import latest_target, new_rollback

if TYPE_CHECKING:
    from localcloud.codepipeline.collaborators import Collaborators
    from localcloud.codepipeline.model import Execution, Pipeline
    from localcloud.codepipeline.queues import Stage

logger = logging.getLogger(__name__)
_UPDATED_SUMMARY = "The pipeline's definition was updated before the execution could be completed"


class Runner:
    """Runs executions. The store records each change of their state."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._collaborators = collaborators
        self._store = collaborators.store
        self.queues = StageQueues()
        self._halts: dict[str, Halt] = {}

    def begin(
        self,
        pipeline: Pipeline,
        execution: Execution,
        first: int = 0,
        *,
        again: str = "",
        inside: bool = False,
    ) -> None:
        """Run an execution from a stage on; it is queued for that stage on return.

        `again` selects the actions of that stage that run again: ALL_ACTIONS, FAILED_ACTIONS, or
        RESUME (not succeeded; those in progress go on). `inside`: it is already in the stage.
        """
        halt = self._halts[execution.id] = Halt()
        progress = Progress(
            self._collaborators, pipeline, execution, halt, self._roll_back_automatically
        )
        ticket = self._ticket(pipeline, progress, first, None, again=bool(again), inside=inside)
        threading.Thread(
            target=self._guarded,
            args=(pipeline, progress, first, ticket, again),
            name=f"execution-{execution.id[:8]}",
            daemon=True,
        ).start()

    def stop(self, execution: Execution, *, abandon: bool) -> None:
        """Stop an execution after its running actions, or abandon it at once."""
        halt = self._halts.get(execution.id)
        if halt:
            (halt.abandon if abandon else halt.stop)()
        self.queues.withdraw(execution.id, "Stopped")

    def roll_back(
        self, pipeline: Pipeline, target: Execution, stage: str, trigger: str, failed: str = ""
    ) -> Execution:
        """Roll a stage back to an execution that succeeded in it; return the new one.

        `failed` is the id of the execution that is still in the stage; the rollback replaces it.
        """
        execution = new_rollback(self._store, pipeline, target, stage, trigger, failed or target.id)
        if failed:
            self.queues.replace_inside((pipeline.key, stage), failed, execution.id)
        self._store.record(execution, "STARTED")
        first = pipeline.index(stage) or 0
        self.begin(pipeline, execution, first, inside=bool(failed))
        return execution

    def _roll_back_automatically(self, pipeline: Pipeline, failed: Execution, stage: str) -> None:
        """Bring a stage back to the last execution that succeeded in it."""
        target = latest_target(self._store, pipeline, failed, stage)
        if target is not None:
            self.roll_back(pipeline, target, stage, "AutomatedRollback", failed.id)
            return
        with self._store.changing(failed):
            failed.summary = (f"{failed.summary}; " if failed.summary else "") + (
                f"stage {stage} could not be rolled back: no other execution has succeeded in it "
                "since the pipeline was last changed"
            )

    def updated(self, pipeline: Pipeline) -> None:
        """Cancel executions of a pipeline's old version that wait for a stage."""
        for execution in self._store.history(pipeline):
            if execution.running and execution.version != pipeline.version:
                self.queues.withdraw(execution.id, "Cancelled")

    def stop_all(self) -> None:
        """Abandon all executions without recording it."""
        for execution_id, halt in list(self._halts.items()):
            halt.abandon()
            self.queues.withdraw(execution_id, "Stopped")

    def _guarded(
        self, pipeline: Pipeline, progress: Progress, first: int, ticket: Ticket, again: str
    ) -> None:
        try:
            self._run(pipeline, progress, first, ticket, again)
        except Exception as error:  # an internal error fails the execution
            if not self._store.closed:
                logger.exception("Execution %s fails", progress.execution.id)
            progress.execution.summary = f"{type(error).__name__}: {error}"
            self._store.finish(progress.execution, "Failed")
        finally:
            # A retry may have started by now.
            if self._halts.get(progress.execution.id) is progress.halt:
                self._halts.pop(progress.execution.id)

    def _run(
        self, pipeline: Pipeline, progress: Progress, first: int, ticket: Ticket, again: str
    ) -> None:
        execution, behind, status = progress.execution, None, "Succeeded"
        try:
            for index, stage in enumerate(progress.stages[first:], first):
                if index > first:
                    ticket = self._ticket(pipeline, progress, index, behind)
                behind, status = None, ticket.wait()
                if status != ENTERED:
                    break
                behind = (pipeline.key, stage["name"])
                status = progress.stage(stage, again if index == first else "")
                if status not in {"Succeeded", "Skipped"} or execution.type == ROLLBACK:
                    break
            if status == "Cancelled":
                execution.summary = _UPDATED_SUMMARY
            self._store.finish(execution, "Succeeded" if status == "Skipped" else status)
        finally:
            if behind:
                self.queues.leave(behind, execution.id)

    def _ticket(
        self,
        pipeline: Pipeline,
        progress: Progress,
        index: int,
        behind: Stage | None,
        *,
        again: bool = False,
        inside: bool = False,
    ) -> Ticket:
        execution, halt = progress.execution, progress.halt

        def refused() -> str:
            if halt.stopping:
                return "Stopped"
            return "Cancelled" if pipeline.version != execution.version else ""

        if inside or execution.mode == "PARALLEL":
            ticket = Ticket()
            ticket.decide(refused() or ENTERED)
            return ticket
        return self.queues.enqueue(
            (pipeline.key, progress.stages[index]["name"]),
            execution.id,
            leaving=behind,
            # Executions supersede one another between stages, never before the first stage. A
            # retry or rollback queues behind the executions that wait.
            supersede=execution.mode == "SUPERSEDED"
            and execution.type == STANDARD
            and index > 0
            and not again,
            refused=refused,
        )
