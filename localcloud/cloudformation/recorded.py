"""Resources of every other type: validated against AWS's own schema, and only recorded."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from localcloud.resources import ProvisioningError, Resource

if TYPE_CHECKING:
    from localcloud.resources import ResourceRequest

_WITHOUT_SCHEMA = {"AWS::CDK::Metadata"}


class RecordedProvider:
    """Keeps what the template says of a resource; nothing acts behind it.

    The schema is the one that cfn-lint ships: which properties there are and must be, which
    cannot change without replacement (`createOnlyProperties`), and which attributes AWS would
    generate (`readOnlyProperties`).
    """

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Whether a property changed that is given once, at creation."""
        create_only = {
            path.split("/")[2] for path in self._schema(request).get("createOnlyProperties", [])
        }
        return any(
            request.properties.get(name) != current.properties.get(name) for name in create_only
        )

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        schema = self._schema(request)
        self._validate(request, schema)
        name = request.generated_name()
        identifiers = [path.split("/")[2] for path in schema.get("primaryIdentifier", [])]
        given = [
            str(request.properties[each]) for each in identifiers if each in request.properties
        ]
        physical_id = "|".join(given) if given else name
        return Resource(physical_id, self._attributes(request, schema, name), request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        self._validate(request, self._schema(request))
        return Resource(
            current.physical_id, current.attributes | request.properties, request.properties
        )

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""

    def _schema(self, request: ResourceRequest) -> dict[str, Any]:
        if request.type in _WITHOUT_SCHEMA:
            return {}
        # Half a second, and only stacks with such resources have to wait for it.
        from cfnlint.schema.exceptions import ResourceNotFoundError  # noqa: PLC0415
        from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415

        try:
            found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(
                request.region, request.type
            ).schema
        except ResourceNotFoundError as error:
            raise ProvisioningError(
                f"Template format error: Unrecognized resource types: [{request.type}]"
            ) from error
        return found

    def _validate(self, request: ResourceRequest, schema: dict[str, Any]) -> None:
        allowed = schema.get("properties")
        if allowed is None:
            return
        unknown = sorted(request.properties.keys() - allowed.keys())
        if unknown:
            raise ProvisioningError(
                f"Properties validation failed for resource {request.logical_id} with message: "
                f"#: extraneous key [{unknown[0]}] is not permitted"
            )
        missing = sorted(set(schema.get("required", [])) - request.properties.keys())
        if missing:
            raise ProvisioningError(
                f"Properties validation failed for resource {request.logical_id} with message: "
                f"#: required key [{missing[0]}] not found"
            )

    def _attributes(
        self, request: ResourceRequest, schema: dict[str, Any], name: str
    ) -> dict[str, Any]:
        attributes: dict[str, Any] = dict(request.properties)
        for path in schema.get("readOnlyProperties", []):
            attribute = ".".join(path.split("/")[2:])
            if attribute.endswith("Arn"):
                service = request.type.split("::")[1].lower()
                value = f"arn:aws:{service}:{request.region}:{request.account}:{name}"
            else:
                value = hashlib.sha256(
                    f"{request.stack_id}/{name}/{attribute}".encode()
                ).hexdigest()
                value = value[:16]
            attributes[attribute] = value
        return attributes
