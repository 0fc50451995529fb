"""HTTP requests, and the proxy events that Lambda functions receive."""

from __future__ import annotations

import base64
import json
import os
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from localcloud.apigateway.stage import Route, ServedStage

# Headers that the gateway drops: "Important notes for REST APIs" of the developer guide.
_DROPPED = frozenset(
    {
        "connection", "content-length", "content-md5", "expect", "max-forwards",
        "proxy-authenticate", "server", "te", "trailer", "transfer-encoding", "upgrade",
        "www-authenticate", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port",
        "x-forwarded-proto",
    }
)  # fmt: skip
_NO_IDENTITY = dict.fromkeys(
    (
        "cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "principalOrgId",
        "accessKey", "cognitoAuthenticationType", "cognitoAuthenticationProvider", "userArn",
        "user",
    )
)  # fmt: skip


@dataclass
class Request:
    """An HTTP request; `path` is the part after the stage, encoded as it was sent."""

    api_id: str
    stage: str
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    source: str
    """The client's address."""
    protocol: str
    at: float
    """Cloud time in seconds since the epoch."""
    started: float = field(default_factory=time.perf_counter)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    extended_id: str = field(default_factory=lambda: base64.b64encode(os.urandom(11)).decode())
    trace: str = ""
    integration_latency: int | None = None
    """In milliseconds; None until the integration has responded or failed."""

    @staticmethod
    def of(environ: dict[str, Any], at: float) -> Request:
        """Create a request from a WSGI environment, whose path is `/API/STAGE/…`."""
        target, _, query = environ["RAW_URI"].partition("?")
        if not target.startswith("/"):  # an absolute URL, as clients of a proxy send
            target = "/" + target.split("://", 1)[-1].partition("/")[2]
        parts = target.split("/", 3)
        request = Request(
            api_id=parts[1],
            stage=parts[2] if len(parts) > 2 else "",  # noqa: PLR2004  # "", API, stage, rest
            method=environ["REQUEST_METHOD"],
            path="/" + (parts[3] if len(parts) > 3 else ""),  # noqa: PLR2004  # API, stage and the rest
            query=query,
            headers=environ["localcloud.headers"],
            body=environ["wsgi.input"].read(),
            source=environ["REMOTE_ADDR"],
            protocol=environ["SERVER_PROTOCOL"],
            at=at,
        )
        request.trace = request.header("x-amzn-trace-id")
        if not request.trace.startswith("Root="):
            request.trace = f"Root=1-{int(at):08x}-{os.urandom(12).hex()}"
        return request

    def header(self, name: str) -> str:
        """Return the last value of a header by its lower-case name, or ""."""
        return next((value for sent, value in reversed(self.headers) if sent.lower() == name), "")

    @property
    def media_type(self) -> str:
        """The media type of the body; `application/json` if the client sent none."""
        return self.header("content-type").partition(";")[0].strip() or "application/json"

    @property
    def accepted(self) -> str:
        """The first media type of `Accept`; the gateway ignores the others."""
        return self.header("accept").partition(",")[0].partition(";")[0].strip()

    @property
    def request_time(self) -> str:
        """The time in the common log format."""
        return datetime.fromtimestamp(self.at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def proxy_event(
    request: Request, stage: ServedStage, route: Route, parameters: dict[str, str]
) -> bytes:
    """Return the event of a Lambda proxy integration, payload format 1.0, as JSON.

    A body without a binary media type is decoded as UTF-8. See "Input format of a Lambda function
    for proxy integration" of the developer guide.
    """
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name.lower() not in _DROPPED:
            headers.setdefault(name, []).append(value)
    forwarded = request.header("x-forwarded-for")
    headers["X-Amzn-Trace-Id"] = [request.trace]
    headers["X-Forwarded-For"] = [f"{forwarded}, {request.source}".removeprefix(", ")]
    headers["X-Forwarded-Port"] = ["443"]
    headers["X-Forwarded-Proto"] = ["https"]
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    encoded = bool(request.body) and stage.is_binary(request.media_type)
    body = base64.b64encode(request.body) if encoded else request.body
    event = {
        "resource": route.path,
        "path": request.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": parameters or None,
        "stageVariables": stage.variables,
        "requestContext": {
            "resourceId": route.resource_id,
            "resourcePath": route.path,
            "httpMethod": request.method,
            "extendedRequestId": request.extended_id,
            "requestTime": request.request_time,
            "path": f"/{stage.name}{request.path}",
            "accountId": stage.account,
            "protocol": request.protocol,
            "stage": stage.name,
            "domainPrefix": stage.api_id,
            "requestTimeEpoch": int(request.at * 1000),
            "requestId": request.id,
            "identity": _NO_IDENTITY
            | {"sourceIp": request.source, "userAgent": request.header("user-agent") or None},
            "domainName": stage.domain,
            "deploymentId": stage.deployment_id,
            "apiId": stage.api_id,
        },
        "body": body.decode(errors="replace") if body else None,
        "isBase64Encoded": encoded,
    }
    return json.dumps(event).encode()
