"""The telemetry of a request: one JSON line that is both log record and metrics.

The line follows the CloudWatch embedded metric format ("Specification: CloudWatch embedded metric
format"). Mangum turns an unhandled exception into an ordinary response, so Lambda's own `Errors`
never counts it; alarms use `Failures` of this line instead.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from service.app import tracing
from service.app.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from service.app.settings import Settings

NAMESPACE = "Pithead/Service"
WARM_UP_REQUESTS = 20
"""A sandbox's first requests, which are often slow: caches are empty and connections closed. They
come together with the sandbox, so they say nothing about the version (docs/judge.md)."""
_LEVELS = logging.getLevelNamesMapping()


class TelemetryMiddleware:
    """ASGI middleware: measures requests, handles exceptions, writes the line."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._level = _LEVELS[settings.log_level]
        self._served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and observe its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cold, warm_up = self._served == 0, self._served < WARM_UP_REQUESTS
        self._served += 1
        request_id = _request_id(scope)
        status = 0
        came, started = time.time(), time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                ]
                if cold:  # W3C "Server Timing": marks a cold start for clients
                    message["headers"].append((b"server-timing", b"cold"))
            await send(message)

        extra: dict[str, Any] = {"cold_start": cold}
        flags = {"ColdStarts": int(cold), "WarmUps": int(warm_up)}
        try:
            await self._app(scope, receive, watched)
        except Exception:  # noqa: BLE001  # the last resort: counted, logged, and answered without detail
            extra["exception"] = traceback.format_exc()
            if not status:
                answer = problem_response(
                    Request(scope),
                    HTTPStatus.INTERNAL_SERVER_ERROR,
                    "Something went wrong here; the request id leads to it.",
                )
                await answer(scope, receive, watched)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        milliseconds = (time.perf_counter() - started) * 1000
        self._write(scope, request_id, int(status), came, milliseconds, flags, extra)

    def _write(
        self,
        scope: Scope,
        request_id: str,
        status: int,
        came: float,
        milliseconds: float,
        flags: dict[str, int],
        extra: dict[str, Any],
    ) -> None:
        failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        level = "ERROR" if failed else "INFO"
        settings = self._settings
        record = {
            "_aws": {
                # The time of arrival, as Lambda dates an invocation, whatever its duration.
                "Timestamp": int(came * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        # Also over all versions: a fault that they share is no version's own.
                        "Dimensions": [
                            ["service", "environment", "version"],
                            ["service", "environment"],
                        ],
                        "Metrics": [
                            {"Name": "Requests", "Unit": "Count"},
                            {"Name": "Failures", "Unit": "Count"},
                            {"Name": "ClientErrors", "Unit": "Count"},
                            {"Name": "SlowRequests", "Unit": "Count"},
                            {"Name": "ColdStarts", "Unit": "Count"},
                            {"Name": "WarmUps", "Unit": "Count"},
                            {"Name": "Latency", "Unit": "Milliseconds"},
                        ],
                    }
                ],
            },
            "service": settings.service_name,
            "environment": settings.environment,
            "version": settings.aws_lambda_function_version,
            "Requests": 1,
            "Failures": int(failed),
            "ClientErrors": int(
                HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
            ),
            "SlowRequests": int(
                milliseconds > settings.latency_objective_ms and not flags["WarmUps"]
            ),
            **flags,
            "Latency": round(milliseconds, 3),
            "level": level,
            "method": scope["method"],
            "route": getattr(scope.get("route"), "path", "unmatched"),
            "status": status,
            "request_id": request_id,
            "trace_id": tracing.trace_id(),
        }
        if _LEVELS[level] < self._level:
            # The metrics are written at any log level; the log record beside them is not.
            said = {"level", "method", "route", "status", "request_id", "trace_id"}
            record = {name: value for name, value in record.items() if name not in said}
            extra = {}
        sys.stdout.write(json.dumps(record | extra, separators=(",", ":")) + "\n")
        sys.stdout.flush()


def _request_id(scope: Scope) -> str:
    context = scope.get("aws.context")
    return getattr(context, "aws_request_id", None) or str(uuid.uuid4())
