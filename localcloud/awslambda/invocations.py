"""Run one invocation on a worker, log it and count it."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.awslambda.fleet import InitError
from localcloud.awslambda.reporting import Report, begun, ended, initialised
from localcloud.awslambda.runtime_api import Call
from localcloud.awslambda.telemetry import log_target
from localcloud.awslambda.worker import OutOfMemoryError, WorkerEndedError, WorkerTimeoutError
from localcloud.core.ports import Invocation

if TYPE_CHECKING:
    from localcloud.awslambda.fleet import Fleet, Sandbox
    from localcloud.awslambda.model import Function, Version
    from localcloud.awslambda.telemetry import Telemetry
    from localcloud.core.clock import Clock

MAX_RESPONSE_BYTES = 6_291_556
"""The largest response ("Invocation payload" of "Lambda quotas", 6 MB)."""
_LOG_TAIL_BYTES = 4096
"""Bytes of the log tail in an answer."""


@dataclass(frozen=True)
class Request:
    """A resolved invocation."""

    function: Function
    version: Version
    qualifier: str
    payload: bytes
    id: str
    trace: str = ""
    client_context: str = ""

    @property
    def arn(self) -> str:
        """The ARN that was invoked."""
        return self.function.at(self.qualifier).arn


@dataclass(frozen=True)
class _Result:
    payload: bytes
    error: str = ""
    """Lambda's error type; "" for a response."""
    line: str = ""
    """The platform's line in the log."""
    status: str = "success"
    usable: bool = True
    """Whether the worker can run further invocations."""


class Invoker:
    """Runs invocations on the fleet's sandboxes."""

    def __init__(self, clock: Clock, fleet: Fleet, telemetry: Telemetry) -> None:
        self._clock = clock
        self._fleet = fleet
        self._telemetry = telemetry

    def run(self, request: Request) -> tuple[Invocation, float]:
        """Run an invocation; return the answer and the handler's duration in ms."""
        try:
            sandbox = self._fleet.acquire(request.function, request.version)
        except InitError as failure:
            return self._failed(request, failure), 0.0
        # Output of the initialisation comes before the invocation's lines.
        earlier = self._written(sandbox) if sandbox.init is not None else []
        start = self._clock.timestamp()
        began = time.perf_counter()
        result = self._result(request, sandbox)
        duration = 1000 * (time.perf_counter() - began)
        report = _report(request, sandbox, result, duration)
        lines = [*earlier, *begun(report, start), *self._written(sandbox)]
        answer = self._answer(request, sandbox, result, lines, report)
        if result.usable:
            self._fleet.release(sandbox)
        else:
            self._fleet.end(sandbox)
        return answer, duration

    def _result(self, request: Request, sandbox: Sandbox) -> _Result:
        timeout = request.version.configuration.timeout
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request.id,
            "Lambda-Runtime-Deadline-Ms": str(int(1000 * (time.time() + timeout))),
            "Lambda-Runtime-Invoked-Function-Arn": request.arn,
            "Lambda-Runtime-Trace-Id": request.trace or _trace(request.version),
        }
        if request.client_context:
            headers["Lambda-Runtime-Client-Context"] = request.client_context
        worker = sandbox.worker
        try:
            call = worker.invoke(headers, request.payload, timeout)
        except (WorkerEndedError, OutOfMemoryError, WorkerTimeoutError) as error:
            return self._died(request, error)
        failed = call.path.endswith("/error")
        if not failed and len(call.body) > MAX_RESPONSE_BYTES:
            worker.accept(too_large=True)
            message = (
                "Response payload size exceeded maximum allowed payload size "
                f"({MAX_RESPONSE_BYTES} bytes)."
            )
            error_type = "Function.ResponseSizeTooLarge"
            return _Result(_error(message, error_type), error_type, message, "error", usable=False)
        worker.accept()
        if failed:
            return _Result(call.body, call.error_type or "Unhandled", "", "error")
        return _Result(call.body)

    def _died(self, request: Request, error: Exception) -> _Result:
        if isinstance(error, WorkerTimeoutError):
            now = self._clock.now().isoformat(timespec="milliseconds")[:-6]
            message = (
                f"{now}Z {request.id} Task timed out after "
                f"{request.version.configuration.timeout:.2f} seconds"
            )
            payload = json.dumps({"errorMessage": message}).encode()
            return _Result(payload, "Sandbox.Timedout", message, "timeout", usable=False)
        if isinstance(error, OutOfMemoryError):
            cause, error_type = "Runtime exited with error: signal: killed", "Runtime.OutOfMemory"
        elif str(error):
            cause, error_type = f"Runtime exited with error: {error}", "Runtime.ExitError"
        else:
            cause, error_type = "Runtime exited without providing a reason", "Runtime.ExitError"
        message = f"RequestId: {request.id} Error: {cause}"
        # For a killed runtime, Lambda returns ExitError to the caller; only the report has the
        # reason.
        payload = _error(message, "Runtime.ExitError")
        return _Result(payload, error_type, f"{message}\nRuntime.ExitError", "error", usable=False)

    def _failed(self, request: Request, failure: InitError) -> Invocation:
        sandbox, cause = failure.sandbox, failure.cause
        if isinstance(cause, Call):
            result = _Result(cause.body, cause.error_type, "", "error", usable=False)
        else:
            result = self._died(request, cause)
        report = _report(request, sandbox, result, 0.0)
        now = self._clock.timestamp()
        lines = [*self._written(sandbox), *initialised(report, now), *begun(report, now)]
        answer = self._answer(request, sandbox, result, lines, report)
        self._fleet.end(sandbox)
        return answer

    def _answer(
        self,
        request: Request,
        sandbox: Sandbox,
        result: _Result,
        lines: list[tuple[float, str]],
        report: Report,
    ) -> Invocation:
        now = self._clock.timestamp()
        if result.line:
            lines.append((now, result.line))
        lines += ended(report, now)
        function, version = request.function, request.version
        self._telemetry.log(log_target(function, version, sandbox.stream), lines)
        tail = "".join(f"{text}\n" for _, text in lines).encode()[-_LOG_TAIL_BYTES:]
        error = "Unhandled" if result.error else None
        return Invocation(result.payload, error, version.number, tail)

    def _written(self, sandbox: Sandbox) -> list[tuple[float, str]]:
        clock = self._clock
        return [(clock.of_wall(at), text) for at, text in sandbox.worker.output()]


def _report(request: Request, sandbox: Sandbox, result: _Result, duration: float) -> Report:
    return Report(
        request.id,
        request.version,
        duration,
        sandbox.worker.memory(),
        sandbox.init,
        result.status,
        result.error,
    )


def _error(message: str, error_type: str) -> bytes:
    document: dict[str, Any] = {"errorMessage": message, "errorType": error_type}
    return json.dumps(document).encode()


def _trace(version: Version) -> str:
    """Return a new `X-Amzn-Trace-Id`, sampled if tracing is active."""
    sampled = int(version.configuration.tracing == "Active")
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled={sampled}"
