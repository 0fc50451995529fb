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
    from localcloud.awslambda.fleet import Environment, Fleet
    from localcloud.awslambda.model import Function, Version
    from localcloud.awslambda.telemetry import Telemetry
    from localcloud.core.clock import Clock

RESPONSE_BYTES = 6_291_556
"""The largest response ("Invocation payload" of "Lambda quotas", 6 MB)."""
_TAIL = 4096
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
class _Outcome:
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
            environment = self._fleet.acquire(request.function, request.version)
        except InitError as failure:
            return self._failed(request, failure), 0.0
        # Output of the initialisation comes before the invocation's lines.
        earlier = self._written(environment) if environment.init is not None else []
        start = self._clock.timestamp()
        began = time.perf_counter()
        outcome = self._outcome(request, environment)
        duration = 1000 * (time.perf_counter() - began)
        report = _report(request, environment, outcome, duration)
        lines = [*earlier, *begun(report, start), *self._written(environment)]
        answer = self._answer(request, environment, outcome, lines, report)
        if outcome.usable:
            self._fleet.release(environment)
        else:
            self._fleet.end(environment)
        return answer, duration

    def _outcome(self, request: Request, environment: Environment) -> _Outcome:
        timeout = request.version.configuration.timeout
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request.id,
            "Lambda-Runtime-Deadline-Ms": str(int(1000 * (time.time() + timeout))),
            "Lambda-Runtime-Invoked-Function-Arn": request.arn,
            "Lambda-Runtime-Trace-Id": request.trace or _trace(request.version),
        }
        if request.client_context:
            headers["Lambda-Runtime-Client-Context"] = request.client_context
        worker = environment.worker
        try:
            call = worker.invoke(headers, request.payload, timeout)
        except (WorkerEndedError, OutOfMemoryError, WorkerTimeoutError) as error:
            return self._died(request, error)
        failed = call.path.endswith("/error")
        if not failed and len(call.body) > RESPONSE_BYTES:
            worker.accept(too_large=True)
            message = (
                "Response payload size exceeded maximum allowed payload size "
                f"({RESPONSE_BYTES} bytes)."
            )
            error_type = "Function.ResponseSizeTooLarge"
            return _Outcome(_error(message, error_type), error_type, message, "error", usable=False)
        worker.accept()
        if failed:
            return _Outcome(call.body, call.error_type or "Unhandled", "", "error")
        return _Outcome(call.body)

    def _died(self, request: Request, error: Exception) -> _Outcome:
        if isinstance(error, WorkerTimeoutError):
            now = self._clock.now().isoformat(timespec="milliseconds")[:-6]
            message = (
                f"{now}Z {request.id} Task timed out after "
                f"{request.version.configuration.timeout:.2f} seconds"
            )
            payload = json.dumps({"errorMessage": message}).encode()
            return _Outcome(payload, "Sandbox.Timedout", message, "timeout", usable=False)
        if isinstance(error, OutOfMemoryError):
            told, error_type = "Runtime exited with error: signal: killed", "Runtime.OutOfMemory"
        elif str(error):
            told, error_type = f"Runtime exited with error: {error}", "Runtime.ExitError"
        else:
            told, error_type = "Runtime exited without providing a reason", "Runtime.ExitError"
        message = f"RequestId: {request.id} Error: {told}"
        # For a killed runtime, Lambda returns ExitError to the caller; only the report has the
        # reason.
        payload = _error(message, "Runtime.ExitError")
        return _Outcome(payload, error_type, f"{message}\nRuntime.ExitError", "error", usable=False)

    def _failed(self, request: Request, failure: InitError) -> Invocation:
        environment, cause = failure.environment, failure.cause
        if isinstance(cause, Call):
            outcome = _Outcome(cause.body, cause.error_type, "", "error", usable=False)
        else:
            outcome = self._died(request, cause)
        report = _report(request, environment, outcome, 0.0)
        now = self._clock.timestamp()
        lines = [*self._written(environment), *initialised(report, now), *begun(report, now)]
        answer = self._answer(request, environment, outcome, lines, report)
        self._fleet.end(environment)
        return answer

    def _answer(
        self,
        request: Request,
        environment: Environment,
        outcome: _Outcome,
        lines: list[tuple[float, str]],
        report: Report,
    ) -> Invocation:
        now = self._clock.timestamp()
        if outcome.line:
            lines.append((now, outcome.line))
        lines += ended(report, now)
        function, version = request.function, request.version
        self._telemetry.log(log_target(function, version, environment.stream), lines)
        tail = "".join(f"{text}\n" for _, text in lines).encode()[-_TAIL:]
        error = "Unhandled" if outcome.error else None
        return Invocation(outcome.payload, error, version.number, tail)

    def _written(self, environment: Environment) -> list[tuple[float, str]]:
        clock = self._clock
        return [(clock.of_wall(at), text) for at, text in environment.worker.output()]


def _report(
    request: Request, environment: Environment, outcome: _Outcome, duration: float
) -> Report:
    return Report(
        request.id,
        request.version,
        duration,
        environment.worker.memory(),
        environment.init,
        outcome.status,
        outcome.error,
    )


def _error(message: str, error_type: str) -> bytes:
    document: dict[str, Any] = {"errorMessage": message, "errorType": error_type}
    return json.dumps(document).encode()


def _trace(version: Version) -> str:
    """Return a new `X-Amzn-Trace-Id`, sampled if tracing is active."""
    sampled = int(version.configuration.tracing == "Active")
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled={sampled}"
