"""EventBridge's latency, and its occasional second deliveries.

| event | delay |
|---|---|
| a cron rule, a schedule of Scheduler | at any second of its minute ("Setting a schedule pattern for scheduled rules"; "Schedule types in EventBridge Scheduler": between 1:00:00 and 1:00:59) |
| a rate rule | up to 20 seconds later (Miserlou/Zappa#806: 1 to 20, at no regular pace) |
| a delivery to a target | 0.3 to 3 seconds after its event (EventBridge user guide: "a delay of several seconds" until the target runs) |
| a second delivery of the same event | of one in a hundred, up to 10 seconds later ("My rule ran more than once in response to one event"; wellcomecollection/platform#2686) |
"""  # noqa: E501  # a table

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.core.delays import Delays

_MINUTE_SECONDS = (0.0, 55.0)
"""The rest of the minute remains for the delivery."""
_RATE_SECONDS = (0.0, 20.0)
_DELIVERY_SECONDS = (0.3, 3.0)
_REPETITION_SECONDS = (1.0, 10.0)
_REPETITION_PROBABILITY = 0.01


class Latency:
    """Computes delays in cloud seconds, by the ARN of a rule or a schedule."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self._lock = threading.Lock()
        self._deliveries: Counter[str] = Counter()

    def of_time(self, expression: str, arn: str, due: float) -> float:
        """Return the delay from an expression's due time to its event."""
        limits = _RATE_SECONDS if expression.startswith("rate") else _MINUTE_SECONDS
        return self._delays.between(limits, f"{arn}/{due:.0f}")

    def of_deliveries(self, arn: str) -> list[float]:
        """Return the delays of an event's deliveries to a target, usually one."""
        with self._lock:
            self._deliveries[arn] += 1
            number = self._deliveries[arn]
        first = self._delays.between(_DELIVERY_SECONDS, f"{arn}/first/{number}")
        if not self._delays.happens(_REPETITION_PROBABILITY, f"{arn}/again/{number}"):
            return [first]
        return [first, first + self._delays.between(_REPETITION_SECONDS, f"{arn}/{number}")]
