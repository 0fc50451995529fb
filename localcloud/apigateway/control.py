"""Changes to moto's REST APIs, each of which is one entry of the journal.

A template's resource is created by one entry, so that a crash cannot leave it half created. The
replay of an entry at the next start creates the same identifiers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.apigateway.checks import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable

    Document = dict[str, Any]

KIND = "apigateway"
_DEFAULT_METHOD_SETTINGS = {
    "metricsEnabled": False,
    "loggingLevel": "OFF",
    "dataTraceEnabled": False,
    "throttlingBurstLimit": 5000,
    "throttlingRateLimit": 10000.0,
    "cachingEnabled": False,
    "cacheTtlInSeconds": 300,
    "cacheDataEncrypted": False,
    "requireAuthorizationForCacheControl": True,
    "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
}


def backend(account: str, region: str) -> Any:
    """Return moto's API Gateway backend of an account and region."""
    from moto.apigateway.models import apigateway_backends  # noqa: PLC0415  # half a second

    return apigateway_backends[account][region]


def log_role(account: str, region: str) -> str | None:
    """Return the ARN of the role that writes the logs of an account and region."""
    arn: str | None = backend(account, region).account.cloudwatch_role_arn
    return arn


def owner(api_id: str) -> tuple[str, str] | None:
    """Return account and region of an API, or None."""
    from moto.apigateway.models import apigateway_backends  # noqa: PLC0415  # as above

    for account, regions in list(apigateway_backends.items()):
        for region, held in list(regions.items()):
            if api_id in held.apis:
                return account, region
    return None


def perform(document: Document) -> Document | None:
    """Perform one change; the function is registered with the journal.

    Raises:
        RefusedError: the change conflicts with the API; the text is AWS's.
    """
    held = backend(document["account"], document["region"])
    return _OPERATIONS[document["operation"]](held, document)


def _put_api(held: Any, document: Document) -> Document:
    wanted = document["api"]
    if "id" in document:
        api = held.get_rest_api(document["id"])
        api.name, api.description = wanted["name"], wanted.get("description", "")
    else:
        api = held.create_rest_api(wanted["name"], wanted.get("description", ""))
        api.create_date = int(document["now"])
    api.binaryMediaTypes = wanted.get("binaryMediaTypes") or []
    api.endpoint_configuration = wanted.get("endpointConfiguration") or {"types": ["EDGE"]}
    api.disableExecuteApiEndpoint = bool(wanted.get("disableExecuteApiEndpoint"))
    api.tags = wanted.get("tags") or {}
    return {"id": api.id, "root": api.root_resource_id}


def _delete_api(held: Any, document: Document) -> None:
    held.apis.pop(document["id"], None)


def _create_resource(held: Any, document: Document) -> Document:
    api = held.get_rest_api(document["id"])
    part, parent = document["part"], document["parent"]
    if not re.fullmatch(r"\{[A-Za-z0-9._:-]+\+?\}|[A-Za-z0-9._:$-]+", part):
        raise RejectedError(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable "
            "and curly braces at the beginning and the end."
        )
    siblings = [each for each in api.resources.values() if each.parent_id == parent]
    if any(each.path_part == part for each in siblings):
        raise RejectedError(f"Another resource with the same parent already has this name: {part}")
    variable = [each.path_part for each in siblings if each.path_part.startswith("{")]
    if part.startswith("{") and variable:
        raise RejectedError(
            f"A sibling ({variable[0]}) of this resource already has a variable path part -- only "
            "one is allowed"
        )
    if held.get_resource(api.id, parent).path_part.endswith("+}"):
        raise RejectedError("Cannot create a child of a resource with a greedy path variable")
    return {"id": api.add_child(part, parent).id}


def _delete_resource(held: Any, document: Document) -> None:
    if document["id"] in held.apis:
        held.apis[document["id"]].resources.pop(document["resource"], None)


