"""Providers of types that belong to a function: permissions, retries and others."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from localcloud.awslambda.model import LATEST, address
from localcloud.awslambda.provisioning import as_provisioning_error, differs, function, only
from localcloud.core.providers import ProvisioningError, Resource

if TYPE_CHECKING:
    from localcloud.awslambda.catalogue import Catalogue
    from localcloud.awslambda.code_signing import CodeSigning
    from localcloud.awslambda.definitions import Definitions
    from localcloud.awslambda.model import Address
    from localcloud.core.providers import ResourceRequest


_CODE_SIGNING = ("AllowedPublishers", "CodeSigningPolicies", "Description", "Tags")


class PermissionProvider:
    """`AWS::Lambda::Permission`; `Ref` is the id of its statement."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Every change needs replacement."""
        return bool(request.properties != current.properties)

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        # During a replacement both statements exist, so ids must differ.
        name = f"{request.stack_name}-{request.logical_id}"
        identifier = f"{name[:80]}-{secrets.token_hex(6)}"
        with as_provisioning_error():
            self._definitions.permit(function(request), identifier, request.properties)
        return Resource(identifier, {"Id": identifier}, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`; nothing can change in place."""
        return Resource(current.physical_id, current.attributes, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        with as_provisioning_error(gone=True):
            where = address(request.account, request.region, current.properties["FunctionName"])
            self._definitions.forbid(where, current.physical_id)


class CodeSigningConfigProvider:
    """`AWS::Lambda::CodeSigningConfig`; `Ref` is its ARN."""

    def __init__(self, code_signing: CodeSigning) -> None:
        self._code_signing = code_signing

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:  # noqa: ARG002  # the port's own signature
        """Every property can change in place."""
        return False

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        only(request, *_CODE_SIGNING)
        with as_provisioning_error():
            made = self._code_signing.create(request.account, request.region, request.properties)
        attributes = {name: made[name] for name in ("CodeSigningConfigArn", "CodeSigningConfigId")}
        return Resource(made["CodeSigningConfigArn"], attributes, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        only(request, *_CODE_SIGNING)
        with as_provisioning_error():
            self._code_signing.update(current.physical_id, request.properties)
        return Resource(current.physical_id, current.attributes, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:  # noqa: ARG002  # the port's own signature
        """See `Provider.delete`."""
        with as_provisioning_error(gone=True):
            self._code_signing.delete(current.physical_id)


class EventInvokeConfigProvider:
    """`AWS::Lambda::EventInvokeConfig`: retries and age of asynchronous events."""

    def __init__(self, definitions: Definitions, catalogue: Catalogue) -> None:
        self._definitions = definitions
        self._catalogue = catalogue

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """A new function or qualifier needs replacement."""
        return differs(request, current, "FunctionName", "Qualifier")

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        with as_provisioning_error():
            where = self._where(request, request.properties)
            self._definitions.configure_events(where, request.properties)
        return Resource(f"{where.name}|{where.qualifier}", {}, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        self.create(request)
        return Resource(current.physical_id, {}, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        where = self._where(request, current.properties)
        with as_provisioning_error(gone=True), self._catalogue.changing(where) as function:
            function.event_invoke.pop(where.qualifier, None)

    def _where(self, request: ResourceRequest, properties: dict[str, Any]) -> Address:
        qualifier = properties.get("Qualifier", LATEST)
        return address(request.account, request.region, properties["FunctionName"], qualifier)


class UrlProvider:
    """Rejects `AWS::Lambda::Url`."""

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:  # noqa: ARG002  # the port's own signature
        """See `Provider.replaces`; no resource exists."""
        return False

    def create(self, request: ResourceRequest) -> Resource:
        """Reject the resource."""
        raise ProvisioningError(
            f"{request.logical_id}: function URLs are not part of the local cloud; use a REST API "
            "in front of the function"
        )

    def update(self, request: ResourceRequest, current: Resource) -> Resource:  # noqa: ARG002  # the port's own signature
        """Reject the resource."""
        return self.create(request)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`; no resource exists."""
