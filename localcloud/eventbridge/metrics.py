"""EventBridge's own metrics by rule, flushed in batches.

Source: "Monitoring Amazon EventBridge" in the user guide.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from localcloud.core.buffer import Buffer
from localcloud.core.ports import Datum

if TYPE_CHECKING:
    from localcloud.core.clock import Clock
    from localcloud.core.ports import MetricSink

_Counted = tuple[str, str, str, str]
"""Account, region, rule, and the metric to increment."""


class Metrics:
    """Buffers increments without blocking, and flushes them to CloudWatch."""

    def __init__(self, clock: Clock, metrics: MetricSink) -> None:
        self._clock = clock
        self._metrics = metrics
        self._counted = Buffer("schedules-metrics", self._flush)

    def start(self) -> None:
        """Start to flush."""
        self._counted.start()

    def stop(self) -> None:
        """Flush the rest and stop."""
        self._counted.stop()

    def count(self, account: str, region: str, rule: str, *names: str) -> None:
        """Increment metrics of a rule by one."""
        for name in names:
            self._counted.put((account, region, rule, name))

    def _flush(self, counted: list[_Counted]) -> None:
        now = self._clock.timestamp()
        counts = Counter(counted)
        for account, region in {key[:2] for key in counts}:
            data = [
                Datum(name, {"RuleName": rule}, (1.0,), now, "Count", (float(count),))
                for (owner, place, rule, name), count in counts.items()
                if (owner, place) == (account, region)
            ]
            self._metrics.put(account, region, "AWS/Events", data)
