"""The CloudFormation types of CloudWatch Logs."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.core.providers import ProvisioningError, Resource
from localcloud.core.service_api import ApiError
from localcloud.logs.events import group_arn

if TYPE_CHECKING:
    from localcloud.core.providers import ResourceRequest
    from localcloud.logs.encryption import Encryption
    from localcloud.logs.events import Events

_SUPPORTED_PROPERTIES = {"KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags",
             "DeletionProtectionEnabled"}  # fmt: skip
_KEY_PATTERN = r"(arn:[a-z0-9-]+:kms:[a-z0-9-]+:\d{12}:(key|alias)/.+)?"
"""Of `KmsKeyId`, by the type's schema; "" is no key."""


class LogGroupProvider:
    """`AWS::Logs::LogGroup`."""

    def __init__(self, events: Events, encryption: Encryption) -> None:
        self._events = events
        self._encryption = encryption

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """A new name needs replacement."""
        name = request.properties.get("LogGroupName")
        return bool(name != current.properties.get("LogGroupName"))

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        name = request.properties.get("LogGroupName") or request.generated_name(512)
        there = self._events.group(f"{request.account}/{request.region}/{name}")
        # A group that this resource created in an interrupted operation is its own.
        if there is not None and there.get("owner") != _owner(request):
            raise ProvisioningError(
                f"Resource of type 'AWS::Logs::LogGroup' with identifier "
                f'\'{{"/properties/LogGroupName":"{name}"}}\' already exists.'
            )
        return self._put(request, name)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        return self._put(request, current.physical_id)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        self._events.delete_group(f"{request.account}/{request.region}/{current.physical_id}")

    def _put(self, request: ResourceRequest, name: str) -> Resource:
        properties = request.properties
        other = sorted(properties.keys() - _SUPPORTED_PROPERTIES)
        if other:
            raise ProvisioningError(
                f"Log group {name}: {', '.join(other)} is not part of the local cloud"
            )
        key = f"{request.account}/{request.region}/{name}"
        self._check_key(group_arn(request.account, request.region, name), key, properties)
        made = self._events.create_group(request.account, request.region, name)
        tags = request.tags | {each["Key"]: each["Value"] for each in properties.get("Tags") or []}
        group: dict[str, Any] = {
            each: value
            for each, value in made.items()
            if each not in {"retentionInDays", "kmsKeyId"}
        }
        group |= {"owner": _owner(request), "tags": tags}
        if "RetentionInDays" in properties:
            group["retentionInDays"] = int(properties["RetentionInDays"])
        if "KmsKeyId" in properties:
            group["kmsKeyId"] = properties["KmsKeyId"]
        self._events.put_group(key, group)
        return Resource(name, {"Arn": group["arn"]}, properties)

    def _check_key(self, arn: str, key: str, properties: dict[str, Any]) -> None:
        """Check a new KMS key; the texts are those of aws-cdk#28304 and of the schema."""
        wanted = properties.get("KmsKeyId") or ""
        if wanted == (self._events.group(key) or {}).get("kmsKeyId", ""):
            return
        if not re.fullmatch(_KEY_PATTERN, wanted):
            raise ProvisioningError(
                "Model validation failed (#/KmsKeyId: failed validation constraint for keyword "
                "[pattern])"
            )
        try:
            self._encryption.check_key(arn, wanted)
        except ApiError as error:
            raise ProvisioningError(
                f'Resource handler returned message: "{error.message} (Service: CloudWatchLogs, '
                f'Status Code: 400, Request ID: {uuid.uuid4()})" (RequestToken: {uuid.uuid4()}, '
                "HandlerErrorCode: GeneralServiceException)"
            ) from error


class LogStreamProvider:
    """`AWS::Logs::LogStream`."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Every change needs replacement."""
        return bool(request.properties != current.properties)

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        group = request.properties["LogGroupName"]
        key = f"{request.account}/{request.region}/{group}"
        if self._events.group(key) is None:
            raise ProvisioningError("The specified log group does not exist.")
        name = request.properties.get("LogStreamName") or request.generated_name(512)
        self._events.make_stream(key, name)
        return Resource(name, {}, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`; nothing can change in place."""
        return Resource(current.physical_id, current.attributes, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        group = current.properties["LogGroupName"]
        key = f"{request.account}/{request.region}/{group}"
        self._events.delete_stream(key, current.physical_id)


class UnsupportedProvider:
    """Rejects a type that the local cloud does not support."""

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:  # noqa: ARG002  # the port's own signature
        """See `Provider.replaces`; no resource exists."""
        return False

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        raise ProvisioningError(
            f"{request.type} is not part of the local cloud; use embedded metrics (EMF) instead"
        )

    def update(self, request: ResourceRequest, current: Resource) -> Resource:  # noqa: ARG002  # the port's own signature
        """See `Provider.update`."""
        return self.create(request)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`; no resource exists."""


def _owner(request: ResourceRequest) -> str:
    return f"{request.stack_id}/{request.logical_id}"
