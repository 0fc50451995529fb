"""Stage conditions ("How do stage conditions work?" of the CodePipeline user guide)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading

    from localcloud.cloud import Cloud
    from localcloud.codepipeline.model import Execution, Pipeline

_LOOK = 5.0  # cloud seconds between two looks at an alarm


def check(
    cloud: Cloud,
    pipeline: Pipeline,
    execution: Execution,
    kind: str,
    condition: dict[str, Any],
    stop: threading.Event,
) -> dict[str, Any]:
    """Hold a condition's rules; each rule's outcome, and `Failed` if one does not hold.

    The alarms of a condition are watched together, for the longest of their waits.
    """
    rules = [
        {
            "ruleExecutionId": str(uuid.uuid4()),
            "name": rule["name"],
            "status": "InProgress",
            "summary": "",
            "rule": rule,
        }
        for rule in condition["rules"]
    ]
    longest = max(_minutes(rule["rule"]) for rule in rules) * 60
    began = cloud.clock.timestamp()
    while True:
        passed = cloud.clock.timestamp() - began
        for rule in rules:
            if rule["status"] == "InProgress":
                _look(cloud, pipeline, execution, rule, passed)
        if any(rule["status"] == "Failed" for rule in rules) or passed >= longest:
            break
        if cloud.clock.wait(min(_LOOK, longest - passed), stop):
            break
    failed = [rule for rule in rules if rule["status"] == "Failed"]
    return {
        "type": kind,
        "result": condition.get("result", "FAIL"),
        "status": "Failed" if failed else "Succeeded",
        "summary": "; ".join(rule["summary"] for rule in failed),
        "rules": [{key: value for key, value in rule.items() if key != "rule"} for rule in rules],
    }


def _minutes(rule: dict[str, Any]) -> float:
    return float(rule.get("configuration", {}).get("WaitTime") or 0)


def _look(
    cloud: Cloud, pipeline: Pipeline, execution: Execution, held: dict[str, Any], passed: float
) -> None:
    rule = held["rule"]
    configuration = execution.resolve(rule.get("configuration", {}))
    provider = rule["ruleTypeId"]["provider"]
    if provider == "VariableCheck":
        _compare(held, configuration)
        return
    # The rule's role names the account whose alarm it is.
    account = (rule.get("roleArn") or pipeline.definition["roleArn"]).split(":")[4]
    region = rule.get("region") or pipeline.region
    name = configuration["AlarmName"]
    states = cloud.cloudwatch.alarm_states(account, region, [name])
    if name not in states:
        held["status"], held["summary"] = "Failed", f"Alarm {name} does not exist"
        return
    wanted = (configuration.get("AlarmStates") or "ALARM").split(",")
    if states[name].value in wanted:
        held["status"] = "Failed"
        held["summary"] = f"Alarm {name} is in state {states[name].value}: {states[name].reason}"
    elif passed >= _minutes(rule) * 60:
        held["status"] = "Succeeded"


def _compare(held: dict[str, Any], configuration: dict[str, Any]) -> None:
    variable, value = configuration["Variable"], configuration["Value"]
    operator = configuration.get("Operator", "EQ")
    holds = {
        "EQ": variable == value,
        "NE": variable != value,
        "CONTAINS": value in variable,
    }.get(operator)
    if holds is None:
        held["status"], held["summary"] = "Failed", f"Operator {operator} is not known"
        return
    held["status"] = "Succeeded" if holds else "Failed"
    held["summary"] = "" if holds else f"{variable} is not {operator} {value}"


RULES = {"CloudWatchAlarm", "VariableCheck"}
"""The rule providers that are known; any other is refused when a pipeline is made."""
