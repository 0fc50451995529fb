"""What the platform asks a service to count: one line a request, in embedded metric format."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

_DIMENSIONS = {
    "service": os.environ.get("SERVICE_NAME", "squares"),
    "environment": os.environ.get("ENVIRONMENT", "local"),
    "version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "0"),
}
_OBJECTIVE_MS = float(os.environ.get("LATENCY_OBJECTIVE_MS", "1000"))
_SERVER_ERROR = 500
_CLIENT_ERROR = 400


class Observed:
    """ASGI middleware that counts requests."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._cold = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on and count its answer."""
        cold, self._cold = self._cold, False
        status = _SERVER_ERROR
        came, started = time.time(), time.perf_counter()

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if cold:
                    message["headers"] = [*message["headers"], (b"server-timing", b"cold")]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            _write(status, came, (time.perf_counter() - started) * 1000, cold=cold)


def _write(status: int, came: float, milliseconds: float, *, cold: bool) -> None:
    values = {
        "Requests": 1,
        "Failures": int(status >= _SERVER_ERROR),
        "ClientErrors": int(_CLIENT_ERROR <= status < _SERVER_ERROR),
        "SlowRequests": int(milliseconds > _OBJECTIVE_MS and not cold),
        "ColdStarts": int(cold),
        "Latency": round(milliseconds, 3),
    }
    units = dict.fromkeys(values, "Count") | {"Latency": "Milliseconds"}
    directive = {
        "Namespace": "Pithead/Service",
        "Dimensions": [list(_DIMENSIONS), ["service", "environment"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
    }
    about = {"Timestamp": int(came * 1000), "CloudWatchMetrics": [directive]}
    sys.stdout.write(json.dumps({"_aws": about, **_DIMENSIONS, **values, "status": status}) + "\n")
    sys.stdout.flush()
