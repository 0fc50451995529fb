"""What a run of the load generator sends, and when: decided before the first answer is seen."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from environments.gates import Load

PLAN, ADDRESSES, FOLDER = "LOAD_PLAN", "LOAD_ADDRESSES", "LOAD_FOLDER"
"""The environment variables that tell Locust's processes the plan, where requests go, and where to
report. Addresses are separated by blanks."""
COLD = 10.0
"""Seconds; Lambda gives a sandbox no longer to initialise ("Lambda execution environment")."""
SEED = 20260101
"""Every release meets the same arrivals, and its users draw the same tasks."""


@dataclass(frozen=True)
class Plan:
    """A run. Times in seconds; `users` and the rate are of all workers together, for an address."""

    requests_per_second: int
    seconds: int
    users: int
    workers: int
    warm_up_seconds: int
    """At most so long; it ends when every user has met warm sandboxes alone."""
    warm_up_users: int
    """Of the users, so many at once: each that has to wait would start a sandbox of its own."""
    patience: float
    """So long after the last request was due, answers are waited for; then there are none."""

    @classmethod
    def of(cls, limits: Load) -> Self:
        """The plan of an environment."""
        return cls(
            limits.requests_per_second,
            limits.seconds,
            limits.users,
            limits.workers,
            limits.warm_up_seconds,
            # By Little's law, as many as a service keeps busy whose median is at its limit.
            math.ceil(limits.requests_per_second * limits.max_p50_ms / 1000),
            # What has no answer by then is over every limit, and by far, and no cold start either.
            patience=max(2 * limits.max_p99_ms / 1000, COLD),
        )

    @property
    def requests(self) -> int:
        """How many are sent to an address, and counted."""
        return self.requests_per_second * self.seconds

    def arrivals(self, worker: int, address: int = 0, addresses: int = 1) -> Iterator[float]:
        """When a worker's requests to an address are due, in seconds from the beginning; ascending.

        Within each second the arrivals are a Poisson process, given how many there are: so many
        points, each anywhere in the second. No answer can move one of them. The addresses take
        turns, so that none is always the second that a processor is busy with.
        """
        drawn = Random(SEED)  # noqa: S311  # a schedule is no secret

        def everything() -> Iterator[float]:
            for second in range(self.seconds):
                points = (drawn.random() for _ in range(self.requests_per_second * addresses))
                yield from sorted(second + point for point in points)

        mine = islice(everything(), worker, None, self.workers)
        # Each worker begins with another address, else one worker would have one address alone.
        return islice(mine, (address - worker) % addresses, None, addresses)

    def text(self) -> str:
        """As JSON, which `read` takes."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def read(cls, text: str) -> Self:
        """The plan that `text` gave."""
        return cls(**json.loads(text))
