"""The Lambda entry point: `pipeline.journeys.handler.handler`, run by EventBridge.

It logs one line, which contains the journey and its metrics ("Specification: CloudWatch embedded
metric format"), so that its role needs no permission but to write the log.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from typing import Any

from pipeline.journeys.journey import run_confirmed_journey
from pipeline.names import SYNTHETIC_NAMESPACE

_url = os.environ["URL"]
_seconds = float(os.environ["SECONDS"])
_whose = {"service": os.environ["SERVICE"], "environment": os.environ["ENVIRONMENT"]}


def handler(_event: Any, _context: Any) -> None:
    """Run one journey and log the result."""
    came = time.time()
    journey = run_confirmed_journey(_url, _seconds)
    failure, unconfirmed = journey.failure, journey.unconfirmed
    units = {"Journeys": "Count", "FailedJourneys": "Count"}
    values = {"Journeys": 1, "FailedJourneys": int(failure is not None)}
    if failure is None and unconfirmed is None:  # a failed try ends early
        units["Latency"] = "Milliseconds"
        values["Latency"] = journey.milliseconds
    directive = {
        "Namespace": SYNTHETIC_NAMESPACE,
        "Dimensions": [list(_whose)],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
    }
    record: dict[str, Any] = {
        "_aws": {"Timestamp": int(came * 1000), "CloudWatchMetrics": [directive]},
        **_whose,
        **values,
        "level": "ERROR" if failure else "WARNING" if unconfirmed else "INFO",
        "steps": journey.steps,
    }
    if failure:
        record |= {"message": failure.sentence, "failure": asdict(failure)}
    elif unconfirmed:
        record |= {
            "message": f"{unconfirmed.sentence}; not in a second try",
            "unconfirmed": asdict(unconfirmed),
        }
    print(json.dumps(record, ensure_ascii=False))  # noqa: T201  # a Lambda logs so
