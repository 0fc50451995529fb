"""Served stages: a deployment's routes, the stage's settings, token buckets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.apigateway.access_log import AccessLogFormat
from localcloud.apigateway.checks import FUNCTION_URI
from localcloud.apigateway.mock import Mock
from localcloud.apigateway.routing import RouteTable
from localcloud.apigateway.throttle import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Mapping

# The account's quota: the throttling limits of a method without its own settings.
_DEFAULT_RATE_LIMIT, _DEFAULT_BURST_LIMIT = 10_000.0, 5_000.0


@dataclass(frozen=True)
class FunctionTarget:
    """The Lambda function that an integration invokes; the timeout is in seconds."""

    account: str
    region: str
    arn: str
    qualifier: str | None
    timeout: float


@dataclass(frozen=True)
class Route:
    """A method of a deployed resource; exactly one of `function` and `mock` is set."""

    resource_id: str
    path: str
    method: str
    function: FunctionTarget | None
    mock: Mock | None
    bucket: TokenBucket
    detailed: bool
    """Whether its metrics also have the dimensions Resource and Method."""
    logging: str
    """The level of its execution log: OFF, ERROR or INFO."""
    trace_data: bool


class ServedStage:
    """A stage prepared for serving requests.

    `api` and `stage` are in the API's shapes, `snapshot` is that of `Deployments`.
    """

    def __init__(
        self,
        account: str,
        region: str,
        api: Mapping[str, Any],
        stage: Mapping[str, Any],
        snapshot: Mapping[str, Any],
        now: float,
    ) -> None:
        self.account = account
        self.region = region
        self.api_id: str = api["id"]
        self.api_name: str = api["name"]
        self.name: str = stage["stageName"]
        self.deployment_id: str = stage["deploymentId"]
        self.disabled = bool(api.get("disableExecuteApiEndpoint"))
        self.variables: dict[str, str] | None = stage.get("variables") or None
        self.tracing = bool(stage.get("tracingEnabled"))
        self.binary: frozenset[str] = frozenset(snapshot["binaryMediaTypes"])
        self.domain = f"{self.api_id}.execute-api.{region}.amazonaws.com"
        settings = stage.get("methodSettings") or {}
        self.routes: RouteTable[Route] = RouteTable(
            (each["path"], each["method"], _route(each, settings, now))
            for each in snapshot["methods"]
        )
        every = settings.get("*/*") or {}
        self.logging: str = every.get("loggingLevel") or "OFF"
        self.log_group = f"API-Gateway-Execution-Logs_{self.api_id}/{self.name}"
        self.log_stream = hashlib.sha256(self.log_group.encode()).hexdigest()[:32]
        access = stage.get("accessLogSettings") or {}
        destination = (access.get("destinationArn") or "").removesuffix(":*")
        self.access_log_group = destination.split(":log-group:")[-1]
        self.access_log = AccessLogFormat(access["format"]) if destination else None

    def is_binary(self, media_type: str) -> bool:
        """Whether a media type is one of the API's binary media types.

        `*/*` matches every media type; other patterns are compared literally, as on AWS.
        """
        return "*/*" in self.binary or media_type in self.binary


def settings_key(path: str, method: str) -> str:
    """Return the key of a method's settings; the path is a resource's path or `*`."""
    return f"{path.replace('/', '~1')}/{method}"


def _route(described: Mapping[str, Any], settings: Mapping[str, Any], now: float) -> Route:
    path, method, integration = described["path"], described["method"], described["integration"]
    own: Mapping[str, Any] = next(
        (
            settings[key]
            for key in (settings_key(path, method), settings_key(path, "*"), "*/*")
            if key in settings
        ),
        {},
    )
    function = FUNCTION_URI.fullmatch(integration.get("uri") or "")
    return Route(
        resource_id=described["resource"],
        path=path,
        method=method,
        function=FunctionTarget(
            function["account"],
            function["region"],
            function["arn"],
            function["qualifier"],
            int(integration.get("timeoutInMillis") or 29_000) / 1000,
        )
        if function
        else None,
        mock=None if function else Mock(integration),
        bucket=TokenBucket(
            float(own.get("throttlingRateLimit", _DEFAULT_RATE_LIMIT)),
            float(own.get("throttlingBurstLimit", _DEFAULT_BURST_LIMIT)),
            now,
        ),
        detailed=bool(own.get("metricsEnabled")),
        logging=own.get("loggingLevel") or "OFF",
        trace_data=bool(own.get("dataTraceEnabled")),
    )
