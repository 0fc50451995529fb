"""Preconditions of changes to functions and aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.awslambda.configuration import invalid
from localcloud.awslambda.model import LATEST
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from localcloud.awslambda.model import Function
    from localcloud.core.ports import Routing


def require(expected: str | None, found: str) -> None:
    """Check the RevisionId that the caller expects.

    Raises:
        ApiError: PreconditionFailedException.
    """
    if expected and expected != found:
        raise ApiError(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id",
        )


def check_routing(function: Function, routing: Routing) -> None:
    """Check an alias's routing ("Implement Lambda canary deployments").

    Raises:
        ApiError: InvalidParameterValueException, or ResourceNotFoundException for a version.
    """
    function.version(routing.version)
    if not routing.weights:
        return
    if len(routing.weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for version, weight in routing.weights.items():
        if LATEST in {version, routing.version}:
            raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
        function.version(version)
        if version == routing.version:
            raise invalid(
                f"Invalid function version {version}. Function version {version} is already "
                "included in routing configuration."
            )
        if not 0 <= weight <= 1:
            raise invalid(f"The weight of version {version} is {weight}; it must be from 0 to 1")
