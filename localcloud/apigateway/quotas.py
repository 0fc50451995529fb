"""Quotas of REST APIs.

Sources: "Quotas for configuring and running a REST API in API Gateway" of the developer guide;
AWS's error texts are quoted in boto/boto3#1296 and Miserlou/Zappa#628.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.apigateway.checks import RejectedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localcloud.core.quotas import Quotas

_MAX_STAGE_VARIABLES = 100
_MAX_VARIABLE_CHARACTERS = {"name": 64, "value": 512}
_MAX_LOG_FORMAT_BYTES = 3 * 1024
_MAX_HEADER_BYTES = 10_240
"""Maximum total size of the request line and the values of all headers."""


class QuotaError(RejectedError):
    """An API has its maximum of resources or stages."""


def check_number(held: Any, operation: str, document: Mapping[str, Any], quotas: Quotas) -> None:
    """Check the quotas of APIs, resources and stages; `held` is moto's backend.

    Raises:
        RefusedError: the region has its maximum of APIs.
        QuotaError: the API has its maximum of resources or stages.
    """
    if operation == "PutApi" and "id" not in document:
        kind = _endpoint(document["api"].get("endpointConfiguration"))
        kinds = [_endpoint(each.endpoint_configuration) for each in held.apis.values()]
        most = quotas.edge_apis if kind == "EDGE" else quotas.regional_apis
        if kinds.count(kind) >= most:
            raise RejectedError(
                "Maximum number of APIs has been reached.  Please contact AWS if you need "
                "additional APIs."
            )
    elif operation == "CreateResource":
        # The root resource counts as well.
        _check_room("Resources", held.get_rest_api(document["id"]).resources, quotas.api_resources)
    elif operation == "PutStage" and document["new"]:
        _check_room("Stages", held.get_rest_api(document["id"]).stages, quotas.api_stages)


def check_stage_sizes(stage: Mapping[str, Any]) -> None:
    """Check the sizes of a stage's variables and access log format.

    Raises:
        RefusedError: there are too many variables, or a size exceeds its quota.
    """
    name, variables = f"Stage {stage['stageName']}", stage.get("variables") or {}
    if len(variables) > _MAX_STAGE_VARIABLES:
        raise RejectedError(
            f"{name}: found {len(variables)} stage variables; allowed are {_MAX_STAGE_VARIABLES}"
        )
    for kind, texts in (("name", variables.keys()), ("value", variables.values())):
        most = _MAX_VARIABLE_CHARACTERS[kind]
        if any(len(str(each)) > most for each in texts):
            raise RejectedError(
                f"{name}: the {kind} of a stage variable has at most {most} characters"
            )
    text = (stage.get("accessLogSettings") or {}).get("format") or ""
    if len(text.encode()) > _MAX_LOG_FORMAT_BYTES:
        raise RejectedError(
            f"{name}: an access log format has at most {_MAX_LOG_FORMAT_BYTES} bytes"
        )


def headers_too_large(line: str, values: Iterable[str]) -> bool:
    """Whether the request line and the header values together exceed their quota."""
    return len(line.encode()) + sum(len(each.encode()) for each in values) > _MAX_HEADER_BYTES


def _check_room(what: str, there: Mapping[str, Any], most: int) -> None:
    if len(there) >= most:
        raise QuotaError(
            f"Maximum number of {what} for this API has been reached.  Please contact AWS if you "
            f"need additional {what}."
        )


def _endpoint(configuration: Any) -> str:
    types = (configuration or {}).get("types") or ["EDGE"]
    return str(types[0])
