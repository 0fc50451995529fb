"""`AWS::CodePipeline::Pipeline`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.codepipeline.definition_errors import DefinitionError
from localcloud.core.providers import ProvisioningError, Resource

if TYPE_CHECKING:
    from localcloud.codepipeline.pipelines import Pipelines
    from localcloud.core.providers import ResourceRequest

_INTEGER_KEYS = {"runOrder", "timeoutInMinutes"}


class PipelineProvider:
    """Creates and updates pipelines; both start an execution, as on AWS."""

    def __init__(self, pipelines: Pipelines) -> None:
        self._pipelines = pipelines

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Replace the pipeline if its name changes."""
        return bool(request.properties.get("Name") != current.properties.get("Name"))

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        name = request.properties.get("Name") or request.generated_name(100)
        pipelines = self._pipelines
        there = pipelines.pipelines.get(f"{request.account}/{request.region}/{name}")
        owner = f"{request.stack_id}/{request.logical_id}"
        # An interrupted operation may have created the pipeline for this same resource.
        if there is not None and there.owner != owner:
            raise ProvisioningError(f"A pipeline with the name '{name}' already exists")
        made = self._put(request, name, owner, restart=False)
        pipeline = pipelines.pipelines[f"{request.account}/{request.region}/{name}"]
        for each in request.properties.get("DisableInboundStageTransitions") or []:
            pipelines.set_transition(pipeline, each["StageName"], each["Reason"])
        if not pipelines.store.history(pipeline):
            pipelines.begin(pipeline, "CreatePipeline")
        return made

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`; starts an execution if `RestartExecutionOnUpdate` is set."""
        wanted = str(request.properties.get("RestartExecutionOnUpdate", False)).lower() == "true"
        restart = wanted and not request.rollback
        return self._put(request, current.physical_id, "", restart=restart)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        self._pipelines.delete(request.account, request.region, current.physical_id)

    def _put(self, request: ResourceRequest, name: str, owner: str, *, restart: bool) -> Resource:
        definition = declaration(request.properties) | {"name": name}
        pipelines = self._pipelines
        pipeline = pipelines.pipelines.get(f"{request.account}/{request.region}/{name}")
        # A change outside the structure, such as a tag, does not create a version.
        if pipeline is None or pipeline.definition != definition:
            try:
                pipeline = pipelines.put(request.account, request.region, definition, owner)
            except DefinitionError as error:
                raise ProvisioningError(str(error)) from error
            if restart:
                pipelines.begin(pipeline, "StartPipelineExecution")
        pipeline.tags = request.tags | {
            each["Key"]: each["Value"] for each in request.properties.get("Tags") or []
        }
        pipelines.store.save_pipeline(pipeline)
        return Resource(name, {"Version": str(pipeline.version)}, request.properties)


def declaration(properties: dict[str, Any]) -> dict[str, Any]:
    """Convert CloudFormation's properties to the API's declaration.

    The two differ in the case of the first letter, in artifact stores, and in numbers.
    """
    lowered: dict[str, Any] = _lower(properties)
    if "artifactStores" in lowered:
        lowered["artifactStores"] = {
            each["region"]: each["artifactStore"] for each in lowered["artifactStores"]
        }
    for key in ("restartExecutionOnUpdate", "tags", "disableInboundStageTransitions"):
        lowered.pop(key, None)
    return lowered


def _lower(value: Any, key: str = "") -> Any:
    if isinstance(value, list):
        return [_lower(item) for item in value]
    if not isinstance(value, dict):
        return int(value) if key in _INTEGER_KEYS else value
    if key == "configuration":
        # An action defines the case of its configuration keys; the values are strings.
        return {
            name: inner if isinstance(inner, str) else json.dumps(inner)
            for name, inner in value.items()
        }
    names = {name: name[0].lower() + name[1:] for name in value}
    return {names[name]: _lower(inner, names[name]) for name, inner in value.items()}
