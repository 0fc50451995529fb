"""Applications, deployment groups and tags of one account and region.

They are stored in the API's shapes. Limits are from the API reference and "Quotas" in the user
guide.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from localcloud.codedeploy.configurations import Configurations
from localcloud.codedeploy.group import GROUP, check_group
from localcloud.codedeploy.naming import check_name
from localcloud.codedeploy.shift import ALL_AT_ONCE
from localcloud.core.service_api import ApiError
from localcloud.iam.service_roles import RoleError, assume_service_role

if TYPE_CHECKING:
    from localcloud.core.core import Core
    from localcloud.core.ports import Document
    from localcloud.iam.access import Access

_APPLICATION = "codedeploy:application"
_TAGS = "codedeploy:tags"


class Registry:
    """Applications, groups and tags; methods raise `ApiError` with AWS's code."""

    def __init__(self, core: Core, access: Access, account: str, region: str) -> None:
        self._core = core
        self._access = access
        self._ledger = core.ledger
        self.configurations = Configurations(core, account, region)
        self._place = f"{account}/{region}/"
        self._arn = f"arn:aws:codedeploy:{region}:{account}:"

    def create_application(self, name: str, platform: str | None, tags: dict[str, str]) -> Document:
        """Create an application of the Lambda compute platform, the only one here."""
        check_name(name, "Application")
        if platform != "Lambda":
            raise ApiError(
                "InvalidComputePlatformException",
                f"Application {name}: compute platform {platform or 'Server'} is not part of the "
                "local cloud; use Lambda",
            )
        if self._ledger.get(_APPLICATION, self._place + name):
            raise ApiError(
                "ApplicationAlreadyExistsException", f"Application already exists with name {name}"
            )
        application = {
            "applicationId": str(uuid.uuid4()),
            "applicationName": name,
            "createTime": self._core.clock.timestamp(),
            "computePlatform": platform,
            "linkedToGitHub": False,
        }
        with self._ledger.transaction():
            self._ledger.put(_APPLICATION, self._place + name, application)
            self.tag(f"{self._arn}application:{name}", tags)
        return application

    def application(self, name: str) -> Document:
        """Return an application by name."""
        found = self._ledger.get(_APPLICATION, self._place + name)
        if found is None:
            raise ApiError(
                "ApplicationDoesNotExistException", f"No application found for name: {name}"
            )
        return found

    def applications(self) -> list[str]:
        """Return the names of all applications."""
        return [each["applicationName"] for _, each in self._ledger.all(_APPLICATION, self._place)]

    def delete_application(self, name: str) -> None:
        """Delete an application with its groups; do nothing if it does not exist."""
        with self._ledger.transaction():
            for group in self.groups(name):
                self.delete_group(name, group)
            self._ledger.delete(_APPLICATION, self._place + name)
            self._ledger.delete(_TAGS, f"{self._arn}application:{name}")

    def create_group(self, wanted: Document, tags: dict[str, str]) -> Document:
        """Create a deployment group from the parameters of `CreateDeploymentGroup`."""
        application, name = wanted["applicationName"], wanted["deploymentGroupName"]
        self.application(application)
        check_name(name, "DeploymentGroup")
        if self._ledger.get(GROUP, f"{self._place}{application}/{name}"):
            raise ApiError(
                "DeploymentGroupAlreadyExistsException",
                f"Deployment group already exists with name {name}",
            )
        group = self._checked(wanted) | {"deploymentGroupId": str(uuid.uuid4())}
        with self._ledger.transaction():
            self._ledger.put(GROUP, f"{self._place}{application}/{name}", group)
            self.tag(f"{self._arn}deploymentgroup:{application}/{name}", tags)
        return group

    def group(self, application: str, name: str) -> Document:
        """Return a deployment group by name."""
        self.application(application)
        found = self._ledger.get(GROUP, f"{self._place}{application}/{name}")
        if found is None:
            raise ApiError(
                "DeploymentGroupDoesNotExistException",
                f"No Deployment Group found for name: {name}",
            )
        return found

    def groups(self, application: str) -> list[str]:
        """Return the names of an application's groups."""
        found = self._ledger.all(GROUP, f"{self._place}{application}/")
        return [each["deploymentGroupName"] for _, each in found]

    def replace_group(self, current: Document, wanted: Document) -> Document:
        """Change a group, and rename it if the name differs."""
        application, old = current["applicationName"], current["deploymentGroupName"]
        new = wanted["deploymentGroupName"]
        check_name(new, "DeploymentGroup")
        if new != old and new in self.groups(application):
            raise ApiError(
                "DeploymentGroupAlreadyExistsException",
                f"Deployment group already exists with name {new}",
            )
        group = self._checked(wanted) | {"deploymentGroupId": current["deploymentGroupId"]}
        arn = f"{self._arn}deploymentgroup:{application}/"
        with self._ledger.transaction():
            tags = self.tags(arn + old)
            self.delete_group(application, old)
            self._ledger.put(GROUP, f"{self._place}{application}/{new}", group)
            self.tag(arn + new, tags)
        return group

    def delete_group(self, application: str, name: str) -> None:
        """Delete a group; do nothing if it does not exist."""
        self._ledger.delete(GROUP, f"{self._place}{application}/{name}")
        self._ledger.delete(_TAGS, f"{self._arn}deploymentgroup:{application}/{name}")

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of an application or a group."""
        return self._ledger.get(_TAGS, self._known(arn)) or {}

    def tag(self, arn: str, tags: dict[str, str]) -> None:
        """Add tags."""
        self._ledger.put(_TAGS, arn, self.tags(arn) | tags)

    def replace_tags(self, arn: str, tags: dict[str, str]) -> None:
        """Replace all tags."""
        self._ledger.put(_TAGS, self._known(arn), tags)

    def untag(self, arn: str, keys: list[str]) -> None:
        """Remove tags."""
        kept = {key: value for key, value in self.tags(arn).items() if key not in keys}
        self._ledger.put(_TAGS, arn, kept)

    def check_role(self, arn: str) -> None:
        """Raise if the service role does not exist or does not trust CodeDeploy."""
        try:
            assume_service_role(self._access, arn, "codedeploy.amazonaws.com", "AWSCodeDeploy")
        except RoleError as error:
            raise ApiError(
                "InvalidRoleException",
                "AWS CodeDeploy does not have the permissions required to assume the role "
                f"{arn}: {error}",
            ) from error

    def _checked(self, wanted: Document) -> Document:
        group = check_group(wanted)
        group.setdefault("deploymentConfigName", ALL_AT_ONCE)
        self.configurations.get(group["deploymentConfigName"])
        # This calls IAM over HTTP, so it must not run inside a transaction.
        self.check_role(group["serviceRoleArn"])
        return group

    def _known(self, arn: str) -> str:
        if not arn.startswith(self._arn):
            raise ApiError("InvalidArnException", f"{arn} does not begin with {self._arn}")
        kind, _, name = arn[len(self._arn) :].partition(":")
        if kind == "application":
            self.application(name)
        elif kind == "deploymentgroup":
            self.group(*name.split("/", 1))
        else:
            raise ApiError(
                "ArnNotSupportedException", f"{arn}: only applications and groups can have tags"
            )
        return arn
