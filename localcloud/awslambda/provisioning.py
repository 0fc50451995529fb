"""Helpers of Lambda's providers: properties of requests, and errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from localcloud.awslambda.model import address
from localcloud.core.providers import ProvisioningError
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.awslambda.model import Address
    from localcloud.core.providers import Resource, ResourceRequest


@contextmanager
def as_provisioning_error(*, gone: bool = False) -> Iterator[None]:
    """Convert Lambda's errors to CloudFormation's; with `gone`, ignore a missing one."""
    try:
        yield
    except ApiError as error:
        if gone and error.code == "ResourceNotFoundException":
            return
        raise ProvisioningError(f"{error.message} (Service: Lambda, {error.code})") from error


def only(request: ResourceRequest, *supported: str) -> None:
    """Reject properties that are not supported."""
    for name, value in request.properties.items():
        if value and name not in supported:
            raise ProvisioningError(f"{request.logical_id}: {name} is not part of the local cloud")


def function(request: ResourceRequest) -> Address:
    """Return the function that the resource belongs to."""
    return address(request.account, request.region, request.properties["FunctionName"])


def differs(request: ResourceRequest, current: Resource, *names: str) -> bool:
    """Return whether one of the named properties changes."""
    return any(request.properties.get(name) != current.properties.get(name) for name in names)
