"""The CodeDeploy API of applications, revisions, groups, configurations and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moto.core.responses import ActionResult, EmptyResult

from localcloud.codedeploy.paging import PagedApi
from localcloud.codedeploy.shapes import deployment_info, digest, revision, time
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from localcloud.codedeploy.model import Deployment
    from localcloud.core.ports import Document


class RegistryApi(PagedApi):
    """Operations on applications, groups, configurations and tags."""

    def create_application(self) -> ActionResult:
        """Create an application."""
        application = self._registry.create_application(
            self.params["applicationName"], self.params.get("computePlatform"), self._tags("tags")
        )
        return ActionResult({"applicationId": application["applicationId"]})

    def get_application(self) -> ActionResult:
        """Return an application."""
        application = self._registry.application(self.params["applicationName"])
        return ActionResult({"application": _created(application)})

    def list_applications(self) -> ActionResult:
        """Return the names of all applications."""
        return ActionResult(self._page("applications", self._registry.applications()))

    def delete_application(self) -> ActionResult:
        """Delete an application with its groups."""
        self._registry.delete_application(self.params["applicationName"])
        return EmptyResult()

    def get_application_revision(self) -> ActionResult:
        """Return an AppSpec file by its SHA-256."""
        application = self.params["applicationName"]
        self._registry.application(application)
        given = self.params["revision"]
        named = given.get("appSpecContent") or given.get("string") or {}
        wanted = named.get("sha256") or digest(named.get("content") or "")
        users = [
            each
            for each in self.service.deployments.of(self.account, self.region)
            if each.application == application and digest(each.content) == wanted
        ]
        if not users:
            raise ApiError(
                "RevisionDoesNotExistException",
                f"No revision of {application} has SHA-256 {wanted}",
            )
        return ActionResult(
            {
                "applicationName": application,
                "revision": revision(users[0], content=True),
                "revisionInfo": {
                    "deploymentGroups": sorted({each.group for each in users}),
                    "firstUsedTime": time(users[-1].created),
                    "lastUsedTime": time(users[0].created),
                    "registerTime": time(users[-1].created),
                },
            }
        )

    def create_deployment_group(self) -> ActionResult:
        """Create a deployment group."""
        tags = self._tags("tags")
        wanted = {key: value for key, value in self.params.items() if key != "tags"}
        group = self._registry.create_group(wanted, tags)
        return ActionResult({"deploymentGroupId": group["deploymentGroupId"]})

    def get_deployment_group(self) -> ActionResult:
        """Return a group, with the state of its latest deployments."""
        group = self._registry.group(
            self.params["applicationName"], self.params["deploymentGroupName"]
        )
        return ActionResult({"deploymentGroupInfo": group | self._latest(group)})

    def list_deployment_groups(self) -> ActionResult:
        """Return the names of an application's groups."""
        name = self.params["applicationName"]
        self._registry.application(name)
        page = self._page("deploymentGroups", self._registry.groups(name))
        return ActionResult(page | {"applicationName": name})

    def update_deployment_group(self) -> ActionResult:
        """Change the given settings of a group; an empty value removes a setting."""
        changes = dict(self.params)
        name = changes.pop("currentDeploymentGroupName")
        current = self._registry.group(changes["applicationName"], name)
        changes["deploymentGroupName"] = changes.pop("newDeploymentGroupName", None) or name
        kept = {
            key: value
            for key, value in current.items()
            if key not in {"deploymentGroupId", "computePlatform"}
        }
        self._registry.replace_group(current, kept | changes)
        return ActionResult({"hooksNotCleanedUp": []})

    def delete_deployment_group(self) -> ActionResult:
        """Delete a group."""
        self._registry.delete_group(
            self.params["applicationName"], self.params["deploymentGroupName"]
        )
        return ActionResult({"hooksNotCleanedUp": []})

    def create_deployment_config(self) -> ActionResult:
        """Create a configuration of the Lambda compute platform."""
        name, platform = self.params["deploymentConfigName"], self.params.get("computePlatform")
        if platform != "Lambda":
            raise ApiError(
                "InvalidComputePlatformException",
                f"Deployment configuration {name}: compute platform {platform or 'Server'} is not "
                "part of the local cloud; use Lambda",
            )
        routing = self.params.get("trafficRoutingConfig") or {"type": "AllAtOnce"}
        configuration = self._registry.configurations.create(name, routing)
        return ActionResult({"deploymentConfigId": configuration["deploymentConfigId"]})

    def get_deployment_config(self) -> ActionResult:
        """Return a configuration."""
        found = self._registry.configurations.get(self.params["deploymentConfigName"])
        return ActionResult({"deploymentConfigInfo": _created(found)})

    def list_deployment_configs(self) -> ActionResult:
        """Return the names of all configurations, with the predefined ones."""
        return ActionResult(
            self._page("deploymentConfigsList", self._registry.configurations.names())
        )

    def delete_deployment_config(self) -> ActionResult:
        """Delete a configuration that no group uses."""
        self._registry.configurations.delete(self.params["deploymentConfigName"])
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        """Return the tags of an application or a group."""
        tags = self._registry.tags(self.params["ResourceArn"])
        return ActionResult({"Tags": [{"Key": key, "Value": tags[key]} for key in tags]})

    def tag_resource(self) -> ActionResult:
        """Add tags."""
        self._registry.tag(self.params["ResourceArn"], self._tags("Tags"))
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        """Remove tags."""
        self._registry.untag(self.params["ResourceArn"], self.params["TagKeys"])
        return EmptyResult()

    def _tags(self, parameter: str) -> dict[str, str]:
        given = self.params.get(parameter) or []
        return {each["Key"]: each.get("Value") or "" for each in given}

    def _latest(self, group: Document) -> Document:
        attempts = [
            each
            for each in self.service.deployments.of(self.account, self.region)
            if each.group_id == group["deploymentGroupId"]
        ]
        good = [each for each in attempts if each.status == "Succeeded"]
        latest: Document = {}
        if attempts:
            latest["lastAttemptedDeployment"] = _last(attempts[0])
        if good:
            latest["lastSuccessfulDeployment"] = _last(good[0])
            latest["targetRevision"] = revision(good[0])
        return latest


def _created(document: Document) -> Document:
    if "createTime" not in document:
        return document
    return document | {"createTime": time(document["createTime"])}


def _last(deployment: Deployment) -> Document:
    info = deployment_info(deployment)
    times = {"endTime": info["completeTime"]} if "completeTime" in info else {}
    return times | {key: info[key] for key in ("deploymentId", "status", "createTime")}
