"""`AWS::CodePipeline::Pipeline`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.resources import ProvisioningError, Resource

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.resources import ResourceRequest


class PipelineProvider:
    """Creates and updates pipelines; both start an execution, as on AWS."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """The name and the type are given once."""
        return any(
            request.properties.get(name) != current.properties.get(name)
            for name in ("Name", "PipelineType")
        )

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        return self._put(request, restart=True)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:  # noqa: ARG002
        """See `Provider.update`; a restart only if the template asks for it."""
        wanted = str(request.properties.get("RestartExecutionOnUpdate", False)).lower() == "true"
        return self._put(request, restart=wanted and not request.rollback)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        self._cloud.codepipeline.delete(request.account, request.region, current.physical_id)

    def _put(self, request: ResourceRequest, *, restart: bool) -> Resource:
        name = request.properties.get("Name") or request.generated_name(100)
        definition = declaration(request.properties) | {"name": name}
        pipelines = self._cloud.codepipeline
        try:
            pipeline = pipelines.put(request.account, request.region, definition)
        except Exception as error:
            raise ProvisioningError(str(error)) from error
        if restart:
            pipelines.begin(
                pipeline, "CreatePipeline" if pipeline.version == 1 else "StartPipelineExecution"
            )
        return Resource(name, {"Version": str(pipeline.version)}, request.properties)


def declaration(properties: dict[str, Any]) -> dict[str, Any]:
    """The API's declaration out of CloudFormation's properties.

    The two differ in the case of the first letter, and in artifact stores.
    """
    lowered = _lower(properties)
    if "artifactStores" in lowered:
        lowered["artifactStores"] = {
            each["region"]: each["artifactStore"] for each in lowered["artifactStores"]
        }
    for key in ("restartExecutionOnUpdate", "tags", "disableInboundStageTransitions"):
        lowered.pop(key, None)
    return lowered


def _lower(value: Any, *, inside_configuration: bool = False) -> Any:
    if isinstance(value, list):
        return [_lower(item) for item in value]
    if not isinstance(value, dict):
        return value
    if inside_configuration:
        # Keys of a configuration are the action's own; its values are strings.
        return {
            key: inner if isinstance(inner, str) else json.dumps(inner)
            for key, inner in value.items()
        }
    return {
        key[0].lower() + key[1:]: _lower(inner, inside_configuration=key == "Configuration")
        for key, inner in value.items()
    }
