"""The delay model that every service shares: how late changes, data and events appear.

Each service states its own delays, with their sources, where it applies them:

| what | module |
|---|---|
| updates of functions | `localcloud.awslambda.updates` |
| metrics | `localcloud.cloudwatch.delays` |
| roles and policies | `localcloud.iam.propagation` |
| log events | `localcloud.logs.visibility` |
| events and schedules | `localcloud.eventbridge.latency` |

All delays are in cloud seconds. The same seed delays the same things alike.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

_SHARES = 2**32


@dataclass(frozen=True)
class Delays:
    """AWS's delays, or none; `metric_seconds` makes metrics later still."""

    metric_seconds: float = 0.0
    seed: int = 0
    enabled: bool = True

    def between(self, limits: tuple[float, float], of: str) -> float:
        """Seconds between two limits that depend on the seed and the text alone, or 0."""
        if not self.enabled:
            return 0.0
        low, high = limits
        return low + (high - low) * self.share(of)

    def happens(self, probability: float, of: str) -> bool:
        """Whether a rare event happens to what the text names."""
        return self.enabled and self.share(of) < probability

    def share(self, of: str) -> float:
        """A number from 0 to 1 that depends on the seed and the text alone."""
        return zlib.crc32(of.encode(), self.seed) / _SHARES


AS_ON_AWS = Delays()
NO_DELAYS = Delays(enabled=False)
"""For tests of other behaviour: no delays."""
