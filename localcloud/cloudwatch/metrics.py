"""Metric store: one distribution per minute (or second, for high resolution).

`put` merges data in memory and `flush` writes it. Readers see both, after the data's arrival
(`localcloud.cloudwatch.delays`). Data older than 15 days of cloud time is not returned, and deleted
once a day. (AWS keeps coarser data for longer, and high-resolution data for only three hours.)
"""

from __future__ import annotations

import json
import math
import threading
from typing import TYPE_CHECKING

from localcloud.cloudwatch.arrivals import Arrivals, merge
from localcloud.cloudwatch.model import Metric
from localcloud.cloudwatch.rows import of_row
from localcloud.cloudwatch.rows import row as row_of
from localcloud.cloudwatch.statistics import Distribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from localcloud.cloudwatch.rows import Pending, Points
    from localcloud.core.clock import Clock
    from localcloud.core.ledger import Ledger

MINUTE = 60
DAY = 86400
RETENTION_SECONDS = 15 * DAY
_SCHEMA = """
CREATE TABLE IF NOT EXISTS metric_series (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL,
    name TEXT NOT NULL, dimensions TEXT NOT NULL, unit TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS metric_points (
    series INTEGER NOT NULL, start INTEGER NOT NULL, count REAL NOT NULL, total REAL NOT NULL,
    minimum REAL NOT NULL, maximum REAL NOT NULL, opaque INTEGER NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (series, start)
) WITHOUT ROWID;
"""
_POINT = (
    "SELECT count, total, minimum, maximum, opaque, observed FROM metric_points"
    " WHERE series = ? AND start = ?"
)
_POINTS = (
    "SELECT start, count, total, minimum, maximum, opaque, observed FROM metric_points"
    " WHERE series = ? AND start >= ? AND start < ?"
)


