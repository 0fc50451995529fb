"""The plan of a run of the load generator: what it sends and when, independent of the answers."""

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
"""Variables with which Locust's processes get the plan, the addresses (separated by blanks) and the
folder for reports."""
MAX_COLD_START_SECONDS = 10.0
"""Lambda's limit for the initialisation of a sandbox ("Lambda execution environment")."""
SEED = 20260101
"""Fixed, so that every release gets the same arrivals and the same tasks."""


@dataclass(frozen=True)
class Plan:
    """The plan of a run; times in seconds, `users` and the rate per address over all workers."""

    requests_per_second: int
    seconds: int
    users: int
    workers: int
    warm_up_seconds: int
    """Longest warm-up; it ends earlier if every user has reached only warm sandboxes."""
    warm_up_users: int
    """Users that send at once during the warm-up; more would start unneeded sandboxes."""
    answer_timeout: float
    """Time after the last due request in which answers are accepted."""

    @classmethod
    def of(cls, limits: Load) -> Self:
        """Return the plan for the limits of an environment."""
        return cls(
            limits.requests_per_second,
            limits.seconds,
            limits.users,
            limits.workers,
            limits.warm_up_seconds,
            # Little's law: the users of a service whose median latency is at its limit.
            math.ceil(limits.requests_per_second * limits.max_p50_ms / 1000),
            # An answer after this time exceeds every limit, and no cold start takes that long.
            answer_timeout=max(2 * limits.max_p99_ms / 1000, MAX_COLD_START_SECONDS),
        )

    @property
    def requests(self) -> int:
        """Return the number of counted requests to an address."""
        return self.requests_per_second * self.seconds

    def arrivals(self, worker: int, address: int = 0, addresses: int = 1) -> Iterator[float]:
        """Yield the due times of a worker's requests to an address, in seconds from the start.

        Within each second the arrivals are a Poisson process with a fixed number of points, each
        uniform in the second. Answers do not change them. The addresses alternate, so that none of
        them always comes second.
        """
        drawn = Random(SEED)  # noqa: S311  # a schedule is no secret

        def everything() -> Iterator[float]:
            for second in range(self.seconds):
                points = (drawn.random() for _ in range(self.requests_per_second * addresses))
                yield from sorted(second + point for point in points)

        mine = islice(everything(), worker, None, self.workers)
        # Each worker starts with another address, so that no worker sends to only one.
        return islice(mine, (address - worker) % addresses, None, addresses)

    def text(self) -> str:
        """Return the plan as JSON for `read`."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a plan that `text` returned."""
        return cls(**json.loads(text))
