"""Resource policies, which allow services to write to an account's log groups.

Sources: `PutResourcePolicy` of the API reference; "AWS::Logs::ResourcePolicy".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.core.providers import ProvisioningError, Resource
from localcloud.core.service_api import ApiError
from localcloud.iam.documents import MalformedPolicyError, parse

if TYPE_CHECKING:
    from localcloud.core.clock import Clock
    from localcloud.core.ledger import Ledger
    from localcloud.core.providers import ResourceRequest

_KIND = "logs:resource-policy"
_MAX_POLICIES = 10
"""Per account and region."""
_MAX_DOCUMENT_CHARACTERS = 5120


class ResourcePolicies:
    """All resource policies, kept in the ledger."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        # In memory, because each delivery of a log reads them.
        self._policies = dict(ledger.all(_KIND))

    def put(self, account: str, region: str, name: str, document: str) -> dict[str, Any]:
        """Create or change a policy and return it in the API's shape.

        Raises:
            ApiError: the policy is invalid, or the quota of policies is reached.
        """
        if len(document) > _MAX_DOCUMENT_CHARACTERS:
            raise ApiError("InvalidParameterException", "Policy document is too long.")
        try:
            parse(document, "resource", name)
        except MalformedPolicyError as error:
            raise ApiError("InvalidParameterException", str(error)) from error
        others = [each for each in self.all(account, region) if each["policyName"] != name]
        if len(others) >= _MAX_POLICIES:
            raise ApiError("LimitExceededException", "Resource limit exceeded.")
        policy = {
            "policyName": name,
            "policyDocument": document,
            "lastUpdatedTime": int(self._clock.timestamp() * 1000),
        }
        key = f"{account}/{region}/{name}"
        self._ledger.put(_KIND, key, policy)
        self._policies[key] = policy
        return policy

    def all(self, account: str, region: str) -> list[dict[str, Any]]:
        """Return the policies of an account and region, sorted by name."""
        place = f"{account}/{region}/"
        policies = list(self._policies.items())
        return [
            policy
            for key, policy in sorted(policies, key=lambda each: each[0])
            if key.startswith(place)
        ]

    def delete(self, account: str, region: str, name: str) -> bool:
        """Delete a policy; return whether it existed."""
        key = f"{account}/{region}/{name}"
        self._ledger.delete(_KIND, key)
        return self._policies.pop(key, None) is not None


class ResourcePolicyProvider:
    """`AWS::Logs::ResourcePolicy`."""

    def __init__(self, policies: ResourcePolicies) -> None:
        self._policies = policies

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Only a new name needs replacement."""
        return bool(request.properties["PolicyName"] != current.physical_id)

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        name: str = request.properties["PolicyName"]
        try:
            self._policies.put(
                request.account, request.region, name, request.properties["PolicyDocument"]
            )
        except ApiError as error:
            raise ProvisioningError(f"{error.message} (Service: CloudWatchLogs)") from error
        return Resource(name, {}, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:  # noqa: ARG002  # the port's own signature
        """See `Provider.update`."""
        return self.create(request)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        self._policies.delete(request.account, request.region, current.physical_id)