class MetricStore:
    """All metrics of the cloud; thread-safe. `put` never waits for SQLite."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        ledger.create(_SCHEMA)
        self._ledger = ledger
        self._clock = clock
        self._series: dict[Metric, dict[str, int]] = {}
        self._latest: dict[Metric, int] = {}
        self._pending: Pending = {}
        self._arrivals = Arrivals(ledger)
        self._putting = threading.Lock()
        # For moving points from memory to SQLite, and for reading both.
        self._moving = threading.RLock()
        self.changed = threading.Event()
        """Set when there is data to flush."""
        self._load()
        self._dropped = 0.0

    def _load(self) -> None:
        rows = self._ledger.query(
            "SELECT account, region, namespace, name, dimensions, unit, id,"
            " (SELECT max(start) FROM metric_points WHERE series = id) FROM metric_series"
        )
        for account, region, namespace, name, dimensions, unit, identity, latest in rows:
            pairs = tuple((key, value) for key, value in json.loads(dimensions))
            metric = Metric(account, region, namespace, name, pairs)
            self._series.setdefault(metric, {})[unit] = identity
            self._latest[metric] = max(self._latest.get(metric, 0), latest or 0)

    def put(
        self,
        metric: Metric,
        unit: str,
        time: float,
        observed: Iterable[tuple[float, float]],
        resolution: int = MINUTE,
        arrives: float = 0.0,
    ) -> None:
        """Add (value, count) pairs, which can be read from the cloud time `arrives` on."""
        start = int(time) // resolution * resolution
        with self._putting:
            if arrives > self._clock.timestamp():
                distribution = self._arrivals.open(metric, unit, start, arrives)
            else:
                distribution = self._open(metric, unit, start)
            for value, count in observed:
                distribution.add(value, count)
        self.changed.set()

    def write(self, observed: Pending, arrives: float = 0.0) -> None:
        """Write observations of an API call to the ledger: all of them or none.

        Raises:
            StorageError: the disk rejects them.
        """
        with self._moving:
            if arrives > self._clock.timestamp():
                fresh = {math.ceil(arrives): observed}
                with self._ledger.transaction() as connection:
                    self._arrivals.save(connection, fresh)
                with self._putting:
                    self._arrivals.saved(fresh)
                return
            self._write(observed)
        with self._putting:
            self._note(observed)

    def _open(self, metric: Metric, unit: str, start: int) -> Distribution:
        points = self._pending.setdefault(metric, {}).setdefault(unit, {})
        if start not in points:
            points[start] = Distribution()
            self._latest[metric] = max(self._latest.get(metric, 0), start)
        return points[start]

    def _note(self, observed: Pending) -> None:
        for metric, _unit, points in _each(observed):
            self._latest[metric] = max(self._latest.get(metric, 0), *points)

    def _arrive(self) -> None:
        """Merge the observations that have arrived. Callers must hold both locks."""
        for arrived in self._arrivals.arrived(self._clock.timestamp()):
            self._note(arrived)
            merge(self._pending, arrived)

    def flush(self) -> None:
        """Write everything that was put before this call to the ledger."""
        with self._moving:
            self.changed.clear()
            with self._putting:
                self._arrive()
                pending, self._pending = self._pending, {}
                fresh = self._arrivals.take()
            if not pending and not fresh:
                return
            try:
                self._write(pending, fresh)
            except BaseException:
                with self._putting:
                    merge(self._pending, pending)
                    self._arrivals.put_back(fresh)
                self.changed.set()
                raise
            with self._putting:
                self._arrivals.saved(fresh)
            self._drop_old()

    def _write(self, pending: Pending, fresh: dict[int, Pending] | None = None) -> None:
        made: list[tuple[Metric, str, int]] = []
        with self._ledger.transaction() as connection:
            if fresh is not None:
                self._arrivals.delete_arrived(connection)
                self._arrivals.save(connection, fresh)
            for metric, unit, points in _each(pending):
                series = self._series.get(metric, {}).get(unit)
                if series is None:
                    cursor = connection.execute(
                        "INSERT INTO metric_series (account, region, namespace, name, dimensions,"
                        " unit) VALUES (?, ?, ?, ?, ?, ?)",
                        (*metric[:4], json.dumps(metric.dimensions), unit),
                    )
                    series = int(cursor.lastrowid or 0)
                    made.append((metric, unit, series))
                for start, distribution in points.items():
                    row = connection.execute(_POINT, (series, start)).fetchone()
                    whole = of_row(row) if row else Distribution()
                    whole.merge(distribution)
                    connection.execute(
                        "INSERT OR REPLACE INTO metric_points VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        (series, start, *row_of(whole)),
                    )
        for metric, unit, series in made:
            self._series.setdefault(metric, {})[unit] = series

    def _drop_old(self) -> None:
        now = self._clock.timestamp()
        if now - self._dropped < DAY:
            return
        self._dropped = now
        with self._ledger.transaction() as connection:
            connection.execute(
                "DELETE FROM metric_points WHERE start < ?", (now - RETENTION_SECONDS,)
            )

    def units(self, metric: Metric) -> list[str]:
        """Return the units of a metric's data."""
        with self._moving, self._putting:
            self._arrive()
            return sorted({*self._series.get(metric, {}), *self._pending.get(metric, {})})

    def read(self, metric: Metric, unit: str | None, begin: float, end: float) -> Points:
        """Return the data in [`begin`, `end`); `unit` None means all units."""
        begin = max(begin, self._clock.timestamp() - RETENTION_SECONDS)
        found: Points = {}
        with self._moving:
            with self._putting:
                self._arrive()
            for name, series in self._series.get(metric, {}).items():
                if unit in {None, name}:
                    rows = self._ledger.query(_POINTS, (series, begin, end))
                    for start, *row in rows:
                        found.setdefault(start, Distribution()).merge(of_row(row))
            with self._putting:
                for name, points in self._pending.get(metric, {}).items():
                    if unit in {None, name}:
                        for start, distribution in points.items():
                            if begin <= start < end:
                                found.setdefault(start, Distribution()).merge(distribution)
        return found

    def windows(
        self, metric: Metric, unit: str | None, begin: int, end: float, period: int
    ) -> Points:
        """Return the data in [`begin`, `end`) by windows of `period` seconds."""
        found: Points = {}
        for start, distribution in sorted(self.read(metric, unit, begin, end).items()):
            window = begin + (start - begin) // period * period
            found.setdefault(window, Distribution()).merge(distribution)
        return found

    def metrics(self, account: str, region: str, since: float) -> list[Metric]:
        """Return the account's metrics with data at or after `since`, sorted."""
        with self._moving, self._putting:
            self._arrive()
            latest = list(self._latest.items())
        return sorted(
            metric
            for metric, last in latest
            if metric.account == account and metric.region == region and last >= since
        )


def _each(pending: Pending) -> Iterator[tuple[Metric, str, Points]]:
    for metric, units in pending.items():
        for unit, points in units.items():
            yield metric, unit, points
