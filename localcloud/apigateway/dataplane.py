"""The WSGI application that serves deployed REST APIs at `/API/STAGE/…`."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from localcloud.apigateway.quotas import headers_too_large
from localcloud.apigateway.request import Request, proxy_event
from localcloud.apigateway.response import GatewayError, HttpResponse, parse_proxy_response
from localcloud.apigateway.telemetry import Observation
from localcloud.core.ports import InvocationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.apigateway.stage import FunctionTarget, Route, ServedStage
    from localcloud.apigateway.telemetry import Telemetry
    from localcloud.core.clock import Clock
    from localcloud.core.function_ports import FunctionInvoker
    from localcloud.core.ports import Invocation

_MAX_BODY_BYTES = 10 * 1024 * 1024  # bytes
_MAX_LOG_LINE_CHARACTERS = 1024  # characters of an execution log's event
_MAX_CONCURRENT_INVOCATIONS = 256  # invocations; more wait for one to end
_BODILESS = frozenset({204, 304})
_TOO_LARGE = frozenset({"RequestTooLargeException", "RequestEntityTooLargeException"})
_THROTTLED = "TooManyRequestsException"
_THROTTLED_LOG_LINE = "Lambda invocation failed with status: 429. Lambda request id: {}"
"""The execution log's line before the line with the reason, "Rate Exceeded."."""
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class DataPlane:
    """Serves requests; `stage` returns a stage by API id and name, or None."""

    def __init__(
        self,
        clock: Clock,
        functions: FunctionInvoker,
        stage: Callable[[str, str], ServedStage | None],
        telemetry: Telemetry,
    ) -> None:
        self._clock = clock
        self._functions = functions
        self._stage = stage
        self._telemetry = telemetry
        # An invocation runs in its own thread, so that it can time out.
        self._invocations = ThreadPoolExecutor(
            _MAX_CONCURRENT_INVOCATIONS, thread_name_prefix="gateway"
        )

    def stop(self) -> None:
        """Start no further invocations."""
        self._invocations.shutdown(wait=False, cancel_futures=True)

    def application(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve one request, as a WSGI application."""
        request = Request.of(environ, self._clock.timestamp())
        stage = self._stage(request.api_id, request.stage)
        if stage is None or stage.disabled:
            answer = GatewayError(403, "Forbidden", "ForbiddenException").answer()
        else:
            answer = self._serve(request, stage)
        body = b"" if answer.status in _BODILESS else answer.body
        headers = [
            *answer.headers,
            ("x-amzn-RequestId", request.id),
            ("x-amz-apigw-id", request.extended_id),
        ]
        if request.method == "HEAD":
            headers.append(("Content-Length", str(len(body))))
        start_response(f"{answer.status} {_PHRASES.get(answer.status, '')}", headers)
        return [body]

    def _serve(self, request: Request, stage: ServedStage) -> HttpResponse:
        route, parameters = stage.routes.match(request.method, request.path) or (None, {})
        fault: GatewayError | None = None
        try:
            admitted = self._check_request(request, route)
            answer = self._integrate(request, stage, admitted, parameters)
        except GatewayError as error:
            fault = error
            answer = error.answer()
        self._record_request(request, stage, route, answer, fault)
        return answer

    @staticmethod
    def _check_request(request: Request, route: Route | None) -> Route:
        if route is None:
            raise GatewayError(
                403, "Missing Authentication Token", "MissingAuthenticationTokenException"
            )
        if not route.bucket.take(request.at):
            raise GatewayError(429, "Too Many Requests", "TooManyRequestsException")
        line = f"{request.method} {request.path}?{request.query} {request.protocol}"
        if headers_too_large(line, (value for _, value in request.headers)):
            raise GatewayError(431, "Request Header Fields Too Large", "RequestTooLargeException")
        if len(request.body) > _MAX_BODY_BYTES:
            raise GatewayError(413, "Request Too Long", "RequestTooLargeException")
        return route

    def _integrate(
        self, request: Request, stage: ServedStage, route: Route, parameters: dict[str, str]
    ) -> HttpResponse:
        started = time.perf_counter()
        try:
            if route.mock is not None:
                if route.mock.status is None:
                    raise _failed("Execution failed: no integration response for the mock's status")
                headers, body = route.mock.answer(dict(request.headers))
                return HttpResponse(route.mock.status, list(headers.items()), body)
            assert route.function is not None  # noqa: S101  # a route has a mock or a function
            invocation = self._invoke(request, stage, route, route.function, parameters)
        finally:
            request.integration_latency = _milliseconds(started)
        if route.logging == "INFO" and route.trace_data:
            text = invocation.payload.decode(errors="replace")
            self._log(request, stage, f"Endpoint response body: {text}")
        if invocation.error is not None:
            raise GatewayError(
                502,
                "Internal server error",
                "InternalServerErrorException",
                f"Lambda execution failed with status 200 due to customer function error: "
                f"{invocation.payload.decode(errors='replace')}",
            )
        answer = parse_proxy_response(
            invocation.payload, decodes=lambda: stage.is_binary(request.accepted)
        )
        answer.headers.append(("X-Amzn-Trace-Id", _trace(request, stage)))
        return answer

    def _invoke(
        self,
        request: Request,
        stage: ServedStage,
        route: Route,
        function: FunctionTarget,
        parameters: dict[str, str],
    ) -> Invocation:
        functions = self._functions
        source = (
            f"arn:aws:execute-api:{stage.region}:{stage.account}:{stage.api_id}/{stage.name}/"
            f"{request.method}{request.path}"
        )
        try:
            allowed = functions.allows(
                function.account,
                function.region,
                function.arn,
                function.qualifier,
                principal="apigateway.amazonaws.com",
                source_arn=source,
            )
        except InvocationError as error:
            raise _rejected(error) from error
        if not allowed:
            raise _failed(
                "Execution failed due to configuration error: Invalid permissions on Lambda "
                f"function: no statement allows {source} to invoke {function.arn}"
            )
        event = proxy_event(request, stage, route, parameters)
        if route.logging == "INFO" and route.trace_data:
            self._log(request, stage, f"Endpoint request body: {event.decode()}")
        future = self._invocations.submit(
            functions.invoke,
            function.account,
            function.region,
            function.arn,
            function.qualifier,
            event,
            trace=_trace(request, stage),
        )
        try:
            invocation: Invocation = future.result(function.timeout)
        except TimeoutError as error:
            raise GatewayError(
                504,
                "Endpoint request timed out",
                "InternalServerErrorException",
                "Execution failed due to a timeout error",
            ) from error
        except InvocationError as error:
            if error.code == _THROTTLED and route.logging != "OFF":
                self._log(request, stage, _THROTTLED_LOG_LINE.format(uuid.uuid4()))
            raise _rejected(error) from error
        return invocation

    def _record_request(
        self,
        request: Request,
        stage: ServedStage,
        route: Route | None,
        answer: HttpResponse,
        fault: GatewayError | None,
    ) -> None:
        latency = _milliseconds(request.started)
        logging = route.logging if route else stage.logging
        if logging == "INFO" or (logging == "ERROR" and fault is not None):
            if fault is not None:
                self._log(request, stage, str(fault))
            self._log(request, stage, f"Method completed with status: {answer.status}")
        if stage.access_log is not None:
            context = _context(request, stage, route, answer, fault, latency)
            self._telemetry.log(
                stage, stage.access_log_group, request.at, stage.access_log.line(context)
            )
        self._telemetry.observe(
            Observation(
                stage,
                route,
                request.method,
                request.at,
                answer.status,
                latency,
                request.integration_latency,
            )
        )

    def _log(self, request: Request, stage: ServedStage, text: str) -> None:
        line = f"({request.id}) {text}"[:_MAX_LOG_LINE_CHARACTERS]
        self._telemetry.log(stage, stage.log_group, request.at, line)


def _rejected(error: InvocationError) -> GatewayError:
    """Return the response to an invocation that Lambda rejected.

    Its status is 500, also for throttling (Lambda guide), 502 if the function or alias does not
    exist (azul#7883), and 413 if the request is too large.
    """
    if error.code in _TOO_LARGE:
        return GatewayError(413, "Request Too Long", "RequestTooLargeException")
    if error.code == "ResourceNotFoundException":
        reason = f"Execution failed due to configuration error: {error}"
        return GatewayError(502, "Internal server error", "InternalServerErrorException", reason)
    code = "" if error.code == _THROTTLED else f"{error.code}: "
    return _failed(f"Execution failed due to configuration error: {code}{error}")


def _failed(reason: str) -> GatewayError:
    return GatewayError(500, "Internal server error", "InternalServerErrorException", reason)


def _milliseconds(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def _trace(request: Request, stage: ServedStage) -> str:
    if "Sampled=" in request.trace:
        return request.trace
    return f"{request.trace};Sampled={int(stage.tracing)}"


def _context(
    request: Request,
    stage: ServedStage,
    route: Route | None,
    answer: HttpResponse,
    fault: GatewayError | None,
    latency: int,
) -> dict[str, object]:
    return {
        "accountId": stage.account,
        "apiId": stage.api_id,
        "deploymentId": stage.deployment_id,
        "domainName": stage.domain,
        "domainPrefix": stage.api_id,
        "error.message": fault.message if fault else None,
        "error.messageString": f'"{fault.message}"' if fault else None,
        "extendedRequestId": request.extended_id,
        "httpMethod": request.method,
        "identity.sourceIp": request.source,
        "identity.userAgent": request.header("user-agent") or None,
        "integration.error": str(fault) if fault else None,
        "integration.latency": request.integration_latency,
        "integrationErrorMessage": str(fault) if fault else None,
        "integrationLatency": request.integration_latency,
        "path": f"/{stage.name}{request.path}",
        "protocol": request.protocol,
        "requestId": request.id,
        "requestTime": request.request_time,
        "requestTimeEpoch": int(request.at * 1000),
        "resourceId": route.resource_id if route else None,
        "resourcePath": route.path if route else None,
        "responseLatency": latency,
        "responseLength": len(answer.body),
        "stage": stage.name,
        "status": answer.status,
        "xrayTraceId": request.trace.partition(";")[0].removeprefix("Root="),
    }
