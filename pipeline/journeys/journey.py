"""One customer's journey through the public API, and how it went."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pipeline.journeys.client import Client, StepError
from pipeline.journeys.customer import create_customer


@dataclass(frozen=True)
class Failure:
    """The first step that failed, what was found there, and what is allowed."""

    step: str
    found: str
    allowed: str
    gateway_status: int | None = None
    """The status that API Gateway answered by itself; None if the service answered."""

    @property
    def sentence(self) -> str:
        """All of it, on one line."""
        return f"step {self.step} failed: found {self.found}; allowed is {self.allowed}"


@dataclass(frozen=True)
class Journey:
    """How a journey went."""

    steps: dict[str, int]
    """Milliseconds of each step that succeeded, in their order."""
    milliseconds: int
    answered: bool
    """Whether anything has answered at all."""
    failure: Failure | None


def travel(url: str, seconds: float) -> Journey:
    """Make a journey from an API's address; it fails if it takes longer than the seconds.

    It leaves nothing behind, unless the service does not delete.
    """
    client = Client(url, seconds)
    customer = create_customer(client)
    began = time.monotonic()
    steps: dict[str, int] = {}
    failure = None
    try:
        for name, step in customer.steps():
            at = time.monotonic()
            try:
                step()
            except StepError as error:
                failure = Failure(name, error.found, error.allowed, error.gateway_status)
                break
            steps[name] = _milliseconds(at)
        milliseconds = _milliseconds(began)
    finally:
        customer.tidy()
    return Journey(steps, milliseconds, client.answered, failure)


def _milliseconds(since: float) -> int:
    return round(1000 * (time.monotonic() - since))
