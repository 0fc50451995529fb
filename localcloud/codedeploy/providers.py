"""Providers of `AWS::CodeDeploy::*`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from localcloud.core.providers import ProvisioningError, Resource
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.codedeploy.registry import Registry
    from localcloud.core.ports import Document
    from localcloud.core.providers import Provider, ResourceRequest

    RegistryOf = Callable[[str, str], Registry]
    """The registry of an account and a region."""

_NUMBERS = {"canaryPercentage", "canaryInterval", "linearPercentage", "linearInterval"}
_BOOLEANS = {"enabled", "ignorePollAlarmFailure"}
_KEPT_PROPERTIES = ("alarmConfiguration", "autoRollbackConfiguration", "triggerConfigurations")


def providers(registry: RegistryOf) -> dict[str, Provider]:
    """Return CodeDeploy's providers by resource type."""
    return {
        "AWS::CodeDeploy::Application": ApplicationProvider(registry),
        "AWS::CodeDeploy::DeploymentGroup": DeploymentGroupProvider(registry),
        "AWS::CodeDeploy::DeploymentConfig": DeploymentConfigProvider(registry),
    }


class ApplicationProvider:
    """`AWS::CodeDeploy::Application`; `Ref` is its name."""

    def __init__(self, registry: RegistryOf) -> None:
        self._registry = registry

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """A new name or compute platform needs replacement."""
        return _differ(request, current, "ApplicationName", "ComputePlatform")

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        given = request.properties.get("ApplicationName")
        name = given or request.generated_name(100)
        registry = self._registry(request.account, request.region)
        # An existing generated name is from an interrupted creation.
        if given or name not in registry.applications():
            with _provisioning_errors():
                registry.create_application(
                    name, request.properties.get("ComputePlatform"), _tags(request)
                )
        return Resource(name, {}, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`; only tags can change."""
        arn = f"arn:aws:codedeploy:{request.region}:{request.account}:application:"
        with _provisioning_errors():
            registry = self._registry(request.account, request.region)
            registry.replace_tags(arn + current.physical_id, _tags(request))
        return Resource(current.physical_id, {}, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        registry = self._registry(request.account, request.region)
        registry.delete_application(current.physical_id)


class DeploymentGroupProvider:
    """`AWS::CodeDeploy::DeploymentGroup`; `Ref` is its name."""

    def __init__(self, registry: RegistryOf) -> None:
        self._registry = registry

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """A new application or name needs replacement."""
        return _differ(request, current, "ApplicationName", "DeploymentGroupName")

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        given = request.properties.get("DeploymentGroupName")
        name = given or request.generated_name(100)
        application = request.properties["ApplicationName"]
        registry = self._registry(request.account, request.region)
        with _provisioning_errors():
            if not given and name in registry.groups(application):
                registry.replace_group(registry.group(application, name), _group(request, name))
            else:
                registry.create_group(_group(request, name), _tags(request))
        return Resource(name, {}, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`.

        As in `UpdateDeploymentGroup`, a property that the template omits keeps its value:
        aws-cdk#23307 (alarms), aws-cdk#21691 (automatic rollback).
        """
        name = current.physical_id
        application = request.properties["ApplicationName"]
        registry = self._registry(request.account, request.region)
        arn = f"arn:aws:codedeploy:{request.region}:{request.account}:deploymentgroup:"
        with _provisioning_errors():
            before = registry.group(application, name)
            kept = {part: before[part] for part in _KEPT_PROPERTIES if part in before}
            registry.replace_group(before, kept | _group(request, name))
            registry.replace_tags(f"{arn}{application}/{name}", _tags(request))
        return Resource(name, {}, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        registry = self._registry(request.account, request.region)
        registry.delete_group(current.properties["ApplicationName"], current.physical_id)


class DeploymentConfigProvider:
    """`AWS::CodeDeploy::DeploymentConfig`; `Ref` is its name."""

    def __init__(self, registry: RegistryOf) -> None:
        self._registry = registry

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Every change needs replacement."""
        return bool(request.properties != current.properties)

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        properties = _lower_camel_case(request.properties)
        given = properties.pop("deploymentConfigName", None)
        name = given or request.generated_name(100)
        platform = properties.pop("computePlatform", None)
        routing = properties.pop("trafficRoutingConfig", {})
        if platform != "Lambda" or properties:
            found = f"{next(iter(properties))} is" if properties else f"platform {platform} is"
            raise ProvisioningError(
                f"Deployment configuration {name}: {found} not part of the local cloud; "
                "use TrafficRoutingConfig and compute platform Lambda"
            )
        registry = self._registry(request.account, request.region)
        with _provisioning_errors():
            if not given:
                registry.configurations.delete(name)
            registry.configurations.create(name, routing)
        return Resource(name, {}, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`; nothing can change in place."""
        return Resource(current.physical_id, {}, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        with _provisioning_errors():
            registry = self._registry(request.account, request.region)
            registry.configurations.delete(current.physical_id)


@contextmanager
def _provisioning_errors() -> Iterator[None]:
    """Convert an `ApiError` to a resource's status reason."""
    try:
        yield
    except ApiError as error:
        raise ProvisioningError(f"{error.message} (Service: CodeDeploy; {error.code})") from error


def _differ(request: ResourceRequest, current: Resource, *names: str) -> bool:
    return any(request.properties.get(name) != current.properties.get(name) for name in names)


def _group(request: ResourceRequest, name: str) -> Document:
    wanted: Document = _lower_camel_case(request.properties)
    wanted.pop("tags", None)
    return wanted | {"deploymentGroupName": name}


def _tags(request: ResourceRequest) -> dict[str, str]:
    own = {tag["Key"]: tag.get("Value", "") for tag in request.properties.get("Tags") or []}
    return request.tags | own


def _lower_camel_case(value: Any, key: str = "") -> Any:
    """Convert properties to the API's names and types; templates may write strings."""
    if isinstance(value, list):
        return [_lower_camel_case(item) for item in value]
    if isinstance(value, dict):
        return {
            (small := name[0].lower() + name[1:]): _lower_camel_case(inner, small)
            for name, inner in value.items()
        }
    if key in _NUMBERS and str(value).isdecimal():
        return int(value)
    if key in _BOOLEANS:
        return str(value).lower() == "true"
    return value
