"""Runs executions: a thread each, through the stages of their pipelines."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING

from localcloud.codepipeline.gates import ENTERED, Gates, Ticket
from localcloud.codepipeline.halt import Halt
from localcloud.codepipeline.model import ROLLBACK, STANDARD
from localcloud.codepipeline.progress import Progress

if TYPE_CHECKING:
    from localcloud.codepipeline.conditions import Condition
    from localcloud.codepipeline.gates import Stage
    from localcloud.codepipeline.model import Execution, Pipeline
    from localcloud.codepipeline.service import CodePipeline

_UPDATED = "The pipeline's definition was updated before the execution could be completed"


class Runner:
    """Runs executions. The service stores each change of their state."""

    def __init__(self, service: CodePipeline) -> None:
        self._service = service
        self.gates = Gates()
        self.approvals: dict[str, threading.Event] = {}
        """Set when an approval is answered; by token."""
        self.conditions: dict[tuple[str, str, str], Condition] = {}
        """Those that are held now, by execution, stage and kind."""
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
        """Run an execution from a stage on; it stands in front of it when this returns.

        `again` says which actions of that stage run again (ALL_ACTIONS, FAILED_ACTIONS, RESUME:
        those that are not done); `inside` that it was put into the stage already.
        """
        halt = self._halts[execution.id] = Halt()
        progress = Progress(self._service, pipeline, execution, halt)
        ticket = self._ticket(pipeline, progress, first, None, again=bool(again), inside=inside)
        threading.Thread(
            target=self._guarded,
            args=(pipeline, progress, first, ticket, again),
            name=f"execution-{execution.id[:8]}",
            daemon=True,
        ).start()

    def stop(self, execution: Execution, *, abandon: bool) -> None:
        """Let what runs come to its end, or not even that; nothing begins any more."""
        halt = self._halts.get(execution.id)
        if halt:
            (halt.abandon if abandon else halt.stop)()
        self.gates.withdraw(execution.id, "Stopped")

    def updated(self, pipeline: Pipeline) -> None:
        """The pipeline has a new definition: what waits in front of a stage is cancelled."""
        for execution in self._service.history(pipeline):
            if execution.running and execution.version != pipeline.version:
                self.gates.withdraw(execution.id, "Cancelled")

    def stop_all(self) -> None:
        """Wait for nothing any more; nothing is recorded."""
        for execution_id, halt in list(self._halts.items()):
            halt.abandon()
            self.gates.withdraw(execution_id, "Stopped")

    def _guarded(
        self, pipeline: Pipeline, progress: Progress, first: int, ticket: Ticket, again: str
    ) -> None:
        try:
            self._run(pipeline, progress, first, ticket, again)
        except Exception as error:  # noqa: BLE001  # a bug of ours is the execution's end
            if not self._service.closed:
                traceback.print_exc()
            progress.execution.summary = f"{type(error).__name__}: {error}"
            self._service.finish(progress.execution, "Failed")
        finally:
            # A retry may have begun by now.
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
                execution.summary = _UPDATED
            self._service.finish(execution, "Succeeded" if status == "Skipped" else status)
        finally:
            if behind:
                self.gates.leave(behind, execution.id)

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
        return self.gates.arrive(
            (pipeline.key, progress.stages[index]["name"]),
            execution.id,
            leaving=behind,
            # Executions supersede one another between stages, never in front of the first; one
            # that goes back to a stage comes behind those that wait there.
            supersede=execution.mode == "SUPERSEDED"
            and execution.type == STANDARD
            and index > 0
            and not again,
            refused=refused,
        )
