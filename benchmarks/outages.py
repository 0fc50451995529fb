"""Compute how likely a guard rail stops an outage of the new version within one minute.

The probabilities are exact: sums of the binomial distribution, not simulations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.causes import PARAMETERS, THRESHOLD
from pipeline.judge.rails import firing_count

REQUESTS = (50, 120, 600, 6_000)
"""Requests of the new version in the minute."""
FAILING = (0.12, 0.15, 0.2, 0.3, 0.5, 1.0)
"""Shares of them that fail, on the average."""
_LIMIT = PARAMETERS.limits["failures"]


@dataclass(frozen=True)
class Outage:
    """The guard rail on failures in minutes with a number of requests."""

    requests: int
    fires_at: int
    """The fewest failed requests at which it fires."""
    fired_at: int
    """The same when it compared the share alone with the limit."""

    def stopped(self, failing: float) -> tuple[float, float]:
        """Return the probabilities of firing in a minute, by both; `failing`: share that fails."""
        return (
            tail(self.fires_at, self.requests, failing),
            tail(self.fired_at, self.requests, failing),
        )


def outages() -> list[Outage]:
    """Return the rail in minutes of each size."""
    found = []
    for requests in REQUESTS:
        count = firing_count(requests, _LIMIT, THRESHOLD)
        if count is not None:
            found.append(Outage(requests, count, math.floor(_LIMIT * requests) + 1))
    return found


def tail(bad: int, requests: int, share: float) -> float:
    """Return the probability of at least so many bad ones among independent requests."""
    if share == 1:
        return float(bad <= requests)
    logs = (
        math.lgamma(requests + 1) - math.lgamma(count + 1) - math.lgamma(requests - count + 1)
        + count * math.log(share) + (requests - count) * math.log1p(-share)
        for count in range(bad, requests + 1)
    )  # fmt: skip
    return min(1.0, math.fsum(map(math.exp, logs)))


def table() -> str:
    """Return the probabilities as a Markdown table."""
    lines = [
        "| requests a minute | fires at | before | "
        + " | ".join(f"{share:.0%} fail" for share in FAILING)
        + " |",
        "| ---: " * (3 + len(FAILING)) + "|",
    ]
    for each in outages():
        stopped = (each.stopped(share) for share in FAILING)
        lines.append(
            f"| {each.requests:,} | {each.fires_at} ({each.fires_at / each.requests:.1%}) "
            f"| {each.fired_at} | "
            + " | ".join(f"{now:.1%} ({before:.1%})" for now, before in stopped)
            + " |"
        )
    return "\n".join(lines)
