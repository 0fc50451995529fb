"""The document that `pithead status --json` prints."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from console.aws.impact import WINDOW_MINUTES
from pipeline.judge.statistics.judging import line
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from datetime import datetime

    from console.aws.impact import Responses
    from console.release.executions import Execution
    from console.release.status import EnvironmentStatus, Status
    from pipeline.judge.statistics.record import Record


def status_document(status: Status, now: datetime) -> dict[str, Any]:
    """Return the status as a JSON document.

    ```json
    {"schema": 1, "endpoint": "http://127.0.0.1:4566", "time": "2026-01-01T12:00:00+00:00",
     "environments": [
       {"name": "prod", "account": "444444444444", "region": "eu-west-1", "url": "http://…/prod/",
        "version": "2", "commit": "…", "weights": {"2": 0.9, "3": 0.1},
        "healthy": false, "problems": ["12% of requests fail", "1 red alarm", "not ready"],
        "health": {"alive": true, "ready": false, "reason": "…/ready: 503"}, "unseen": null,
        "responses": {"minutes": 5, "requests": 600, "failures": 72, "client_errors": 3},
        "alarms": [{"name": "…-prod-new-version-failures", "since": "…", "reason": "…"}],
        "deployment": "d-…",
        "outcome": {"ending": "rolled_back", "sentence": "…", "time": "…", "execution": "…"},
        "judge": {"deployment": "d-…", "version": "3", "evidence": 1.32, "line": 2.05,
          "verdict": "undecided", "incident": false, "outcome": "in progress",
          "sentence": "…"}}],
     "pipeline": {"name": "pithead", "execution": "…", "status": "InProgress", "commit": "…",
       "started": "…", "stages": [{"name": "prod", "status": "InProgress", "seconds": 12.5}]}}
    ```

    `endpoint` is null on AWS. `version`, `commit`, `weights`, `url`, `healthy`, `health` and
    `responses` are null if nothing is deployed, or if the account cannot be read; `unseen` then
    says why. `outcome` is null if no execution has ended; `pipeline.execution` and what follows it
    are null before the first execution. `deployment`, CodeDeploy's id of the newest traffic shift,
    is null before the first; `judge` is null if no judge has reported on that shift. `weights` are
    shares (0 to 1) by version. `responses` counts API Gateway's responses of `minutes` minutes:
    `failures` are those with status 5xx, `client_errors` those with 4xx. `alarms` are the
    environment's red alarms. `healthy` says whether `problems` is empty. `ending` is promoted,
    rolled_back, refused or error. Seconds and times are by the cloud's clock.
    """
    return {
        "schema": 1,
        "endpoint": os.environ.get("AWS_ENDPOINT_URL"),
        "time": now.isoformat(),
        "environments": [_environment(each) for each in status.environments],
        "pipeline": {"name": PIPELINE} | _execution(status.execution, now),
    }


def _responses(found: Responses) -> dict[str, Any]:
    until = found.until.isoformat() if found.until else None
    return {"minutes": WINDOW_MINUTES} | vars(found) | {"until": until}


def _environment(status: EnvironmentStatus) -> dict[str, Any]:
    serving, health, outcome = status.serving, status.health, status.outcome
    return {
        "name": status.name,
        "account": status.account,
        "region": status.region,
        "url": status.url,
        "version": serving.version if serving else None,
        "commit": serving.commit if serving else None,
        "weights": serving.weights if serving else None,
        "healthy": not status.problems if serving else None,
        "problems": list(status.problems),
        "health": vars(health) if health else None,
        "responses": _responses(status.responses) if status.responses else None,
        "alarms": [vars(each) | {"since": each.since.isoformat()} for each in status.alarms],
        "deployment": status.shift.deployment_id if status.shift else None,
        "unseen": status.unreadable or None,
        "outcome": {
            "ending": outcome.ending,
            "sentence": outcome.sentence,
            "time": outcome.when.isoformat(),
            "execution": outcome.execution,
        }
        if outcome
        else None,
        "judge": _judge(status.record) if status.record else None,
    }


def _judge(record: Record) -> dict[str, Any]:
    return {
        "deployment": record.deployment_id,
        "version": record.canary,
        "evidence": record.evidence[-1] if record.evidence else None,
        "line": line(record.parameters),
        "verdict": record.verdict,
        "incident": record.incident,
        "outcome": record.outcome,
        "sentence": record.sentence,
    }


def _execution(execution: Execution | None, now: datetime) -> dict[str, Any]:
    if execution is None:
        return dict.fromkeys(("execution", "status", "commit", "started", "stages"))
    return {
        "execution": execution.id,
        "status": execution.status,
        "commit": execution.commit,
        "started": execution.started.isoformat(),
        "stages": [
            {"name": each.name, "status": each.status, "seconds": each.seconds(now)}
            for each in execution.stages
        ],
    }
