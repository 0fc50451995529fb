"""One synthetic journey through the public API, and its result."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from pipeline.journeys.client import Client, StepError
from pipeline.journeys.customer import create_customer


@dataclass(frozen=True)
class Failure:
    """The first failed step, what it found, and what is allowed."""

    step: str
    found: str
    allowed: str
    gateway_status: int | None = None
    """The status of a response by API Gateway itself; None if the service answered."""

    @property
    def sentence(self) -> str:
        """The failure on one line."""
        return f"step {self.step} failed: found {self.found}; allowed is {self.allowed}"


@dataclass(frozen=True)
class Journey:
    """The result of a journey."""

    steps: dict[str, int]
    """Milliseconds of each successful step, in order."""
    milliseconds: int
    answered: bool
    """Whether any response has arrived."""
    failure: Failure | None
    unconfirmed: Failure | None = None
    """The failure of a first try whose step did not fail again in the second one."""


def run_confirmed_journey(url: str, seconds: float) -> Journey:
    """Run a journey, and again if it fails: a failure counts if its step fails twice.

    So a step that does not work fails each time, and a service that fails a few requests of any
    kind, which the canary judge compares between versions, hardly ever. Both tries share the
    seconds; a failure counts, too, if they are over.
    """
    began = time.monotonic()
    first = run_journey(url, seconds)
    left = seconds - (time.monotonic() - began)
    if first.failure is None or left <= 0:
        return first
    second = run_journey(url, left)
    repeated = second.failure is not None and second.failure.step == first.failure.step
    if repeated or time.monotonic() - began >= seconds:
        return replace(second, failure=second.failure or first.failure)
    return replace(second, failure=None, unconfirmed=first.failure)


def run_journey(url: str, seconds: float) -> Journey:
    """Run a journey against an API's URL; it fails if it exceeds its seconds.

    The customer deletes what it has created, also after a failure.
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
