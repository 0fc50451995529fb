"""`AWS::CodeBuild::Project`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.resources import ProvisioningError, Resource

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.resources import ResourceRequest

_KIND = "codebuild:project"


class ProjectProvider:
    """Projects, kept in the API's own shape."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Only the name is given once."""
        return bool(request.properties.get("Name") != current.properties.get("Name"))

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        return self._put(request, request.properties.get("Name") or request.generated_name(150))

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        return self._put(request, current.physical_id)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        self._cloud.ledger.delete(
            _KIND, f"{request.account}/{request.region}/{current.physical_id}"
        )

    def _put(self, request: ResourceRequest, name: str) -> Resource:
        arn = f"arn:aws:codebuild:{request.region}:{request.account}:project/{name}"
        project = lowered(request.properties) | {"name": name, "arn": arn}
        # What CloudFormation and the API name differently.
        project["source"]["buildspec"] = project["source"].pop("buildSpec", None)
        if project["environment"].get("privilegedMode") in {True, "true"}:
            raise ProvisioningError(
                f"Project {name}: privileged mode (Docker) is not part of the local cloud"
            )
        self._cloud.ledger.put(_KIND, f"{request.account}/{request.region}/{name}", project)
        return Resource(name, {"Arn": arn}, request.properties)


def lowered(value: Any) -> Any:
    """Keys with a small first letter, as the API has them."""
    if isinstance(value, list):
        return [lowered(item) for item in value]
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: lowered(inner) for key, inner in value.items()}
    return value
