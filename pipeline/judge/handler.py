"""The entry point on Lambda: `pipeline.judge.handler.handler`.

Two services call it:

- EventBridge, once a minute: the judge evaluates the release in progress, publishes the metrics
  that the alarms of the deployment group read, stops the deployment if its verdict says so, and
  ends the bake when its time is over. The alarms stop it, too, about a minute later, if the judge
  could not.
- CodeDeploy, twice in a deployment: at BeforeAllowTraffic the judge refuses a version that it
  condemned earlier; at AfterAllowTraffic the bake begins, and CodeDeploy waits for its end.

An error is raised, so that Lambda counts it; the next evaluation comes in a minute.
"""

from __future__ import annotations

import json
import os
from typing import Any

from pipeline.judge import bake
from pipeline.judge.admission import admit
from pipeline.judge.aws import AwsPort
from pipeline.judge.client import Client
from pipeline.judge.evaluation import Evaluation, evaluate
from pipeline.judge.settings import Settings

_settings = Settings.of(os.environ)
_port = AwsPort(Client(os.environ), _settings)


def handler(event: dict[str, Any], _context: Any) -> None:
    """Evaluate the release in progress, or handle a hook of CodeDeploy."""
    execution = event.get("LifecycleEventHookExecutionId")
    if execution is None:
        evaluation = evaluate(_port, _settings)
        _log_evaluation(evaluation)
        if not _end_bake(evaluation):
            _stop_shift(evaluation)
        return
    deployment_id = event["DeploymentId"]
    answer: bool | None = False
    try:
        answer = _answer(deployment_id, execution)
    finally:
        if answer is not None:
            _port.answer_hook(deployment_id, execution, succeeded=answer)


def _answer(deployment_id: str, execution: str) -> bool | None:
    """Return the answer to a hook; None if the end of the bake brings it later."""
    deployment = _port.deployment(deployment_id)
    if deployment is None:
        return True
    if deployment.began is None:
        refused = admit(_port, _settings, deployment)
        if refused is not None:
            _log({"level": "ERROR", "deployment_id": deployment_id, "message": refused})
        return refused is None
    bake.begin(_port, deployment_id, execution)
    _log({"level": "INFO", "deployment_id": deployment_id, "message": "The bake begins"})
    return None


def _end_bake(evaluation: Evaluation) -> bool:
    """Answer the hook if the bake is over; return whether it is."""
    result = bake.result(_port, _settings, evaluation)
    if result is None or evaluation.record is None:
        return False
    deployment_id = evaluation.record.deployment_id
    status = "succeeded" if result.succeeded else "failed"
    _log(
        {
            "level": "INFO" if result.succeeded else "ERROR",
            "deployment_id": deployment_id,
            "alarms": result.alarms,
            "message": f"The bake {status}: {evaluation.record.sentence}",
        }
    )
    _port.answer_hook(deployment_id, result.bake.execution, succeeded=result.succeeded)
    return True


def _stop_shift(evaluation: Evaluation) -> None:
    """Stop a deployment in progress that must not be promoted, without waiting for the alarms."""
    record = evaluation.record
    if record is None or record.outcome != "in progress" or not evaluation.stops:
        return
    _log({"level": "ERROR", "deployment_id": record.deployment_id, "message": "The judge stops it"})
    _port.stop(record.deployment_id)


def _log_evaluation(evaluation: Evaluation) -> None:
    record = evaluation.record
    entry: dict[str, Any] = {"level": "INFO", "time": evaluation.at.isoformat()}
    if record:
        entry |= {
            "deployment_id": record.deployment_id,
            "minutes": len(record.periods),
            "evidence": record.evidence[-1] if record.evidence else None,
            "verdict": record.verdict,
            "incident": record.incident,
            "outcome": record.outcome,
            "message": record.sentence,
        }
    if evaluation.waiting:
        waiting = [each.isoformat() for each in evaluation.waiting]
        entry |= {"waiting": waiting, "late": evaluation.late}
    _log(entry)


def _log(entry: dict[str, Any]) -> None:
    print(json.dumps(entry, ensure_ascii=False))  # noqa: T201  # Lambda logs standard output
