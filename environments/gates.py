"""What is sent to a deployed environment, and accepted: `load`, `dynamic` and `synthetic`."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from environments.limits import Share  # noqa: TC001  # pydantic reads the annotation
from environments.part import Part

# With fewer requests the slowest hundredth of them is not even one.
_FEWEST = 100


class Comparison(Part):
    """When the load gate takes a release for slower than the last one that was promoted.

    Both are measured in the same seconds, so that noise which comes and goes meets both, and the
    false alarms are all that is left of it. What stays, such as a sandbox on a slower machine, the
    two minima have to be above.
    """

    false_alarm_share: Annotated[float, Field(ge=0.0001, le=0.2)]
    """Of releases that changed nothing, at most this share is refused."""
    min_growth: Annotated[float, Field(gt=0, le=10)]
    """A p50 or p95 that grew by a smaller share of itself is never refused."""
    min_growth_ms: Annotated[int, Field(ge=1)]
    """Nor is one that grew by less than this."""


class Load(Part):
    """What the load gate sends, and what it accepts."""

    users: Annotated[int, Field(ge=1, le=10000)]
    """At most so many requests are under way at once."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that the users are spread over; one sends some hundred requests a second, of which
    the release promoted last takes half."""
    seconds: Annotated[int, Field(ge=1, le=3600)]
    warm_up_seconds: Annotated[int, Field(ge=0, le=600)]
    """At most so long, requests are sent that do not count."""
    requests_per_second: Annotated[int, Field(ge=1, le=10000)]
    """Sent whether or not the answers keep up."""
    min_throughput: Annotated[int, Field(ge=1)]
    """Good answers a second."""
    max_failure_share: Share
    max_cold_share: Share
    """Of requests that met a cold start; they do not count for the latencies."""
    max_p50_ms: Annotated[int, Field(ge=1)]
    max_p95_ms: Annotated[int, Field(ge=1)]
    max_p99_ms: Annotated[int, Field(ge=1)]
    comparison: Comparison

    @model_validator(mode="after")
    def _can_be_measured(self) -> Load:
        # Little's law: else a service within its limits would be blamed for too few users.
        busy = math.ceil(self.requests_per_second * self.max_p95_ms / 1000)
        if self.users < busy:
            raise ValueError(
                f"found {self.users} users; {self.requests_per_second} requests a second that "
                f"take {self.max_p95_ms} ms keep {busy} busy: give at least so many"
            )
        if self.workers > self.users:
            raise ValueError(
                f"found {self.workers} workers; each needs a user, and there are {self.users}"
            )
        if self.requests_per_second * self.seconds < _FEWEST:
            raise ValueError(
                f"found {self.requests_per_second * self.seconds} requests (requests_per_second "
                f"times seconds); a p99 needs at least {_FEWEST}"
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
    """How much the dynamic gate sends that the API's own description makes possible."""

    max_examples: Annotated[int, Field(ge=1, le=1000)]
    """Of each operation in each phase; the same in every run."""
    seconds: Annotated[int, Field(ge=1, le=3600)]
    """An examination that lasts longer was none, and the gate refuses."""


class Synthetic(Part):
    """A customer's journey through the deployed API, made again and again."""

    every_minutes: Literal[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]
    seconds: Annotated[int, Field(ge=1, le=45)]
    """That a journey may take, with all its requests; at most 45, to be over before the next."""
