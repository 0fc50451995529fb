"""The interface between a service's own resources and its function."""

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
    """The return value of `create` in `service/delivery/resources.py`."""

    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables of the function, in addition to the platform's."""
    statements: Sequence[iam.PolicyStatement] = ()
    """Permissions of the function, in addition to writing logs, metrics and traces."""


def service_resources(stack: Stack) -> Resources:
    """Create the service's own resources in its stack; none by default.

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
