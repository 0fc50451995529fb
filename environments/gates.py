"""Settings of the gates `load`, `dynamic` and `synthetic`."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from environments.limits import Share  # noqa: TC001  # pydantic reads the annotation
from environments.part import Part

# With fewer requests, the slowest hundredth of them is not even one.
_MIN_P99_REQUESTS = 100


class Comparison(Part):
    """When the load gate counts a release as slower than the last promoted one.

    Both are measured in the same seconds, so that transient noise affects both, and only the rate
    of false alarms remains. Lasting noise, such as a sandbox on a slower machine, must stay below
    the two minimum growths.
    """

    false_alarm_share: Annotated[float, Field(ge=0.0001, le=0.2)]
    """Maximum share of releases without a change that are refused."""
    min_growth: Annotated[float, Field(gt=0, le=10)]
    """A p50 or p95 that grew by a smaller share is never refused."""
    min_growth_ms: Annotated[int, Field(ge=1)]
    """A p50 or p95 that grew by fewer milliseconds is never refused."""


class Load(Part):
    """The requests and the limits of the load gate."""

    users: Annotated[int, Field(ge=1, le=10000)]
    """Maximum of concurrent requests."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that run the users.

    One sends some hundred requests a second, half of them to the last promoted release.
    """
    seconds: Annotated[int, Field(ge=1, le=3600)]
    warm_up_seconds: Annotated[int, Field(ge=0, le=600)]
    """Maximum seconds of requests that do not count."""
    requests_per_second: Annotated[int, Field(ge=1, le=10000)]
    """Request rate, independent of the responses."""
    min_throughput: Annotated[int, Field(ge=1)]
    """Minimum of successful responses a second."""
    max_failure_share: Share
    max_cold_share: Share
    """Maximum share of requests with a cold start; they are left out of the latencies."""
    max_p50_ms: Annotated[int, Field(ge=1)]
    max_p95_ms: Annotated[int, Field(ge=1)]
    max_p99_ms: Annotated[int, Field(ge=1)]
    comparison: Comparison

    @model_validator(mode="after")
    def _can_be_measured(self) -> Load:
        # Little's law: otherwise too few users would make a service within its limits look slow.
        busy = math.ceil(self.requests_per_second * self.max_p95_ms / 1000)
        if self.users < busy:
            raise ValueError(
                f"found {self.users} users; {self.requests_per_second} requests a second that "
                f"take {self.max_p95_ms} ms keep {busy} busy; users must be at least {busy}"
            )
        if self.workers > self.users:
            raise ValueError(
                f"found {self.workers} workers; each needs a user, and there are {self.users}"
            )
        if self.requests_per_second * self.seconds < _MIN_P99_REQUESTS:
            raise ValueError(
                f"found {self.requests_per_second * self.seconds} requests (requests_per_second "
                f"times seconds); a p99 needs at least {_MIN_P99_REQUESTS}"
            )
        if self.min_throughput > self.requests_per_second:
            raise ValueError(
                f"found min_throughput {self.min_throughput}; no more than requests_per_second, "
                f"{self.requests_per_second}, can be answered"
            )
        if not self.max_p50_ms <= self.max_p95_ms <= self.max_p99_ms:
            raise ValueError(
                f"found p50, p95 and p99 of {self.max_p50_ms}, {self.max_p95_ms} and "
                f"{self.max_p99_ms} ms; none can be less than the one before"
            )
        return self


class Dynamic(Part):
    """The extent of the dynamic gate, whose requests come from the API description."""

    max_examples: Annotated[int, Field(ge=1, le=1000)]
    """Examples of each operation in each phase; the same in every run."""
    seconds: Annotated[int, Field(ge=1, le=3600)]
    """Time limit; the gate refuses a run that exceeds it."""


class Synthetic(Part):
    """Synthetic journeys through the deployed API."""

    every_minutes: Literal[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]
    seconds: Annotated[int, Field(ge=1, le=45)]
    """Time limit of a journey; at most 45, so that it ends before the next."""
