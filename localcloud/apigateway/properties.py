"""Conversion of CloudFormation's properties to the shapes of the API Gateway API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.apigateway.stage import settings_key

if TYPE_CHECKING:
    from collections.abc import Callable

    Properties = dict[str, Any]

_FLAGS = {"MetricsEnabled", "DataTraceEnabled", "CachingEnabled", "CacheDataEncrypted"}
_NUMBERS: dict[str, Callable[[Any], float]] = {
    "ThrottlingBurstLimit": int,
    "ThrottlingRateLimit": float,
    "CacheTtlInSeconds": int,
}


def method(properties: Properties) -> dict[str, Any]:
    """Return a method with its integration, as `GetMethod` does."""
    integration = properties.get("Integration") or {}
    method = _lowered(properties, "RestApiId", "ResourceId", "Integration", "MethodResponses")
    method["apiKeyRequired"] = flag(properties.get("ApiKeyRequired"))
    method["methodResponses"] = {
        str(each["StatusCode"]): _lowered(each) for each in properties.get("MethodResponses") or []
    }
    if integration:
        described = _lowered(integration, "IntegrationHttpMethod", "IntegrationResponses")
        described["httpMethod"] = integration.get("IntegrationHttpMethod")
        described["integrationResponses"] = {
            str(each["StatusCode"]): _lowered(each)
            for each in integration.get("IntegrationResponses") or []
        }
        method["methodIntegration"] = described
    return method


def method_settings(listed: list[Properties]) -> dict[str, dict[str, Any]]:
    """Return method settings by the API's keys: `*/*`, or the path with `~1` for `/`."""
    found: dict[str, dict[str, Any]] = {}
    for each in listed:
        path = each.get("ResourcePath", "/*").removeprefix("/").replace("~1", "/") or "/"
        settings = _lowered(each, "ResourcePath", "HttpMethod")
        for name in each:
            lowered = name[0].lower() + name[1:]
            if name in _FLAGS:
                settings[lowered] = flag(each[name])
            elif name in _NUMBERS:
                settings[lowered] = _NUMBERS[name](each[name])
        found[settings_key(path, each.get("HttpMethod", "*"))] = settings
    return found


def _lowered(properties: Properties, *without: str) -> dict[str, Any]:
    return {
        name[0].lower() + name[1:]: value
        for name, value in properties.items()
        if name not in without
    }


def flag(value: Any) -> bool:
    """Convert a boolean, which a template may write as text."""
    return str(value).lower() == "true"
