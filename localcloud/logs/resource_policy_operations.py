"""The operations of CloudWatch Logs on resource policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from moto.core.responses import ActionResult, EmptyResult

from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from localcloud.logs.resource_policies import ResourcePolicies
    from localcloud.logs.service import Logs


class ResourcePolicyOperations(ServiceApi):
    """The operations on resource policies."""

    model: ClassVar[str] = "logs"
    service: Logs

    @property
    def _policies(self) -> ResourcePolicies:
        return self.service.resource_policies

    def put_resource_policy(self) -> ActionResult:
        """Create or change a policy."""
        policy = self._policies.put(
            self.account, self.region, self.params["policyName"], self.params["policyDocument"]
        )
        return ActionResult({"resourcePolicy": policy})

    def describe_resource_policies(self) -> ActionResult:
        """Return all policies."""
        return ActionResult({"resourcePolicies": self._policies.all(self.account, self.region)})

    def delete_resource_policy(self) -> ActionResult:
        """Delete a policy."""
        name: str = self.params["policyName"]
        if not self._policies.delete(self.account, self.region, name):
            raise ApiError("ResourceNotFoundException", f"Policy with name [{name}] does not exist")
        return EmptyResult()
