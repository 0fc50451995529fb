"""Deployment configurations of an account and region, with the predefined ones."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from localcloud.codedeploy.group import GROUP
from localcloud.codedeploy.naming import check_name
from localcloud.codedeploy.shift import BUILT_IN, TrafficRoutingError, plan
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from localcloud.core.core import Core
    from localcloud.core.ports import Document

_KIND = "codedeploy:configuration"


class Configurations:
    """Deployment configurations in the API's shape; methods raise `ApiError`."""

    def __init__(self, core: Core, account: str, region: str) -> None:
        self._clock = core.clock
        self._ledger = core.ledger
        self._place = f"{account}/{region}/"

    def create(self, name: str, routing: Document) -> Document:
        """Create a deployment configuration, which is immutable."""
        check_name(name, "DeploymentConfig")
        if name in BUILT_IN or self._ledger.get(_KIND, self._place + name):
            raise ApiError(
                "DeploymentConfigAlreadyExistsException",
                f"Deployment Configuration already exists with name {name}",
            )
        if name.startswith("CodeDeployDefault."):
            raise ApiError(
                "InvalidDeploymentConfigNameException",
                f"{name}: names that begin with CodeDeployDefault. are reserved",
            )
        try:
            plan(routing)
        except TrafficRoutingError as error:
            raise ApiError(
                "InvalidTrafficRoutingConfigurationException", f"{name}: {error}"
            ) from error
        configuration = {
            "deploymentConfigId": str(uuid.uuid4()),
            "deploymentConfigName": name,
            "createTime": self._clock.timestamp(),
            "computePlatform": "Lambda",
            "trafficRoutingConfig": routing,
        }
        self._ledger.put(_KIND, self._place + name, configuration)
        return configuration

    def get(self, name: str) -> Document:
        """Return a deployment configuration by name, predefined or not."""
        if name in BUILT_IN:
            return {
                "deploymentConfigId": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
                "deploymentConfigName": name,
                "computePlatform": "Lambda",
                "trafficRoutingConfig": BUILT_IN[name],
            }
        found = self._ledger.get(_KIND, self._place + name)
        if found is None:
            raise ApiError(
                "DeploymentConfigDoesNotExistException",
                f"No deployment configuration found for name: {name}",
            )
        return found

    def names(self) -> list[str]:
        """Return the names of all configurations, the predefined ones first."""
        own = self._ledger.all(_KIND, self._place)
        return [*BUILT_IN, *(each["deploymentConfigName"] for _, each in own)]

    def delete(self, name: str) -> None:
        """Delete an unused configuration; do nothing if it does not exist."""
        if name in BUILT_IN:
            raise ApiError("InvalidOperationException", f"{name} is a predefined configuration")
        groups = self._ledger.all(GROUP, self._place)
        used = [key for key, group in groups if group["deploymentConfigName"] == name]
        if used:
            raise ApiError(
                "DeploymentConfigInUseException",
                f"Deployment Configuration {name} is in use by deployment group "
                f"{used[0].rsplit('/', 1)[-1]}",
            )
        self._ledger.delete(_KIND, self._place + name)
