"""The customer of a journey: the service's own, or one who asks for `/health`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from pipeline.service import part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.journeys.client import Client

    Step = tuple[str, Callable[[], None]]


class Customer(Protocol):
    """What `Customer` in `service/delivery/journey.py` is; one is created for each journey."""

    def steps(self) -> Sequence[Step]:
        """Return the journey's steps in their order, each a name and a function.

        A step raises `StepError` if it finds something else than is allowed.
        """
        ...

    def tidy(self) -> None:
        """Delete what the steps have left; called after each journey, failed ones included."""
        ...


class HealthCustomer:
    """Asks whether the service is alive."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def steps(self) -> Sequence[Step]:
        """Return the only step."""
        return (("health", self._health),)

    def tidy(self) -> None:
        """Do nothing: the step leaves nothing."""

    def _health(self) -> None:
        self._client.ask("GET", "/health", HTTPStatus.OK)


def create_customer(client: Client) -> Customer:
    """Create the customer of one journey."""
    journey = part("journey")
    customer: Customer = journey.Customer(client) if journey else HealthCustomer(client)
    return customer
