"""Stage conditions ("How do stage conditions work?", CodePipeline user guide)."""

from __future__ import annotations

import re
import threading
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.codepipeline.model import ActionError, RuleExecution, UnresolvedVariableError
from localcloud.codepipeline.roles import assume
from localcloud.iam.actions.call import Needed

if TYPE_CHECKING:
    from localcloud.codepipeline.collaborators import Collaborators
    from localcloud.codepipeline.halt import Halt
    from localcloud.codepipeline.model import Execution, Pipeline
    from localcloud.core.bus import Event
    from localcloud.core.credentials import Session

OVERRIDDEN = "Overridden"


class Condition:
    """The evaluation of one condition: all rules run in parallel until each has ended.

    The condition fails with the first failed rule. A CloudWatchAlarm rule fails if its alarm
    enters one of `AlarmStates` within `WaitTime` (minutes of cloud time), and else succeeds at
    the end of that time.
    """

    def __init__(
        self,
        collaborators: Collaborators,
        pipeline: Pipeline,
        execution: Execution,
        stage: str,
        kind: str,
        condition: dict[str, Any],
    ) -> None:
        self._store = collaborators.store
        self._core = collaborators.core
        self._access = collaborators.access
        self._alarms = collaborators.alarms
        self._pipeline = pipeline
        self._execution = execution
        now = self._core.clock.timestamp()
        self._began = now
        self._rules = [
            (
                rule,
                RuleExecution(str(uuid.uuid4()), stage, kind, rule["name"], "InProgress", now, now),
            )
            for rule in condition["rules"]
        ]
        self._changed = threading.Event()
        self._overridden = False
        self._sessions: dict[str, Session] = {}
        """The session of each role that was assumed."""

    def override(self) -> None:
        """End the condition as overridden, whatever its rules find."""
        self._overridden = True
        self._changed.set()

    def evaluate(self, halt: Halt) -> tuple[str, str]:
        """Wait for the condition to end; return its status and summary.

        The status is Succeeded, Failed, Overridden or Cancelled.
        """
        with self._store.changing(self._execution):
            self._execution.rules += [held for _, held in self._rules]
        unsubscribe = self._core.bus.subscribe(self._on_event)
        try:
            with halt.waking(self._changed, when_stopping=True):
                return self._decide(halt)
        finally:
            unsubscribe()

    def _decide(self, halt: Halt) -> tuple[str, str]:
        while True:
            self._changed.clear()
            left = [self._evaluate_rule(rule, held) for rule, held in self._rules]
            failed = [held for _, held in self._rules if held.status == "Failed"]
            if self._overridden:
                return self._end_rules("Abandoned", OVERRIDDEN, "Overridden by request")
            if failed:
                return self._end_rules("Abandoned", "Failed", "; ".join(h.summary for h in failed))
            if not any(left):
                return "Succeeded", ""
            if halt.stopping:
                return self._end_rules("Abandoned", "Cancelled", "The execution was stopped")
            self._core.clock.wait(min(each for each in left if each), self._changed)

    def _end_rules(self, rest: str, status: str, summary: str) -> tuple[str, str]:
        """Give the rules that still run the status `rest`; return status and summary."""
        with self._store.changing(self._execution):
            for _, held in self._rules:
                if held.status == "InProgress":
                    held.status, held.updated = rest, self._core.clock.timestamp()
        return status, summary

    def _on_event(self, event: Event) -> None:
        if event.source == "aws.cloudwatch":
            self._changed.set()

    def _evaluate_rule(self, rule: dict[str, Any], held: RuleExecution) -> float:
        """Evaluate a rule; return the cloud seconds left to watch it, 0 if it has ended."""
        if held.status != "InProgress":
            return 0.0
        left, failure = 0.0, ""
        try:
            held.configuration = self._execution.resolve(rule.get("configuration") or {})
            if rule["ruleTypeId"]["provider"] == "VariableCheck":
                failure = _compare(held.configuration)
            else:
                passed = self._core.clock.timestamp() - self._began
                left = float(held.configuration.get("WaitTime") or 0) * 60 - passed
                failure = self._alarm_failure(rule, held.configuration)
        except UnresolvedVariableError as error:
            failure = f"Variable {error} could not be resolved"
        except (ActionError, ValueError, re.error) as error:
            failure = str(error)
        if failure or left <= 0:
            with self._store.changing(self._execution):
                held.status, held.summary = "Failed" if failure else "Succeeded", failure
                held.updated = self._core.clock.timestamp()
            return 0.0
        return left

    def _alarm_failure(self, rule: dict[str, Any], configuration: dict[str, str]) -> str:
        region = rule.get("region") or self._pipeline.region
        name = configuration["AlarmName"]
        # The rule reads the alarm in the account of its role.
        role = rule.get("roleArn") or ""
        if role not in self._sessions:
            self._sessions[role] = assume(
                self._core, self._access, self._pipeline, self._execution, role, region
            )
        session = self._sessions[role]
        account = session.account
        alarms = f"arn:aws:cloudwatch:{region}:{account}:alarm:*"
        describe = Needed("cloudwatch:DescribeAlarms", alarms)
        refused = self._access.own_call(session, region, describe)
        if refused is not None:
            return refused.message
        found = self._alarms.alarm_states(account, region, [name]).get(name)
        if found is None:
            return f"Alarm {name} does not exist in account {account}, region {region}"
        wanted = {each.strip() for each in configuration.get("AlarmStates", "ALARM").split(",")}
        if found.value in wanted:
            return f"Alarm {name} is in state {found.value}: {found.reason}"
        return ""


def _compare(configuration: dict[str, str]) -> str:
    variable, value = configuration["Variable"], configuration["Value"]
    operator = configuration["Operator"]
    if operator not in {"EQ", "NE", "CONTAINS", "MATCHES"}:
        return f"Operator {operator} is not one of EQ, NE, CONTAINS, MATCHES"
    holds = {
        "EQ": lambda: variable == value,
        "NE": lambda: variable != value,
        "CONTAINS": lambda: value in variable,
        "MATCHES": lambda: re.fullmatch(value, variable) is not None,
    }[operator]()
    return "" if holds else f"{variable} {operator} {value} is false"
