"""The entry point on Lambda: `pipeline.judge.handler.handler`.

Two things call it. EventBridge, every minute: the judge looks at the release in progress, if
one is, and publishes what the alarms of the deployment group wait for. CodeDeploy, when all
traffic has been shifted (its hook AfterAllowTraffic): the deployment does not end well without
the judge's word. What goes wrong is raised: it is then counted, and nothing was published.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from pipeline.judge.aws import AwsPort
from pipeline.judge.client import Client
from pipeline.judge.look import Look, look
from pipeline.judge.port import UnjudgedError
from pipeline.judge.settings import Settings

_TRIES = 10
_PAUSE = 2.0  # seconds, until metrics that lag have come

_settings = Settings.of(os.environ)
_port = AwsPort(Client(os.environ), _settings)


def handler(event: dict[str, Any], _context: Any) -> None:
    """Look, and say on the log what was seen."""
    execution = event.get("LifecycleEventHookExecutionId")
    if execution is None:
        _log(look(_port, _settings))
        return
    succeeded = False
    try:
        seen = _last_look()
        _log(seen)
        succeeded = not seen.stops
    finally:
        _port.answer(event["DeploymentId"], execution, succeeded=succeeded)


def _last_look() -> Look:
    for _ in range(_TRIES - 1):
        try:
            return look(_port, _settings, over=True)
        except UnjudgedError as error:
            print(json.dumps({"level": "WARNING", "message": str(error)}))  # noqa: T201  # a Lambda logs so
            time.sleep(_PAUSE)
    return look(_port, _settings, over=True)


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
    print(json.dumps(said, ensure_ascii=False))  # noqa: T201  # a Lambda logs so
