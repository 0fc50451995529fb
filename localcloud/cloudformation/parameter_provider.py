"""The provider of SSM parameters, by the SSM API.

moto's CloudFormation model would recreate a parameter at each update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.cloudformation import schemas
from localcloud.core.providers import ProvisioningError, Resource

if TYPE_CHECKING:
    from localcloud.core.clients import ClientFactory
    from localcloud.core.providers import ResourceRequest

_PASSED_PROPERTIES = (
    "AllowedPattern",
    "DataType",
    "Description",
    "Policies",
    "Tier",
    "Type",
    "Value",
)


class ParameterProvider:
    """`AWS::SSM::Parameter`."""

    def __init__(self, client: ClientFactory) -> None:
        self._client = client

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Replace the parameter if its name changes."""
        return bool(request.properties.get("Name") != current.properties.get("Name"))

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        schemas.require(request)
        name = request.properties.get("Name") or f"CFN-{request.generated_name()}"
        ssm = self._ssm(request)
        tags = request.properties.get("Tags", {})
        try:
            ssm.put_parameter(
                Name=name,
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
                **_given(request),
            )
        except ssm.exceptions.ParameterAlreadyExists as error:
            raise ProvisioningError(f"{name} already exists") from error
        return self._made(request, name)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`; the parameter keeps its history and its version counter."""
        schemas.require(request)
        name = current.physical_id
        self._ssm(request).put_parameter(Name=name, Overwrite=True, **_given(request))
        return self._made(request, name)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        ssm = self._ssm(request)
        try:
            ssm.delete_parameter(Name=current.physical_id)
        except ssm.exceptions.ParameterNotFound:
            return

    def _ssm(self, request: ResourceRequest) -> Any:
        return self._client("ssm", request.account, request.region)

    @staticmethod
    def _made(request: ResourceRequest, name: str) -> Resource:
        attributes = {key: request.properties[key] for key in ("Type", "Value")}
        return Resource(name, attributes, request.properties)


def _given(request: ResourceRequest) -> dict[str, Any]:
    return {key: request.properties[key] for key in _PASSED_PROPERTIES if key in request.properties}
