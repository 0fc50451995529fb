"""The providers of the `AWS::ApiGateway::*` resource types.

moto's CloudFormation models of four of these types omit most properties, and it has no models of
the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from localcloud.apigateway.checks import RejectedError
from localcloud.apigateway.log_role import check_log_role
from localcloud.apigateway.properties import flag, method, method_settings
from localcloud.core.providers import ProvisioningError, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.core.providers import Provider, ResourceRequest
    from localcloud.iam.access import Access

    Perform = Callable[[str, str, str, dict[str, Any]], dict[str, Any]]
    """Called with account, region, operation and document."""

_UNSUPPORTED_TYPES = (
    "ApiKey", "Authorizer", "BasePathMapping", "BasePathMappingV2", "ClientCertificate",
    "DocumentationPart", "DocumentationVersion", "DomainName", "DomainNameAccessAssociation",
    "DomainNameV2", "GatewayResponse", "Model", "RequestValidator", "UsagePlan", "UsagePlanKey",
    "VpcLink",
)  # fmt: skip


class _Provider:
    """The base of all providers of this module."""

    known: ClassVar[frozenset[str]]
    """The supported properties."""
    create_only: ClassVar[tuple[str, ...]]
    """The properties whose change replaces the resource."""

    def __init__(self, perform: Perform) -> None:
        self._change = perform

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """See `Provider.replaces`."""
        return any(
            request.properties.get(name) != current.properties.get(name)
            for name in self.create_only
        )

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        return self._put(request, None)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        return self._put(request, current)

    def _put(self, request: ResourceRequest, current: Resource | None) -> Resource:
        for name, value in request.properties.items():
            if name not in self.known and value not in (None, False, [], {}, ""):
                raise ProvisioningError(
                    f"{request.type}: property {name} is not part of the local cloud"
                )
        return self._create_or_update(request, current)

    def _create_or_update(self, request: ResourceRequest, current: Resource | None) -> Resource:
        raise NotImplementedError

    def _perform(
        self, request: ResourceRequest, operation: str, document: dict[str, Any]
    ) -> dict[str, Any]:
        try:
            return self._change(request.account, request.region, operation, document)
        except Exception as error:  # moto raises API errors of any class
            reason = getattr(error, "message", None) or str(error)
            raise ProvisioningError(f"{reason} (Service: ApiGateway)") from error


class RestApiProvider(_Provider):
    """`AWS::ApiGateway::RestApi`, without OpenAPI definitions."""

    known = frozenset(
        {
            "Name", "Description", "BinaryMediaTypes", "EndpointConfiguration",
            "DisableExecuteApiEndpoint", "ApiKeySourceType", "Tags", "FailOnWarnings",
        }
    )  # fmt: skip
    create_only = ()

    def _create_or_update(self, request: ResourceRequest, current: Resource | None) -> Resource:
        properties = request.properties
        if "Name" not in properties:
            raise ProvisioningError("AWS::ApiGateway::RestApi: Name is required without a Body")
        endpoint = properties.get("EndpointConfiguration") or {}
        if endpoint.keys() - {"Types", "IpAddressType"}:
            raise ProvisioningError(
                "AWS::ApiGateway::RestApi: VpcEndpointIds are not part of the local cloud"
            )
        wanted = {
            "name": properties["Name"],
            "description": properties.get("Description", ""),
            "binaryMediaTypes": properties.get("BinaryMediaTypes") or [],
            "endpointConfiguration": {"types": endpoint.get("Types") or ["EDGE"]},
            "disableExecuteApiEndpoint": flag(properties.get("DisableExecuteApiEndpoint")),
            "apiKeySource": properties.get("ApiKeySourceType", "HEADER"),
            "tags": _tags(request),
        }
        document: dict[str, Any] = {"api": wanted}
        if current is not None:
            document["id"] = current.physical_id
        made = self._perform(request, "PutApi", document)
        attributes = {"RestApiId": made["id"], "RootResourceId": made["root"]}
        return Resource(made["id"], attributes, properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        self._perform(request, "DeleteApi", {"id": current.physical_id})


class ResourceProvider(_Provider):
    """`AWS::ApiGateway::Resource`."""

    known = frozenset({"RestApiId", "ParentId", "PathPart"})
    create_only = ("RestApiId", "ParentId", "PathPart")

    def _create_or_update(self, request: ResourceRequest, current: Resource | None) -> Resource:
        if current is not None:
            return current
        wanted = request.properties
        document = {
            "id": wanted["RestApiId"],
            "parent": wanted["ParentId"],
            "part": wanted["PathPart"],
        }
        made = self._perform(request, "CreateResource", document)
        return Resource(made["id"], {"ResourceId": made["id"]}, wanted)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        document = {"id": current.properties["RestApiId"], "resource": current.physical_id}
        self._perform(request, "DeleteResource", document)


class MethodProvider(_Provider):
    """`AWS::ApiGateway::Method`."""

    known = frozenset(
        {
            "RestApiId", "ResourceId", "HttpMethod", "AuthorizationType", "ApiKeyRequired",
            "Integration", "MethodResponses", "OperationName", "RequestParameters",
            "RequestModels",
        }
    )  # fmt: skip
    create_only = ("RestApiId", "ResourceId", "HttpMethod")

    def _create_or_update(self, request: ResourceRequest, current: Resource | None) -> Resource:
        wanted = request.properties
        document = {
            "id": wanted["RestApiId"],
            "resource": wanted["ResourceId"],
            "method": method(wanted),
        }
        self._perform(request, "PutMethod", document)
        return Resource(current.physical_id if current else request.generated_name(), {}, wanted)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        document = {
            "id": current.properties["RestApiId"],
            "resource": current.properties["ResourceId"],
            "method": current.properties["HttpMethod"],
        }
        self._perform(request, "DeleteMethod", document)


class DeploymentProvider(_Provider):
    """`AWS::ApiGateway::Deployment`: a snapshot of the API."""

    known = frozenset({"RestApiId", "Description"})
    create_only = ("RestApiId",)

    def _create_or_update(self, request: ResourceRequest, current: Resource | None) -> Resource:
        wanted = request.properties
        document = {"id": wanted["RestApiId"], "description": wanted.get("Description", "")}
        if current is not None:
            document["deployment"] = current.physical_id
            self._perform(request, "UpdateDeployment", document)
            return Resource(current.physical_id, current.attributes, wanted)
        made = self._perform(request, "CreateDeployment", document)
        return Resource(made["id"], {"DeploymentId": made["id"]}, wanted)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        document = {"id": current.properties["RestApiId"], "deployment": current.physical_id}
        self._perform(request, "DeleteDeployment", document)


class StageProvider(_Provider):
    """`AWS::ApiGateway::Stage`."""

    known = frozenset(
        {
            "RestApiId", "StageName", "DeploymentId", "Description", "Variables",
            "TracingEnabled", "AccessLogSetting", "MethodSettings", "Tags",
        }
    )  # fmt: skip
    create_only = ("RestApiId", "StageName")

    def _create_or_update(self, request: ResourceRequest, current: Resource | None) -> Resource:
        properties = request.properties
        access = properties.get("AccessLogSetting") or {}
        name = properties.get("StageName") or request.generated_name(128)
        wanted = {
            "stageName": name,
            "deploymentId": properties.get("DeploymentId"),
            "description": properties.get("Description", ""),
            "variables": properties.get("Variables") or {},
            "tracingEnabled": flag(properties.get("TracingEnabled")),
            "accessLogSettings": {
                "destinationArn": access["DestinationArn"],
                "format": access.get("Format", ""),
            }
            if access
            else None,
            "methodSettings": method_settings(properties.get("MethodSettings") or []),
            "tags": _tags(request),
        }
        document = {"id": properties["RestApiId"], "new": current is None, "stage": wanted}
        self._perform(request, "PutStage", document)
        return Resource(name, {}, properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        document = {"id": current.properties["RestApiId"], "name": current.physical_id}
        self._perform(request, "DeleteStage", document)


class AccountProvider(_Provider):
    """`AWS::ApiGateway::Account`: the role by which a region's stages write logs."""

    known = frozenset({"CloudWatchRoleArn"})
    create_only = ()

    def __init__(self, perform: Perform, access: Access) -> None:
        super().__init__(perform)
        self._access = access

    def _create_or_update(self, request: ResourceRequest, current: Resource | None) -> Resource:
        role = request.properties.get("CloudWatchRoleArn")
        try:
            if role:
                check_log_role(self._access, request.account, request.region, role)
        except RejectedError as error:
            raise ProvisioningError(f"{error} (Service: ApiGateway)") from error
        self._perform(request, "PutAccount", {"role": role})
        physical_id = current.physical_id if current else request.generated_name()
        return Resource(physical_id, {"Id": physical_id}, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """Keep the setting, as on AWS ("AWS::ApiGateway::Account")."""


class RefusedProvider(_Provider):
    """Rejects a type that the local cloud does not support."""

    known = frozenset()
    create_only = ()

    def _put(self, request: ResourceRequest, current: Resource | None) -> Resource:  # noqa: ARG002  # the port's own signature
        raise ProvisioningError(f"{request.type} is not part of the local cloud")

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """Do nothing: no resource of the type exists."""


def providers(perform: Perform, access: Access) -> dict[str, Provider]:
    """Every provider by its type's name; `perform` is `Gateway.perform`."""
    made: dict[str, Provider] = {
        "AWS::ApiGateway::RestApi": RestApiProvider(perform),
        "AWS::ApiGateway::Resource": ResourceProvider(perform),
        "AWS::ApiGateway::Method": MethodProvider(perform),
        "AWS::ApiGateway::Deployment": DeploymentProvider(perform),
        "AWS::ApiGateway::Stage": StageProvider(perform),
        "AWS::ApiGateway::Account": AccountProvider(perform, access),
    }
    refused = RefusedProvider(perform)
    return made | {f"AWS::ApiGateway::{name}": refused for name in _UNSUPPORTED_TYPES}


def _tags(request: ResourceRequest) -> dict[str, str]:
    own = {each["Key"]: each["Value"] for each in request.properties.get("Tags") or []}
    return request.tags | own
