"""The provider of all other types: it validates by schema and only records."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation import schemas
from localcloud.core.providers import Resource

if TYPE_CHECKING:
    from localcloud.core.providers import ResourceRequest


class RecordedProvider:
    """Records a resource's properties; nothing runs for it."""

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Replace the resource if a create-only property changes."""
        return schemas.changes_create_only_property(
            request.region, request.type, request.properties, current.properties
        )

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        schemas.require(request)
        name = request.generated_name()
        given = [
            str(request.properties[each])
            for each in schemas.identifiers(request.region, request.type)
            if each in request.properties
        ]
        attributes = {
            attribute: _generated(request, name, attribute)
            for attribute in schemas.attributes(request.region, request.type)
        }
        physical_id = "|".join(given) if given else name
        return Resource(physical_id, attributes | request.properties, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        schemas.require(request)
        attributes = current.attributes | request.properties
        return Resource(current.physical_id, attributes, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""


def _generated(request: ResourceRequest, name: str, attribute: str) -> Any:
    if attribute.endswith("Arn"):
        service = request.type.split("::")[1].lower()
        return f"arn:aws:{service}:{request.region}:{request.account}:{name}"
    return hashlib.sha256(f"{request.stack_id}/{name}/{attribute}".encode()).hexdigest()[:16]
