"""Lambda's own lines in a function's log, as text or as JSON.

Sources: "Working with Lambda function logs" for the text, "Lambda Telemetry API event schema" for
the JSON.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.awslambda.model import Version

_Lines = list[tuple[float, str]]


@dataclass(frozen=True)
class Report:
    """The report of one invocation."""

    request_id: str
    version: Version
    duration: float
    """Milliseconds."""
    memory: int
    """The maximum memory used, in MB."""
    init: float | None
    """Milliseconds of initialisation; None if the sandbox was warm."""
    status: str
    """`success`, `error` or `timeout`."""
    error_type: str

    @property
    def billed(self) -> int:
        """Billed milliseconds, rounded up."""
        return math.ceil(self.duration + (self.init or 0.0))


def initialised(report: Report, at: float) -> _Lines:
    """Return the lines of a failed initialisation."""
    if report.init is None:
        return []
    if _is_json(report):
        record = {
            "initializationType": "on-demand",
            "phase": "init",
            "status": report.status,
            "errorType": report.error_type,
            "metrics": {"durationMs": round(report.init, 3)},
        }
        return _event(report, at, "platform.initReport", record)
    return [
        (
            at,
            f"INIT_REPORT Init Duration: {report.init:.2f} ms\tPhase: init\t"
            f"Status: {report.status}\tError Type: {report.error_type}",
        )
    ]


def begun(report: Report, at: float) -> _Lines:
    """Return the lines before the function's own lines."""
    number = report.version.number
    if _is_json(report):
        record = {"requestId": report.request_id, "version": number}
        return _event(report, at, "platform.start", record)
    return [(at, f"START RequestId: {report.request_id} Version: {number}")]


def ended(report: Report, at: float) -> _Lines:
    """Return the lines after the function's own lines."""
    size = report.version.configuration.memory
    used = min(report.memory, size)
    if _is_json(report):
        metrics = {
            "durationMs": round(report.duration, 3),
            "billedDurationMs": report.billed,
            "memorySizeMB": size,
            "maxMemoryUsedMB": used,
        }
        if report.init is not None:
            metrics["initDurationMs"] = round(report.init, 3)
        record = {"requestId": report.request_id, "metrics": metrics, "status": report.status}
        if report.error_type:
            record["errorType"] = report.error_type
        return _event(report, at, "platform.report", record)
    parts = [
        f"REPORT RequestId: {report.request_id}",
        f"Duration: {report.duration:.2f} ms",
        f"Billed Duration: {report.billed} ms",
        f"Memory Size: {size} MB",
        f"Max Memory Used: {used} MB",
    ]
    if report.init is not None:
        parts.append(f"Init Duration: {report.init:.2f} ms")
    if report.status != "success":
        parts.append(f"Status: {report.status}")
    if report.status == "error":
        parts.append(f"Error Type: {report.error_type}")
    return [(at, f"END RequestId: {report.request_id}"), (at, "\t".join(parts))]


def _is_json(report: Report) -> bool:
    return report.version.configuration.log_format == "JSON"


def _event(report: Report, at: float, kind: str, record: dict[str, Any]) -> _Lines:
    if report.version.configuration.system_log_level == "WARN" and report.status == "success":
        return []
    time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    return [(at, json.dumps({"time": time, "type": kind, "record": record}))]
