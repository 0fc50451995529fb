"""Executions and states in the shapes of the CodePipeline API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.codepipeline.model import (
        ActionExecution,
        Execution,
        Pipeline,
        RuleExecution,
    )
    from localcloud.codepipeline.queues import StageQueues

_CONDITION_STATE_KEYS = {
    "BEFORE_ENTRY": "beforeEntryConditionState",
    "ON_SUCCESS": "onSuccessConditionState",
}
_CONDITION_KEYS = {"BEFORE_ENTRY": "beforeEntry", "ON_SUCCESS": "onSuccess"}


def time(seconds: float) -> datetime:
    """Convert cloud time to the API's timestamp."""
    return datetime.fromtimestamp(seconds, UTC)


def declared(pipeline: Pipeline) -> dict[str, Any]:
    """Return a pipeline as `PipelineDeclaration`."""
    return pipeline.definition | {"version": pipeline.version}


def summary(execution: Execution) -> dict[str, Any]:
    """Return an execution as `PipelineExecutionSummary`."""
    shown = _common(execution) | {
        "startTime": time(execution.started),
        "lastUpdateTime": time(execution.updated),
        "sourceRevisions": execution.revisions,
    }
    if execution.stop_reason:
        shown["stopTrigger"] = {"reason": execution.stop_reason}
    return shown


def detail(execution: Execution) -> dict[str, Any]:
    """Return an execution as `PipelineExecution`."""
    return _common(execution) | {
        "pipelineName": execution.pipeline,
        "pipelineVersion": execution.version,
        "artifactRevisions": [
            {
                "name": each["actionName"],
                "revisionId": each["revisionId"],
                "revisionSummary": each["revisionSummary"],
            }
            for each in execution.revisions
        ],
        "variables": [
            {"name": name, "resolvedValue": value}
            for name, value in execution.namespaces.get("variables", {}).items()
        ],
    }


def stage_state(
    pipeline: Pipeline, stage: dict[str, Any], history: list[Execution], queues: StageQueues
) -> dict[str, Any]:
    """Return a stage's newest execution and its inbound executions as `StageState`."""
    name = stage["name"]
    inside = [each for each in history if name in each.stages]
    newest = max(inside, key=lambda each: each.stages[name].started, default=None)
    state: dict[str, Any] = {
        "stageName": name,
        "inboundTransitionState": {"enabled": name not in pipeline.disabled},
        "actionStates": [_action_state(action, name, newest) for action in stage["actions"]],
    }
    if name in pipeline.disabled:
        state["inboundTransitionState"]["disabledReason"] = pipeline.disabled[name]
    waiting = queues.waiting((pipeline.key, name))
    by_id = {each.id: each for each in history}
    inbound = [
        {"pipelineExecutionId": each, "status": "InProgress", "type": by_id[each].type}
        for each in waiting
        if each in by_id
    ]
    if inbound:
        state |= {"inboundExecution": inbound[-1], "inboundExecutions": inbound}
    if newest is None:
        return state
    held = newest.stages[name]
    stopping = newest.status == "Stopping" and held.status == "InProgress"
    state["latestExecution"] = {
        "pipelineExecutionId": newest.id,
        "status": "Stopping" if stopping else held.status,
        "type": newest.type,
    }
    for kind, status in held.conditions.items():
        state[_CONDITION_STATE_KEYS[kind]] = _condition_state(stage, newest, kind, status)
    if held.retries:
        state["retryStageMetadata"] = {
            "autoStageRetryAttempt": held.retries.get("AutomatedStageRetry", 0),
            "manualStageRetryAttempt": held.retries.get("ManualStageRetry", 0),
            "latestRetryTrigger": list(held.retries)[-1],
        }
    return state


def action_detail(
    execution: Execution, action: ActionExecution, declaration: dict[str, Any] | None
) -> dict[str, Any]:
    """Return an action run as `ActionExecutionDetail`.

    `declaration` is None if the pipeline no longer has the action.
    """
    result: dict[str, Any] = {
        "externalExecutionId": action.external_id,
        "externalExecutionSummary": action.summary,
    }
    if action.error:
        result["errorDetails"] = {"code": "JobFailed", "message": action.error}
    given: dict[str, Any] = {
        "resolvedConfiguration": action.configuration,
        "inputArtifacts": _artifacts(action.inputs),
    }
    if declaration:
        given |= {
            "actionTypeId": declaration["actionTypeId"],
            "configuration": declaration.get("configuration") or {},
            "region": declaration.get("region") or execution.region,
        }
        for key in ("roleArn", "namespace"):
            if declaration.get(key):
                given[key] = declaration[key]
    return {
        "pipelineExecutionId": execution.id,
        "actionExecutionId": action.id,
        "pipelineVersion": execution.version,
        "stageName": action.stage,
        "actionName": action.name,
        "startTime": time(action.started),
        "lastUpdateTime": time(action.updated),
        "status": action.status,
        "input": given,
        "output": {
            "outputArtifacts": _artifacts(action.artifacts),
            "outputVariables": action.outputs,
            "executionResult": result,
        },
    }


