"""Observations in memory (by metric, unit and time) and as rows of the ledger."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.cloudwatch.statistics import Distribution

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.cloudwatch.model import Metric

    Points = dict[int, Distribution]
    """By the first cloud second of the minute (high resolution: of the second)."""
    Pending = dict[Metric, dict[str, Points]]
    """By metric and unit."""


def row(distribution: Distribution) -> tuple[Any, ...]:
    """Return the columns of a distribution."""
    return (
        distribution.count,
        distribution.total,
        distribution.minimum,
        distribution.maximum,
        int(distribution.opaque),
        json.dumps(list(distribution.values.items()), separators=(",", ":")),
    )


def of_row(columns: Iterable[Any]) -> Distribution:
    """Return the distribution of its columns."""
    result = Distribution()
    count, total, minimum, maximum, opaque, observed = columns
    result.count, result.total, result.minimum, result.maximum = count, total, minimum, maximum
    result.opaque = bool(opaque)
    result.values = dict(json.loads(observed))
    return result
