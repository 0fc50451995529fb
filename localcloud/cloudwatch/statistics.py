"""Statistics of a metric's data ("CloudWatch statistics definitions").

A distribution counts each value, so that percentiles are exact up to 1,000 different values.
Further new values are rounded to three significant digits (an error of at most 0.5 %).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from localcloud.cloudwatch.model import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_EXACT_VALUES = 1000
_SIGNIFICANT_DIGITS = 3
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_NAMES = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


class Distribution:
    """Count, sum, extremes and values of observations.

    `opaque` means that some values are unknown, because they came as a statistic set. Then
    percentiles are unknown, too.
    """

    __slots__ = ("count", "maximum", "minimum", "opaque", "total", "values")

    def __init__(self) -> None:
        self.count = 0.0
        self.total = 0.0
        self.minimum = math.inf
        self.maximum = -math.inf
        self.opaque = False
        self.values: dict[float, float] = {}

    def add(self, value: float, count: float = 1.0) -> None:
        """Add a value `count` times."""
        self.count += count
        self.total += value * count
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)
        self._keep(value, count)

    def add_set(self, count: float, total: float, minimum: float, maximum: float) -> None:
        """Add a statistic set; its values are known only if all are equal."""
        self.count += count
        self.total += total
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)
        if minimum == maximum:
            self._keep(minimum, count)
        else:
            self.opaque = True

    def merge(self, other: Distribution) -> None:
        """Add all observations of another distribution."""
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.opaque = self.opaque or other.opaque
        for value, count in other.values.items():
            self._keep(value, count)

    def _keep(self, value: float, count: float) -> None:
        values = self.values
        if value not in values and len(values) >= _MAX_EXACT_VALUES:
            value = float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
        values[value] = values.get(value, 0.0) + count

    def percentile(self, share: float) -> float | None:
        """Return the smallest value that `share` per cent of observations do not exceed.

        None if unknown: AWS has no percentiles of statistic sets and of metrics with negative
        values.
        """
        if self.opaque or self.minimum < 0:
            return None
        wanted = self.count * share / 100 * (1 - 1e-12)
        seen = 0.0
        for value in sorted(self.values):
            seen += self.values[value]
            if seen >= wanted:
                return value
        return self.maximum

    def statistic(self, name: str) -> float | None:
        """Return a statistic such as `Average` or `p99.9`; None if unknown."""
        if not self.count:
            return None
        if name.startswith("p"):
            return self.percentile(float(name[1:]))
        return {
            "SampleCount": self.count,
            "Average": self.total / self.count,
            "Sum": self.total,
            "Minimum": self.minimum,
            "Maximum": self.maximum,
        }[name]


def check_statistic(name: str) -> None:
    """Check the name of a statistic.

    Raises:
        DefinitionError: it is neither one of the five basic statistics nor a percentile.
    """
    if name not in _NAMES and not _PERCENTILE.fullmatch(name):
        raise DefinitionError(
            f"The value {name} for parameter Stat is not supported: the local cloud computes "
            f"{', '.join(_NAMES)} and percentiles such as p99.9"
        )


def merged(distributions: Iterable[Distribution]) -> Distribution:
    """Return one distribution of all observations."""
    result = Distribution()
    for each in distributions:
        result.merge(each)
    return result