def rule_detail(
    execution: Execution, rule: RuleExecution, declaration: dict[str, Any] | None
) -> dict[str, Any]:
    """Return a rule run as `RuleExecutionDetail`."""
    given: dict[str, Any] = {"resolvedConfiguration": rule.configuration}
    if declaration:
        given |= {
            "ruleTypeId": declaration["ruleTypeId"],
            "configuration": declaration.get("configuration") or {},
            "region": declaration.get("region") or execution.region,
        }
    result: dict[str, Any] = {"externalExecutionSummary": rule.summary}
    if rule.status == "Failed":
        result["errorDetails"] = {"code": "RuleFailed", "message": rule.summary}
    return {
        "pipelineExecutionId": execution.id,
        "ruleExecutionId": rule.id,
        "pipelineVersion": execution.version,
        "stageName": rule.stage,
        "ruleName": rule.name,
        "startTime": time(rule.started),
        "lastUpdateTime": time(rule.updated),
        "status": rule.status,
        "input": given,
        "output": {"executionResult": result},
    }


def rules_of(stage: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the declared rules of a stage's conditions of one kind."""
    return [
        rule
        for condition in (stage.get(_CONDITION_KEYS[kind]) or {}).get("conditions") or []
        for rule in condition["rules"]
    ]


def _common(execution: Execution) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "pipelineExecutionId": execution.id,
        "status": execution.status,
        "statusSummary": execution.summary or None,
        "executionMode": execution.mode,
        "executionType": execution.type,
        "trigger": {
            "triggerType": execution.trigger,
            "triggerDetail": execution.trigger_detail or execution.pipeline,
        },
    }
    if execution.rolled_back:
        shown["rollbackMetadata"] = {"rollbackTargetPipelineExecutionId": execution.rolled_back}
    return shown


def _action_state(action: dict[str, Any], stage: str, newest: Execution | None) -> dict[str, Any]:
    state: dict[str, Any] = {"actionName": action["name"]}
    ran = newest.action(stage, action["name"]) if newest else None
    if ran is None or newest is None:
        return state
    latest: dict[str, Any] = {
        "actionExecutionId": ran.id,
        "status": ran.status,
        "lastStatusChange": time(ran.updated),
    }
    if ran.summary:
        latest["summary"] = ran.summary
    if ran.token and ran.status == "InProgress":
        latest["token"] = ran.token
    if ran.external_id:
        latest["externalExecutionId"] = ran.external_id
    if ran.error:
        latest["errorDetails"] = {"code": "JobFailed", "message": ran.error}
    state["latestExecution"] = latest
    for revision in newest.revisions:
        if revision["actionName"] == action["name"]:
            state["currentRevision"] = {
                "revisionId": revision["revisionId"],
                "revisionChangeId": revision["revisionId"],
                "created": time(ran.updated),
            }
    return state


def _condition_state(
    stage: dict[str, Any], execution: Execution, kind: str, status: str
) -> dict[str, Any]:
    newest: dict[str, RuleExecution] = {}
    for rule in execution.rules:
        if (rule.stage, rule.kind) == (stage["name"], kind):
            newest[rule.name] = rule
    rules = [newest[each["name"]] for each in rules_of(stage, kind) if each["name"] in newest]
    said = "; ".join(rule.summary for rule in rules if rule.status == "Failed")
    latest = {"status": status, "summary": said}
    changed = max((rule.updated for rule in rules), default=execution.updated)
    return {
        "latestExecution": latest,
        "conditionStates": [
            {
                "latestExecution": latest | {"lastStatusChange": time(changed)},
                "ruleStates": [
                    {
                        "ruleName": rule.name,
                        "latestExecution": {
                            "ruleExecutionId": rule.id,
                            "status": rule.status,
                            "summary": rule.summary,
                            "lastStatusChange": time(rule.updated),
                        },
                    }
                    for rule in rules
                ],
            }
        ],
    }


def _artifacts(places: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "s3location": {"bucket": bucket, "key": key}}
        for name, (bucket, key) in places.items()
    ]
