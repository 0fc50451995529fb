"""The entry point on Lambda: `pipeline.judge.handler.handler`.

Two things call it. EventBridge, every minute: the judge looks at the release in progress, if
one is, and publishes what the alarms of the deployment group wait for. CodeDeploy, twice: before
a version gets traffic (BeforeAllowTraffic) the judge refuses one that it condemned earlier, and
when all traffic has been shifted (AfterAllowTraffic) the deployment does not end well without the
judge's word. What goes wrong is raised: it is then counted, and nothing was published.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from pipeline.judge.admission import admit
from pipeline.judge.aws import AwsPort
from pipeline.judge.client import Client
from pipeline.judge.look import SETTLED, Look, look
from pipeline.judge.port import UnjudgedError
from pipeline.judge.settings import Settings
from pipeline.judge.testimony import COMPARISON_DELAY

_PAUSE_SECONDS = 2.0
_LAST_LOOK_SECONDS = (COMPARISON_DELAY - SETTLED).total_seconds() + 10
"""Time within which the last minutes are complete, or are compared as they are."""

_settings = Settings.of(os.environ)
_port = AwsPort(Client(os.environ), _settings)


def handler(event: dict[str, Any], _context: Any) -> None:
    """Evaluate the last minutes and log the result, or answer a hook of CodeDeploy."""
    execution = event.get("LifecycleEventHookExecutionId")
    if execution is None:
        _log(look(_port, _settings))
        return
    succeeded = False
    try:
        succeeded = _may_go_on(event["DeploymentId"])
    finally:
        _port.answer(event["DeploymentId"], execution, succeeded=succeeded)


def _may_go_on(deployment_id: str) -> bool:
    deployment = _port.deployed(deployment_id)
    if deployment is None:
        return True
    if deployment.began is None:
        refused = admit(_port, _settings, deployment)
        if refused is not None:
            _say({"level": "ERROR", "deployment_id": deployment_id, "message": refused})
        return refused is None
    seen = _last_look()
    _log(seen)
    return not seen.stops


def _last_look() -> Look:
    """Look until every closed minute is known, or raise what stands in the way."""
    ends = time.monotonic() + _LAST_LOOK_SECONDS
    while True:
        try:
            seen = look(_port, _settings, over=True)
            if seen.stops or not seen.waiting:
                return seen
            error = UnjudgedError(
                f"of {len(seen.waiting)} closed minute(s) from {seen.waiting[0].isoformat()} on, "
                "the service's own counts lag behind Lambda's"
            )
        except UnjudgedError as unjudged:
            error = unjudged
        if time.monotonic() >= ends:
            raise error
        _say({"level": "WARNING", "message": str(error)})
        time.sleep(_PAUSE_SECONDS)


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
    _say(said)


def _say(said: dict[str, Any]) -> None:
    print(json.dumps(said, ensure_ascii=False))  # noqa: T201  # a Lambda logs so
