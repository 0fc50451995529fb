"""`AWS::CodeBuild::Project` and `AWS::CodeBuild::ReportGroup`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.codebuild.quotas import exceeded
from localcloud.codebuild.reports import make_group
from localcloud.core.providers import ProvisioningError, Resource

if TYPE_CHECKING:
    from localcloud.codebuild.store import Store
    from localcloud.core.clock import Clock
    from localcloud.core.providers import ResourceRequest
    from localcloud.core.quotas import Quotas

_SUPPORTED_PROPERTIES = {
    "Artifacts", "BadgeEnabled", "Cache", "ConcurrentBuildLimit", "Description", "EncryptionKey",
    "Environment", "LogsConfig", "Name", "QueuedTimeoutInMinutes", "ServiceRole", "Source", "Tags",
    "TimeoutInMinutes", "Visibility",
}  # fmt: skip
_NUMBERS = ("timeoutInMinutes", "queuedTimeoutInMinutes", "concurrentBuildLimit")


class ProjectProvider:
    """Provider of projects; stores them in the API's shape."""

    def __init__(self, store: Store, clock: Clock, quotas: Quotas) -> None:
        self._store = store
        self._clock = clock
        self._quotas = quotas

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Only a new name needs replacement."""
        return bool(request.properties.get("Name") != current.properties.get("Name"))

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        return self._put(request, request.properties.get("Name") or request.generated_name(150))

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        return self._put(request, current.physical_id)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`; keeps the builds."""
        self._store.remove_project(request.account, request.region, current.physical_id)

    def _put(self, request: ResourceRequest, name: str) -> Resource:
        arn = f"arn:aws:codebuild:{request.region}:{request.account}:project/{name}"
        _check(name, request.properties)
        project = lower_camel_case(request.properties) | {"name": name, "arn": arn}
        # CloudFormation and the API spell this property differently.
        project["source"]["buildspec"] = project["source"].pop("buildSpec", None)
        for key in _NUMBERS:
            if key in project:
                project[key] = int(project[key])
        environment = project["environment"]
        environment["privilegedMode"] = False
        for variable in environment.get("environmentVariables") or []:
            variable["value"] = str(variable["value"])
        tags = request.tags | {
            each["Key"]: each["Value"] for each in request.properties.get("Tags") or []
        }
        project["tags"] = [{"key": key, "value": value} for key, value in tags.items()]
        project["created"] = project["lastModified"] = self._clock.timestamp()
        for message in exceeded(project):
            raise ProvisioningError(f"{message} (Service: AWSCodeBuild)")
        before = self._store.project(request.account, request.region, name)
        if before is None:
            self._check_number(request.account, request.region)
        else:
            project["created"] = before["created"]
        self._store.put_project(request.account, request.region, project)
        return Resource(name, {"Arn": arn}, request.properties)

    def _check_number(self, account: str, region: str) -> None:
        """Raise if the account has reached its quota of projects."""
        most = self._quotas.build_projects
        if len(self._store.projects(account, region)) >= most:
            raise ProvisioningError(
                f"Cannot have more than {most} projects for the account (Service: AWSCodeBuild)"
            )


class ReportGroupProvider:
    """Provider of report groups."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """A new name or type needs replacement."""
        return any(
            request.properties.get(name) != current.properties.get(name)
            for name in ("Name", "Type")
        )

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        self._check(request.properties)
        name = request.properties.get("Name") or request.generated_name(128)
        arn = make_group(
            self._store, self._clock.timestamp(), request.account, request.region, name
        )
        return Resource(arn, {"Arn": arn}, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`; only tags and the export may change."""
        self._check(request.properties)
        return Resource(current.physical_id, current.attributes, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:  # noqa: ARG002  # the port's own signature
        """See `Provider.delete`; keeps the group's reports."""
        self._store.remove_group(current.physical_id)

    def _check(self, properties: dict[str, Any]) -> None:
        if properties.get("Type") != "TEST":
            raise ProvisioningError(
                f"Report groups of type {properties.get('Type')} are not part of the local cloud; "
                "use TEST"
            )
        export = (properties.get("ExportConfig") or {}).get("ExportConfigType", "NO_EXPORT")
        if export != "NO_EXPORT":
            raise ProvisioningError(f"Export of reports to {export} is not part of the local cloud")


def _check(name: str, properties: dict[str, Any]) -> None:
    """Raise if a property is not supported by the local cloud."""
    found = [each for each in properties if each not in _SUPPORTED_PROPERTIES]
    environment = properties.get("Environment", {})
    logs = properties.get("LogsConfig") or {}
    cache = properties.get("Cache") or {}
    if environment.get("PrivilegedMode") in {True, "true"}:
        found.append("Environment.PrivilegedMode (Docker)")
    for where, value, allowed in (
        ("Environment.Type", environment.get("Type", ""), ("LINUX_", "ARM_")),
        ("Source.Type", properties["Source"].get("Type", ""), ("CODEPIPELINE", "NO_SOURCE")),
        ("Artifacts.Type", properties["Artifacts"].get("Type", ""), ("CODEPIPELINE", "NO_")),
        ("Cache.Type", cache.get("Type", "LOCAL"), ("LOCAL", "NO_CACHE")),
        ("LogsConfig.S3Logs", (logs.get("S3Logs") or {}).get("Status", "DISABLED"), ("DISABLED",)),
    ):
        if not str(value).startswith(allowed):
            found.append(f"{where} {value}")
    if "LOCAL_DOCKER_LAYER_CACHE" in (cache.get("Modes") or []):
        found.append("Cache.Modes LOCAL_DOCKER_LAYER_CACHE")
    if found:
        raise ProvisioningError(
            f"Project {name}: {', '.join(found)} is not part of the local cloud"
        )


def lower_camel_case(value: Any) -> Any:
    """Return the value with keys in lower camel case, as in the API."""
    if isinstance(value, list):
        return [lower_camel_case(item) for item in value]
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: lower_camel_case(inner) for key, inner in value.items()}
    return value