def _put_method(held: Any, document: Document) -> None:
    wanted = document["method"]
    name = wanted["httpMethod"]
    resource = held.get_resource(document["id"], document["resource"])
    method = resource.add_method(
        name,
        wanted.get("authorizationType"),
        False,
        request_parameters=wanted.get("requestParameters"),
        request_models=wanted.get("requestModels"),
        operation_name=wanted.get("operationName"),
    )
    for status, response in (wanted.get("methodResponses") or {}).items():
        method.create_response(
            status, response.get("responseModels"), response.get("responseParameters")
        )
    described = wanted["methodIntegration"]
    integration = resource.add_integration(
        name,
        described["type"],
        described.get("uri") or "",
        request_templates=described.get("requestTemplates"),
        passthrough_behavior=described.get("passthroughBehavior") or "WHEN_NO_MATCH",
        integration_method=described.get("httpMethod"),
        timeout_in_millis=described.get("timeoutInMillis"),
        connection_type=described.get("connectionType"),
    )
    for status, response in (described.get("integrationResponses") or {}).items():
        integration.create_integration_response(
            status,
            response.get("selectionPattern"),
            response.get("responseTemplates"),
            response.get("responseParameters"),
        )


def _delete_method(held: Any, document: Document) -> None:
    if document["id"] in held.apis:
        resource = held.apis[document["id"]].resources.get(document["resource"])
        if resource is not None:
            resource.delete_method(document["method"])


def _create_deployment(held: Any, document: Document) -> Document:
    # Pass no stage name: moto would replace an existing stage, and AWS keeps its settings.
    deployment = held.create_deployment(document["id"], None, document["description"])
    deployment.created_date = int(document["now"])
    return {"id": deployment.id}


def _update_deployment(held: Any, document: Document) -> None:
    deployment = held.get_deployment(document["id"], document["deployment"])
    deployment.description = document["description"]


def _delete_deployment(held: Any, document: Document) -> None:
    api = held.apis.get(document["id"])
    if api is None:
        return
    if any(stage.deployment_id == document["deployment"] for stage in api.stages.values()):
        raise RejectedError("Active stages pointing to this deployment must be moved or deleted")
    api.deployments.pop(document["deployment"], None)


def _put_stage(held: Any, document: Document) -> None:
    wanted = document["stage"]
    name, deployment = wanted["stageName"], wanted["deploymentId"]
    api = held.get_rest_api(document["id"])
    if deployment not in api.deployments:
        raise RejectedError("Invalid Deployment identifier specified")
    settings = wanted.get("methodSettings") or {}
    logs = any(each.get("loggingLevel", "OFF") != "OFF" for each in settings.values())
    if (logs or wanted.get("accessLogSettings")) and not held.account.cloudwatch_role_arn:
        raise RejectedError(
            "CloudWatch Logs role ARN must be set in account settings to enable logging"
        )
    if document["new"]:
        held.create_stage(api.id, name, deployment)
    stage = held.get_stage(api.id, name)
    stage.deployment_id = deployment
    stage.description = wanted.get("description") or ""
    stage.variables = wanted.get("variables") or {}
    stage.tracing_enabled = bool(wanted.get("tracingEnabled"))
    stage.access_log_settings = wanted.get("accessLogSettings")
    stage.tags = wanted.get("tags") or {}
    stage.method_settings = {key: _DEFAULT_METHOD_SETTINGS | each for key, each in settings.items()}


def _delete_stage(held: Any, document: Document) -> None:
    if document["id"] in held.apis:
        held.apis[document["id"]].stages.pop(document["name"], None)


def _put_account(held: Any, document: Document) -> None:
    held.account.cloudwatch_role_arn = document["role"]


def _enable_feature(held: Any, document: Document) -> None:
    held.account.features = sorted({*(held.account.features or []), document["feature"]})


_OPERATIONS: dict[str, Callable[[Any, Document], Document | None]] = {
    "PutApi": _put_api,
    "DeleteApi": _delete_api,
    "CreateResource": _create_resource,
    "DeleteResource": _delete_resource,
    "PutMethod": _put_method,
    "DeleteMethod": _delete_method,
    "CreateDeployment": _create_deployment,
    "UpdateDeployment": _update_deployment,
    "DeleteDeployment": _delete_deployment,
    "PutStage": _put_stage,
    "DeleteStage": _delete_stage,
    "PutAccount": _put_account,
    "EnableFeature": _enable_feature,
}
