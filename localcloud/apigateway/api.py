"""The API Gateway API: moto's, except operations that lose data of the data plane."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult
from werkzeug.test import run_wsgi_app

from localcloud.apigateway.checks import RejectedError
from localcloud.apigateway.control import backend
from localcloud.apigateway.log_role import check_log_role
from localcloud.apigateway.quotas import QuotaError
from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from moto.core.request import Request

    from localcloud.apigateway.service import Gateway

_CHECKED_PATHS = {
    ("POST", 3, "stages"),
    ("POST", 3, "deployments"),
    ("DELETE", 4, "deployments"),
    ("POST", 4, "resources"),
}
"""Method, number of parts and third part of the paths that moto does not validate."""
_ACCOUNT_PATCHES = {"replace": "/cloudwatchRoleArn", "add": "/features"}
"""The path that each patch operation on the account allows."""
_HTTP_APIS = "HTTP and WebSocket APIs are not part of the local cloud; use a REST API"


class ApiGatewayApi(ServiceApi):
    """The operations on REST APIs; moto handles those without a method here."""

    model: ClassVar[str] = "apigateway"
    service: Gateway

    def answer(self, request: Request) -> tuple[int, dict[str, Any], Any]:
        """Handle a request by an operation of this class, or by moto under the journal."""
        path = request.path.strip("/").split("/")
        if path[0] == "v2":
            headers = {"x-amzn-errortype": "NotImplemented", "Content-Type": "application/json"}
            return 501, headers, json.dumps({"message": _HTTP_APIS})
        below = path[2:3] if path[0] == "restapis" else []
        if (
            (request.method, path) == ("PATCH", ["account"])
            or (request.method == "POST" and path == ["restapis"] and "mode" not in request.args)
            or (request.method, len(path), *below) in _CHECKED_PATHS
        ):
            return super().answer(request)
        environ = request.environ | {"HTTP_X_MOTO_ACCOUNT_ID": self.account}
        answered, status, moto_headers = run_wsgi_app(self.service.journal, environ, buffered=True)
        if request.method != "GET" and path[0] == "restapis" and len(path) > 1:
            self.service.changed(self.account, self.caller.region, path[1])
        return int(status.split()[0]), dict(moto_headers), b"".join(answered)

    def create_rest_api(self) -> ActionResult:
        """Create an API; moto would drop its binary media types."""
        wanted = {key: value for key, value in self.params.items() if value is not None}
        made = self._perform("PutApi", {"api": wanted})
        return ActionResult(backend(self.account, self.region).get_rest_api(made["id"]).to_dict())

    def create_stage(self) -> ActionResult:
        """Create a stage of a deployment."""
        held, api_id = self._api()
        name = self.params["stageName"]
        if name in held.get_rest_api(api_id).stages:
            raise ApiError("ConflictException", "Stage already exists")
        self._perform("PutStage", {"id": api_id, "new": True, "stage": dict(self.params)})
        return ActionResult(held.get_stage(api_id, name).to_json())

    def create_deployment(self) -> ActionResult:
        """Deploy the API; an existing stage keeps its settings."""
        held, api_id = self._api()
        stages = held.get_rest_api(api_id).stages
        made = self._perform(
            "CreateDeployment",
            {"id": api_id, "description": self.params.get("description") or ""},
        )
        name = self.params.get("stageName")
        if name:
            before = stages[name].to_json() if name in stages else {"stageName": name}
            wanted = before | {"deploymentId": made["id"]}
            if self.params.get("variables"):
                wanted["variables"] = self.params["variables"]
            new = name not in stages
            self._perform("PutStage", {"id": api_id, "new": new, "stage": wanted})
        deployment = held.get_deployment(api_id, made["id"])
        return ActionResult(
            {
                "id": deployment.id,
                "description": deployment.description,
                "createdDate": deployment.created_date,
            }
        )

    def delete_deployment(self) -> ActionResult:
        """Delete a deployment that no stage uses."""
        _, api_id = self._api()
        document = {"id": api_id, "deployment": self.params["deploymentId"]}
        self._perform("DeleteDeployment", document)
        return EmptyResult()

    def create_resource(self) -> ActionResult:
        """Create a resource below another one."""
        held, api_id = self._api()
        parent = self.params["parentId"]
        if parent not in held.get_rest_api(api_id).resources:
            raise ApiError("NotFoundException", "Invalid Resource identifier specified")
        document = {"id": api_id, "parent": parent, "part": self.params["pathPart"]}
        made = self._perform("CreateResource", document)
        return ActionResult(held.get_resource(api_id, made["id"]).to_dict())

    def update_account(self) -> ActionResult:
        """Set the account's log role, or enable a feature; moto checks no role."""
        changes = self.params.get("patchOperations") or []
        for each in changes:
            self._change_account(each["op"], each["path"], each.get("value") or "")
        return ActionResult(backend(self.account, self.region).get_account().to_json())

    def _change_account(self, operation: str, path: str, value: str) -> None:
        """Change the account; see "Patch operations" of the API Gateway API reference."""
        if (operation, path) == ("replace", "/cloudwatchRoleArn"):
            try:
                if value:
                    check_log_role(self.service.access, self.account, self.region, value)
            except RejectedError as error:
                raise ApiError("BadRequestException", str(error)) from error
            self._perform("PutAccount", {"role": value or None})
        elif (operation, path, value) == ("add", "/features", "UsagePlans"):
            self._perform("EnableFeature", {"feature": value})
        else:
            raise ApiError(
                "BadRequestException",
                f"Invalid patch path '{path}' specified for op '{operation}'. Must be one of: "
                f"[{_ACCOUNT_PATCHES.get(operation, '')}]",
            )

    def _api(self) -> tuple[Any, str]:
        api_id = self.params["restApiId"]
        held = backend(self.account, self.region)
        if api_id not in held.apis:
            raise ApiError("NotFoundException", "Invalid API identifier specified")
        return held, api_id

    def _perform(self, operation: str, document: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.service.perform(self.account, self.region, operation, document)
        except QuotaError as error:
            raise ApiError("LimitExceededException", str(error)) from error
        except RejectedError as error:
            raise ApiError("BadRequestException", str(error)) from error
