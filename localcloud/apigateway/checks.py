"""Checks for parts of REST APIs that the local cloud does not support.

They run when an API is created or changed, not when it is called. All shapes are those of the API
Gateway API (`PutMethod`, `CreateStage` and so on).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.apigateway.mock import MockTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping

FUNCTION_URI = re.compile(
    r"arn:aws:apigateway:[a-z0-9-]+:lambda:path/2015-03-31/functions/"
    r"(?P<arn>arn:aws:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:[\w-]+)"
    r"(?::(?P<qualifier>[\w$-]+))?/invocations"
)
_MAX_TIMEOUT_MILLISECONDS = 29_000  # milliseconds; a longer timeout is a raised quota on AWS


class RejectedError(Exception):
    """An API has an unsupported part, or AWS rejects it; the message names the part."""


def check_api(api: Mapping[str, Any]) -> None:
    """Reject settings of an API that the data plane would ignore.

    Raises:
        RefusedError: the API has such a setting.
    """
    _reject_any(api, "RestApi", "policy", "minimumCompressionSize", "cloneFrom")
    if api.get("apiKeySource", "HEADER") != "HEADER":
        raise RejectedError("RestApi: apiKeySource AUTHORIZER is not part of the local cloud")
    if "PRIVATE" in ((api.get("endpointConfiguration") or {}).get("types") or []):
        raise RejectedError(
            "RestApi: a PRIVATE endpoint is not part of the local cloud; use REGIONAL or EDGE"
        )


def check_method(path: str, method: Mapping[str, Any]) -> None:
    """Reject settings of a method or its integration that the data plane would ignore.

    Raises:
        RefusedError: the method has such a setting.
    """
    name = f"Method {method['httpMethod']} {path}"
    authorization = method.get("authorizationType") or "NONE"
    if authorization != "NONE":
        raise RejectedError(
            f"{name}: authorizationType {authorization} is not part of the local cloud; use NONE"
        )
    _reject_any(
        method,
        name,
        "apiKeyRequired",
        "authorizerId",
        "authorizationScopes",
        "requestValidatorId",
    )
    integration = method.get("methodIntegration")
    if not integration:
        raise RejectedError(f"{name}: No integration defined for method")
    _reject_any(
        integration,
        name,
        "credentials",
        "requestParameters",
        "contentHandling",
        "cacheKeyParameters",
        "tlsConfig",
    )
    if (integration.get("connectionType") or "INTERNET") != "INTERNET":
        raise RejectedError(f"{name}: a VPC_LINK integration is not part of the local cloud")
    if (integration.get("responseTransferMode") or "BUFFERED") != "BUFFERED":
        raise RejectedError(f"{name}: responseTransferMode STREAM is not part of the local cloud")
    if integration["type"] == "AWS_PROXY":
        _check_function(name, integration)
    elif integration["type"] == "MOCK":
        _check_mock(name, integration)
    else:
        raise RejectedError(
            f"{name}: integration type {integration['type']} is not part of the local cloud; "
            "use AWS_PROXY with a Lambda function, or MOCK"
        )


def check_stage(stage: Mapping[str, Any]) -> None:
    """Reject settings of a stage that the data plane would ignore.

    Raises:
        RefusedError: the stage has such a setting.
    """
    name = f"Stage {stage['stageName']}"
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", stage["stageName"]):
        raise RejectedError(f"{name}: Stage name only allows a-zA-Z0-9_-")
    _reject_any(
        stage,
        name,
        "canarySettings",
        "cacheClusterEnabled",
        "clientCertificateId",
        "documentationVersion",
    )
    for key, settings in (stage.get("methodSettings") or {}).items():
        if settings.get("cachingEnabled"):
            raise RejectedError(f"{name}: cachingEnabled of {key} is not part of the local cloud")
    destination = (stage.get("accessLogSettings") or {}).get("destinationArn", "")
    if destination and ":logs:" not in destination:
        raise RejectedError(
            f"{name}: access logs to {destination} are not part of the local cloud; "
            "use the ARN of a log group"
        )


def _check_function(name: str, integration: Mapping[str, Any]) -> None:
    if not FUNCTION_URI.fullmatch(integration.get("uri") or ""):
        raise RejectedError(
            f"{name}: the integration's uri is {integration.get('uri')!r}; the local cloud "
            "invokes arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations"
        )
    if integration.get("httpMethod") != "POST":
        raise RejectedError(f"{name}: a Lambda integration requires httpMethod POST")
    timeout = int(integration.get("timeoutInMillis") or _MAX_TIMEOUT_MILLISECONDS)
    if not 50 <= timeout <= _MAX_TIMEOUT_MILLISECONDS:  # noqa: PLR2004  # AWS's own minimum
        raise RejectedError(
            f"{name}: Timeout should be between 50 ms and {_MAX_TIMEOUT_MILLISECONDS} ms"
        )


def _check_mock(name: str, integration: Mapping[str, Any]) -> None:
    responses = integration.get("integrationResponses") or {}
    for response in responses.values():
        _reject_any(response, name, "contentHandling", "selectionPattern")
        for parameter, value in (response.get("responseParameters") or {}).items():
            if not re.fullmatch(r"method\.response\.header\.[\w-]+", parameter) or not (
                re.fullmatch(r"'[^']*'", value)
            ):
                raise RejectedError(
                    f"{name}: response parameter {parameter} = {value} is not part of the local "
                    "cloud; map a header to a 'quoted constant'"
                )
        for template in (response.get("responseTemplates") or {}).values():
            try:
                MockTemplate(template or "")
            except ValueError as error:
                raise RejectedError(f"{name}: {error}") from error


def _reject_any(document: Mapping[str, Any], name: str, *keys: str) -> None:
    for key in keys:
        if document.get(key):
            raise RejectedError(f"{name}: {key} is not part of the local cloud")
