"""The customer of a journey: the service's own, or one that requests `/health`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from pipeline.service import part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.journeys.client import Client

    Step = tuple[str, Callable[[], None]]


class Customer(Protocol):
    """The interface of `Customer` in `service/delivery/journey.py`, one per journey."""

    def steps(self) -> Sequence[Step]:
        """Return the steps in order, each a name and a function.

        A step raises `StepError` if it finds something that is not allowed.
        """
        ...

    def tidy(self) -> None:
        """Delete what the steps have created; called after each journey, failed or not."""
        ...


class HealthCustomer:
    """Requests `/health`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def steps(self) -> Sequence[Step]:
        """Return the only step."""
        return (("health", self._health),)

    def tidy(self) -> None:
        """Do nothing: the step creates nothing."""

    def _health(self) -> None:
        self._client.ask("GET", "/health", HTTPStatus.OK)


def create_customer(client: Client) -> Customer:
    """Create the customer of one journey."""
    journey = part("journey")
    customer: Customer = journey.Customer(client) if journey else HealthCustomer(client)
    return customer
