"""Runs executions through the stages of their pipelines."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.codepipeline import conditions
from localcloud.codepipeline.actions import PROVIDERS, Running
from localcloud.codepipeline.model import ActionError, ActionExecution, StageExecution

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.codepipeline.actions import Approval
    from localcloud.codepipeline.model import Execution, Pipeline
    from localcloud.codepipeline.service import CodePipeline


class _Gate:
    """The entrance of a stage: one execution inside, and in SUPERSEDED mode one in front."""

    def __init__(self) -> None:
        self.inside: str | None = None
        self.waiting: list[str] = []


class Runner:
    """One thread an execution; a gate a stage."""

    def __init__(self, service: CodePipeline) -> None:
        self._service = service
        self._cloud: Cloud = service.cloud
        self._gates: dict[tuple[str, str], _Gate] = {}
        self._changed = threading.Condition()
        self._stops: dict[str, threading.Event] = {}
        self.approvals: dict[str, Approval] = {}

    def begin(self, pipeline: Pipeline, execution: Execution, first: int = 0) -> None:
        """Run an execution from a stage on, in a thread of its own."""
        self._stops[execution.id] = threading.Event()
        threading.Thread(
            target=self._run,
            args=(pipeline, execution, first),
            name=f"execution-{execution.id[:8]}",
            daemon=True,
        ).start()

    def stop(self, execution_id: str) -> None:
        """Let the execution's running actions end, and nothing begin."""
        if execution_id in self._stops:
            self._stops[execution_id].set()
        with self._changed:
            self._changed.notify_all()

    def stop_all(self) -> None:
        """Stop every execution."""
        for execution_id in list(self._stops):
            self.stop(execution_id)

    def poke(self) -> None:
        """Something that executions wait for has changed."""
        with self._changed:
            self._changed.notify_all()

    def _run(self, pipeline: Pipeline, execution: Execution, first: int) -> None:
        status = "Succeeded"
        # The structure that it began with: an update of the pipeline ends it.
        stages = list(pipeline.stages)
        for index, stage in enumerate(stages[first:], first):
            status = self._enter(pipeline, execution, stage["name"], index == 0)
            if status != "Succeeded":
                break
            try:
                status = self._stage(pipeline, execution, stage)
            finally:
                self._leave(pipeline, stage["name"])
            if status != "Succeeded":
                break
            if pipeline.version != execution.version and index + 1 < len(stages):
                status = "Cancelled"
                execution.summary = (
                    "The pipeline's definition was updated before the execution could be completed"
                )
                break
        self._stops.pop(execution.id, None)
        self._service.finish(execution, status)

    def _enter(self, pipeline: Pipeline, execution: Execution, stage: str, first: bool) -> str:
        if pipeline.mode == "PARALLEL":
            return "Succeeded"
        stop = self._stops[execution.id]
        with self._changed:
            gate = self._gates.setdefault((pipeline.key, stage), _Gate())
            if pipeline.mode == "SUPERSEDED" and not first:
                gate.waiting = [execution.id]
            else:
                gate.waiting.append(execution.id)
            self._changed.notify_all()
            while True:
                if stop.is_set():
                    gate.waiting = [each for each in gate.waiting if each != execution.id]
                    return "Stopped"
                if execution.id not in gate.waiting:
                    return "Superseded"
                if (
                    gate.inside is None
                    and gate.waiting[0] == execution.id
                    and stage not in pipeline.disabled
                ):
                    gate.waiting.pop(0)
                    gate.inside = execution.id
                    return "Succeeded"
                self._changed.wait()

    def _leave(self, pipeline: Pipeline, stage: str) -> None:
        if pipeline.mode != "PARALLEL":
            with self._changed:
                self._gates[(pipeline.key, stage)].inside = None
                self._changed.notify_all()

    def _stage(self, pipeline: Pipeline, execution: Execution, stage: dict[str, Any]) -> str:
        now = self._cloud.clock.timestamp()
        held = StageExecution(stage["name"], "InProgress", now, now)
        execution.stages[stage["name"]] = held
        self._service.mark_stage(execution, held, "InProgress")
        before = stage.get("beforeEntry")
        if before and not self._holds(pipeline, execution, held, "BEFORE_ENTRY", before):
            return self._end(execution, held, "Failed")
        status = "Succeeded"
        orders = sorted({action.get("runOrder") or 1 for action in stage["actions"]})
        for order in orders:
            group = [each for each in stage["actions"] if (each.get("runOrder") or 1) == order]
            if not self._group(pipeline, execution, stage["name"], group):
                status = "Stopped" if self._stops[execution.id].is_set() else "Failed"
                break
        if status == "Succeeded" and stage.get("onSuccess"):
            if not self._holds(pipeline, execution, held, "ON_SUCCESS", stage["onSuccess"]):
                status = "Failed"
        elif status == "Failed" and (stage.get("onFailure") or {}).get("result") == "ROLLBACK":
            held.condition = {"type": "ON_FAILURE", "result": "ROLLBACK", "status": "Failed"}
        ended = self._end(execution, held, status)
        if ended == "Failed" and held.condition.get("result") == "ROLLBACK":
            self._service.roll_back(pipeline, execution, stage["name"])
        return ended

    def _holds(
        self,
        pipeline: Pipeline,
        execution: Execution,
        held: StageExecution,
        kind: str,
        declared: dict[str, Any],
    ) -> bool:
        for condition in declared["conditions"]:
            held.condition = {"type": kind, "status": "InProgress"}
            self._service.save(execution)
            held.condition = conditions.check(
                self._cloud, pipeline, execution, kind, condition, self._stops[execution.id]
            )
            self._service.save(execution)
            if held.condition["status"] == "Failed":
                return False
        return True

    def _end(self, execution: Execution, held: StageExecution, status: str) -> str:
        self._service.mark_stage(execution, held, status)
        return status

    def _group(
        self, pipeline: Pipeline, execution: Execution, stage: str, group: list[dict[str, Any]]
    ) -> bool:
        if self._stops[execution.id].is_set():
            return False
        results: dict[str, bool] = {}

        def run(action: dict[str, Any]) -> None:
            results[action["name"]] = self._action(pipeline, execution, stage, action)

        threads = [
            threading.Thread(
                target=run, args=(action,), name=f"action-{action['name']}", daemon=True
            )
            for action in group
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(results) == len(group) and all(results.values())

    def _action(
        self, pipeline: Pipeline, execution: Execution, stage: str, action: dict[str, Any]
    ) -> bool:
        now = self._cloud.clock.timestamp()
        record = ActionExecution(str(uuid.uuid4()), stage, action["name"], "InProgress", now, now)
        execution.actions.append(record)
        self._service.mark_action(execution, record, "InProgress")
        kind = action["actionTypeId"]
        try:
            running = Running(
                cloud=self._cloud,
                pipeline=pipeline,
                execution=execution,
                action=action,
                record=record,
                save=lambda: self._service.save(execution),
                stop=self._stops[execution.id],
                approvals=self.approvals,
                configuration=execution.resolve(action.get("configuration") or {}),
            )
            PROVIDERS[(kind["category"], kind["owner"], kind["provider"])](running)
        except Exception as error:  # noqa: BLE001  # whatever it was, the action has failed
            known = isinstance(error, ActionError)
            record.error = str(error) if known else f"{type(error).__name__}: {error}"
            self._service.mark_action(execution, record, "Failed")
            return False
        namespace = action.get("namespace")
        if namespace:
            execution.namespaces[namespace] = record.outputs
        self._service.mark_action(execution, record, "Succeeded")
        return True
