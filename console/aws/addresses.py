"""Addresses of the environments, and the versions that serve there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.aws.deployed import deployed, serving
from console.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.aws.account import Aws, Place


@dataclass(frozen=True)
class Address:
    """An environment's address; empty if nothing is deployed, or if it cannot be read."""

    environment: str
    url: str
    serves: str
    """Version and commit, such as version 3 of commit c0ffeec; or why they are unknown."""


def addresses(aws: Aws, environments: Mapping[str, Place]) -> Iterator[Address]:
    """Yield the address of each environment."""
    for name, place in environments.items():
        try:
            service = deployed(aws, name, place)
            if service is None:
                yield Address(name, "", "nothing is deployed yet")
            else:
                yield Address(name, service.url, serving(aws, service).description)
        except ConsoleError as error:
            yield Address(name, "", str(error))
