"""The entry point on Lambda: `pipeline.judge.handler.handler`.

Two services call it. EventBridge, every minute: the judge looks at the release in progress, if
one is, publishes what the alarms of the deployment group wait for, and ends the bake when it is
over. CodeDeploy, twice in a deployment: before a version gets traffic (BeforeAllowTraffic) the
judge refuses one that it condemned earlier; after all traffic has been shifted
(AfterAllowTraffic) the bake begins, and CodeDeploy waits for its end. An error is raised, so that
Lambda counts it; the next minute is another try.
"""

from __future__ import annotations

import json
import os
from typing import Any

from pipeline.judge import bake
from pipeline.judge.admission import admit
from pipeline.judge.aws import AwsPort
from pipeline.judge.client import Client
from pipeline.judge.look import Look, look
from pipeline.judge.settings import Settings

_settings = Settings.of(os.environ)
_port = AwsPort(Client(os.environ), _settings)


def handler(event: dict[str, Any], _context: Any) -> None:
    """Evaluate the last minutes and log the result, or take a hook of CodeDeploy."""
    execution = event.get("LifecycleEventHookExecutionId")
    if execution is None:
        seen = look(_port, _settings)
        _log(seen)
        _end_bake(seen)
        return
    deployment_id = event["DeploymentId"]
    answer: bool | None = False
    try:
        answer = _answer(deployment_id, execution)
    finally:
        if answer is not None:
            _port.answer(deployment_id, execution, succeeded=answer)


def _answer(deployment_id: str, execution: str) -> bool | None:
    """Return the answer to a hook; None if the bake gives it later."""
    deployment = _port.deployed(deployment_id)
    if deployment is None:
        return True
    if deployment.began is None:
        refused = admit(_port, _settings, deployment)
        if refused is not None:
            _say({"level": "ERROR", "deployment_id": deployment_id, "message": refused})
        return refused is None
    bake.begin(_port, deployment_id, execution)
    _say({"level": "INFO", "deployment_id": deployment_id, "message": "The bake begins"})
    return None


def _end_bake(seen: Look) -> None:
    result = bake.result(_port, _settings, seen)
    if result is None or seen.record is None:
        return
    deployment_id = seen.record.deployment_id
    how = "succeeded" if result.succeeded else "failed"
    _say(
        {
            "level": "INFO" if result.succeeded else "ERROR",
            "deployment_id": deployment_id,
            "alarms": result.alarms,
            "message": f"The bake {how}: {seen.record.sentence}",
        }
    )
    _port.answer(deployment_id, result.bake.execution, succeeded=result.succeeded)


def _log(seen: Look) -> None:
    record = seen.record
    said: dict[str, Any] = {"level": "INFO", "time": seen.at.isoformat()}
    if record:
        said |= {
            "deployment_id": record.deployment_id,
            "minutes": len(record.periods),
            "evidence": record.evidence[-1] if record.evidence else None,
            "verdict": record.verdict,
            "incident": record.incident,
            "outcome": record.outcome,
            "message": record.sentence,
        }
    if seen.waiting:
        said |= {"waiting": [each.isoformat() for each in seen.waiting], "late": seen.late}
    _say(said)


def _say(said: dict[str, Any]) -> None:
    print(json.dumps(said, ensure_ascii=False))  # noqa: T201  # a Lambda logs so
