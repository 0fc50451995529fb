"""`AWS::CodeConnections::Connection`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.core.providers import ProvisioningError, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.core.providers import ResourceRequest

    Create = Callable[[str, str, str, str, dict[str, str]], str]
    """Creates a connection of an account, a region, a name, a provider and tags; its ARN."""


class ConnectionProvider:
    """Creates connections; they are available at once, without a handshake."""

    def __init__(self, create: Create, delete: Callable[[str], None]) -> None:
        self._create = create
        self._delete = delete

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Replace the connection if any property but the tags changes."""
        return any(
            request.properties.get(name) != current.properties.get(name)
            for name in ("ConnectionName", "ProviderType", "HostArn")
        )

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        if "HostArn" in request.properties:
            raise ProvisioningError("HostArn of a connection is not part of the local cloud")
        name = request.properties["ConnectionName"]
        kind = request.properties.get("ProviderType", "GitHub")
        tags = request.tags | {
            each["Key"]: each["Value"] for each in request.properties.get("Tags") or []
        }
        arn = self._create(request.account, request.region, name, kind, tags)
        attributes = {
            "ConnectionArn": arn,
            "ConnectionStatus": "AVAILABLE",
            "OwnerAccountId": request.account,
        }
        return Resource(arn, attributes, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`; only tags can change."""
        return Resource(current.physical_id, current.attributes, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:  # noqa: ARG002  # the port's own signature
        """See `Provider.delete`."""
        self._delete(current.physical_id)
