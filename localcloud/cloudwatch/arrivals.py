"""Metrics that have not arrived yet, in memory and in the ledger."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from localcloud.cloudwatch.model import Metric
from localcloud.cloudwatch.rows import of_row, row
from localcloud.cloudwatch.statistics import Distribution

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from localcloud.cloudwatch.rows import Pending
    from localcloud.core.ledger import Ledger

_SCHEMA = """
CREATE TABLE IF NOT EXISTS metric_arrivals (
    due INTEGER NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL,
    name TEXT NOT NULL, dimensions TEXT NOT NULL, unit TEXT NOT NULL, start INTEGER NOT NULL,
    count REAL NOT NULL, total REAL NOT NULL, minimum REAL NOT NULL, maximum REAL NOT NULL,
    opaque INTEGER NOT NULL, observed TEXT NOT NULL
);
"""
_INSERT = "INSERT INTO metric_arrivals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Arrivals:
    """Observations by their cloud second of arrival. Callers must hold the lock."""

    def __init__(self, ledger: Ledger) -> None:
        ledger.create(_SCHEMA)
        self._fresh: dict[int, Pending] = {}
        self._saved: dict[int, Pending] = {}
        self._arrived = 0  # rows that were due by then can be deleted
        for (
            due,
            account,
            region,
            namespace,
            name,
            dimensions,
            unit,
            start,
            *columns,
        ) in ledger.query("SELECT * FROM metric_arrivals"):
            pairs = tuple((key, value) for key, value in json.loads(dimensions))
            metric = Metric(account, region, namespace, name, pairs)
            points = self._saved.setdefault(due, {}).setdefault(metric, {}).setdefault(unit, {})
            points.setdefault(start, Distribution()).merge(of_row(columns))

    def open(self, metric: Metric, unit: str, start: int, arrives: float) -> Distribution:
        """Return the distribution to add an observation to."""
        pending = self._fresh.setdefault(math.ceil(arrives), {})
        points = pending.setdefault(metric, {}).setdefault(unit, {})
        return points.setdefault(start, Distribution())

    def arrived(self, now: float) -> Iterator[Pending]:
        """Remove and yield the observations that have arrived."""
        for kept in (self._fresh, self._saved):
            for due in [each for each in kept if each <= now]:
                yield kept.pop(due)
        self._arrived = max(self._arrived, int(now))

    def take(self) -> dict[int, Pending]:
        """Remove and return the unsaved observations; follow with `saved` or `put_back`."""
        fresh, self._fresh = self._fresh, {}
        return fresh

    def delete_arrived(self, connection: sqlite3.Connection) -> None:
        """Delete arrived rows in the transaction that writes them to the metric's table."""
        connection.execute("DELETE FROM metric_arrivals WHERE due <= ?", (self._arrived,))

    def save(self, connection: sqlite3.Connection, fresh: dict[int, Pending]) -> None:
        """Write observations to the ledger."""
        connection.executemany(
            _INSERT,
            (
                (due, *metric[:4], json.dumps(metric.dimensions), unit, start, *row(each))
                for due, pending in fresh.items()
                for metric, units in pending.items()
                for unit, points in units.items()
                for start, each in points.items()
            ),
        )

    def saved(self, fresh: dict[int, Pending]) -> None:
        """Add saved observations to those in memory."""
        _merge(self._saved, fresh)

    def put_back(self, fresh: dict[int, Pending]) -> None:
        """Return observations that could not be saved to the unsaved ones."""
        _merge(self._fresh, fresh)


def _merge(into: dict[int, Pending], more: dict[int, Pending]) -> None:
    for due, pending in more.items():
        merge(into.setdefault(due, {}), pending)


def merge(into: Pending, more: Pending) -> None:
    """Add the observations of `more` to `into`."""
    for metric, units in more.items():
        for unit, points in units.items():
            kept = into.setdefault(metric, {}).setdefault(unit, {})
            for start, distribution in points.items():
                kept.setdefault(start, Distribution()).merge(distribution)
