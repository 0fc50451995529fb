"""The run of a stage: conditions, groups of actions, automatic retry."""

from __future__ import annotations

import logging
import threading
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.codepipeline.actions import PROVIDERS
from localcloud.codepipeline.actions.run import ActionRun
from localcloud.codepipeline.conditions import OVERRIDDEN, Condition
from localcloud.codepipeline.halt import AbandonedError
from localcloud.codepipeline.model import (
    ActionError,
    ActionExecution,
    StageExecution,
    UnresolvedVariableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.codepipeline.collaborators import Collaborators
    from localcloud.codepipeline.halt import Halt
    from localcloud.codepipeline.model import Execution, Pipeline

logger = logging.getLogger(__name__)
_FAILED, _RESUME = "FAILED_ACTIONS", "RESUME"


class Progress:
    """Takes one execution through its stages; `stages` are those that it began with.

    `roll_back` brings a stage back after an execution has failed in it.
    """

    def __init__(
        self,
        collaborators: Collaborators,
        pipeline: Pipeline,
        execution: Execution,
        halt: Halt,
        roll_back: Callable[[Pipeline, Execution, str], None],
    ) -> None:
        self._collaborators = collaborators
        self._store = collaborators.store
        self._clock = collaborators.core.clock
        self._roll_back = roll_back
        self._pipeline = pipeline
        self.execution = execution
        self.halt = halt
        self.stages = list(pipeline.stages)

    def stage(self, stage: dict[str, Any], again: str) -> str:
        """Run a stage and return its status. `again` is as in `Runner.begin`."""
        name, store, execution = stage["name"], self._store, self.execution
        now = self._clock.timestamp()
        before = execution.stages.get(name)
        held = StageExecution(name, "InProgress", now, now)
        if before:
            held.retries = before.retries
        with store.changing(execution):
            execution.stages[name] = held
        store.mark_stage(execution, held, "InProgress")
        status, roll_back = self._attempt(stage, held, again)
        failure = stage.get("onFailure") or {}
        if status == "Failed" and failure.get("result") == "RETRY" and not held.retries:
            with store.changing(execution):
                held.retries["AutomatedStageRetry"] = 1
            mode = (failure.get("retryConfiguration") or {}).get("retryMode") or _FAILED
            status, roll_back = self._attempt(stage, held, mode)
        if status == "Failed" and (roll_back or failure.get("result") == "ROLLBACK"):
            # Before the failure is recorded: recovery ignores a stage that has ended.
            self._roll_back(self._pipeline, execution, name)
        store.mark_stage(execution, held, status)
        return status

    def _attempt(self, stage: dict[str, Any], held: StageExecution, again: str) -> tuple[str, bool]:
        """Run the stage once; return its status, and whether a condition rolls it back."""
        result = self._evaluate_conditions(held, "BEFORE_ENTRY", stage.get("beforeEntry"))
        if result:
            return ("Skipped" if result == "SKIP" else result), False
        for order in sorted({action.get("runOrder") or 1 for action in stage["actions"]}):
            group = [each for each in stage["actions"] if (each.get("runOrder") or 1) == order]
            if again in {_FAILED, _RESUME}:
                group = [each for each in group if not self._succeeded(held.name, each)]
            done = self._group(held.name, group, resume=again == _RESUME)
            if self.halt.stopping or not done or self._outdated:
                return self._ended_early(done), False
        result = self._evaluate_conditions(held, "ON_SUCCESS", stage.get("onSuccess"))
        if result in {"ROLLBACK", "FAIL"}:
            return "Failed", result == "ROLLBACK"
        if not result and self._outdated:
            return "Cancelled", False
        return result or "Succeeded", False

    def _ended_early(self, done: bool) -> str:
        if self.halt.stopping:
            return "Stopped"
        return "Cancelled" if done else "Failed"

    def _evaluate_conditions(
        self, held: StageExecution, kind: str, declared: dict[str, Any] | None
    ) -> str:
        """Evaluate conditions in order; return "" if all pass, else the result to apply."""
        store, execution = self._store, self.execution
        for condition in (declared or {}).get("conditions") or []:
            with store.changing(execution):
                held.conditions[kind] = "InProgress"
            running = Condition(
                self._collaborators, self._pipeline, execution, held.name, kind, condition
            )
            key = (execution.id, held.name, kind)
            overrides = self._collaborators.decisions.conditions
            overrides[key] = running.override
            try:
                status, summary = running.evaluate(self.halt)
            finally:
                overrides.pop(key, None)
            with store.changing(execution):
                held.conditions[kind] = status
                if status == "Failed":
                    execution.summary = summary
            if status == "Cancelled":
                return "Stopped"
            if status not in {"Succeeded", OVERRIDDEN}:
                result = condition.get("result") or "FAIL"
                return "Failed" if kind == "BEFORE_ENTRY" and result == "FAIL" else result
        return ""

    def _group(self, stage: str, group: list[dict[str, Any]], *, resume: bool) -> bool:
        """Run actions in parallel; return whether all succeeded."""
        if self.halt.stopping:
            return False
        results: list[bool] = []

        def run(action: dict[str, Any]) -> None:
            results.append(self._action(stage, action, resume=resume))

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
        return len(results) == len(group) and all(results)

    def _action(self, stage: str, action: dict[str, Any], *, resume: bool) -> bool:
        store, execution = self._store, self.execution
        record = execution.action(stage, action["name"]) if resume else None
        if record is None or record.status != "InProgress":
            now = self._clock.timestamp()
            record = ActionExecution(
                str(uuid.uuid4()), stage, action["name"], "InProgress", now, now
            )
            with store.changing(execution):
                execution.actions.append(record)
                record.inputs = {
                    each["name"]: execution.artifacts[each["name"]]
                    for each in action.get("inputArtifacts") or []
                    if each["name"] in execution.artifacts
                }
        store.mark_action(execution, action, record, "InProgress")
        try:
            configuration = self._resolved(action)
            with store.changing(execution):
                record.configuration = configuration
            running = ActionRun(
                self._collaborators, self._pipeline, execution, action, record, self.halt
            )
            PROVIDERS[action["actionTypeId"]["provider"]](running)
        except AbandonedError:
            store.mark_action(execution, action, record, "Abandoned")
            return False
        except Exception as error:  # any error fails the action
            known = isinstance(error, ActionError)
            if not known and not store.closed:
                logger.exception("Action %s of execution %s fails", action["name"], execution.id)
            with store.changing(execution):
                record.error = str(error) if known else f"{type(error).__name__}: {error}"
            store.mark_action(execution, action, record, "Failed")
            return False
        if action.get("namespace"):
            with store.changing(execution):
                execution.namespaces[action["namespace"]] = record.outputs
        store.mark_action(execution, action, record, "Succeeded")
        return True

    def _resolved(self, action: dict[str, Any]) -> dict[str, str]:
        """Return an action's configuration with its variables resolved."""
        try:
            found: dict[str, str] = self.execution.resolve(action.get("configuration") or {})
        except UnresolvedVariableError as error:
            raise ActionError(
                "An action in this pipeline failed because one or more variables could not be "
                f"resolved: Action name={action['name']}. Variable: {error}"
            ) from error
        return found

    @property
    def _outdated(self) -> bool:
        """Whether the pipeline was updated since the execution started."""
        return self._pipeline.version != self.execution.version

    def _succeeded(self, stage: str, action: dict[str, Any]) -> bool:
        ran = self.execution.action(stage, action["name"])
        return ran is not None and ran.status == "Succeeded"
