"""What a service's own resources give to its function."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.service import part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import Stack
    from aws_cdk import aws_iam as iam


@dataclass(frozen=True)
class Resources:
    """What `create` of `service/delivery/resources.py` returns."""

    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables of the function, besides those that the platform sets."""
    statements: Sequence[iam.PolicyStatement] = ()
    """What the function may do, besides writing its logs, metrics and traces."""


def service_resources(stack: Stack) -> Resources:
    """Create the service's own resources in its stack of an environment; none by default.

    They are children of the stack itself, so that moving this code does not replace a bucket.
    """
    service = part("resources")
    if service is None:
        return Resources()
    created = service.create(stack)
    if not isinstance(created, Resources):
        raise TypeError(
            f"service/delivery/resources.py: create returned {created!r}; return "
            "pipeline.delivery.stacks.resources.Resources"
        )
    return created
