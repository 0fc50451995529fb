"""The store of log groups, streams and events, in tables of the ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.logs.visibility import Visibility

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from localcloud.core.clock import Clock
    from localcloud.core.delays import Delays
    from localcloud.core.ledger import Ledger

    Lines = Sequence[tuple[float, str]]

GROUP = "logs:group"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_streams (
    id INTEGER PRIMARY KEY, log_group TEXT NOT NULL, name TEXT NOT NULL, created REAL NOT NULL,
    UNIQUE (log_group, name)
);
CREATE TABLE IF NOT EXISTS log_events (
    seq INTEGER PRIMARY KEY, stream INTEGER NOT NULL, time REAL NOT NULL, message TEXT NOT NULL,
    seen REAL NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS by_log_stream ON log_events (stream, time, seq);
"""
_ADD_SEEN_COLUMN = "ALTER TABLE log_events ADD COLUMN seen REAL NOT NULL DEFAULT 0"
"""Migrates the table of a release without delayed events."""
_SELECT = (
    "SELECT seq, stream, time, message FROM log_events"
    " WHERE stream IN (SELECT value FROM json_each(?))"
    " AND time >= ? AND time <= ? AND (time, seq) > (?, ?) AND (time, seq) < (?, ?)"
    " AND seen <= ?"
)
_OLDEST_FIRST = _SELECT + " ORDER BY time ASC, seq ASC LIMIT ?"
_NEWEST_FIRST = _SELECT + " ORDER BY time DESC, seq DESC LIMIT ?"
_DAY_SECONDS = 86400.0
_PURGE_INTERVAL_SECONDS = 3600.0  # cloud seconds

Place = tuple[float, int]
"""The position of an event: its time and its sequence number."""


@dataclass(frozen=True)
class Event:
    """A log event; the time is cloud time in seconds since the epoch."""

    place: Place
    stream: str
    message: str

    @property
    def milliseconds(self) -> int:
        """The time in the API's unit."""
        return int(self.place[0] * 1000)


@dataclass(frozen=True)
class Stream:
    """A log stream; the times of its first and last event are None if it is empty."""

    name: str
    created: float
    first: float | None
    last: float | None


class Events:
    """All log groups, streams and events. Keys are `account/region/group`."""

    def __init__(self, ledger: Ledger, clock: Clock, delays: Delays) -> None:
        self._ledger = ledger
        self._clock = clock
        self._visibility = Visibility(delays)
        ledger.create(_SCHEMA)
        if not ledger.query("SELECT 1 FROM pragma_table_info('log_events') WHERE name = 'seen'"):
            ledger.create(_ADD_SEEN_COLUMN)
        self._groups: dict[str, dict[str, Any]] = dict(ledger.all(GROUP))
        self._streams: dict[tuple[str, str], int] = {}
        self._purged: dict[str, float] = {}

    def group(self, key: str) -> dict[str, Any] | None:
        """Return a log group in the API's shape, or None."""
        return self._groups.get(key)

    def create_group(self, account: str, region: str, name: str) -> dict[str, Any]:
        """Return a log group; create it if it does not exist."""
        key = f"{account}/{region}/{name}"
        found = self.group(key)
        if found is None:
            arn = group_arn(account, region, name)
            found = {
                "logGroupName": name,
                "arn": f"{arn}:*",
                "logGroupArn": arn,
                "creationTime": int(self._clock.timestamp() * 1000),
                "logGroupClass": "STANDARD",
                "metricFilterCount": 0,
                "storedBytes": 0,
            }
            self.put_group(key, found)
        return found

    def groups(self, prefix: str) -> list[dict[str, Any]]:
        """Return the log groups whose key has the prefix, sorted by name."""
        return [group for key, group in sorted(self._groups.items()) if key.startswith(prefix)]

    def put_group(self, key: str, group: dict[str, Any]) -> None:
        """Create or change a log group."""
        self._ledger.put(GROUP, key, group)
        self._groups[key] = group
        self._purged.pop(key, None)

    def delete_group(self, key: str) -> None:
        """Delete a log group with its streams and events."""
        with self._ledger.transaction() as connection:
            for stream in self.streams(key):
                self._delete_stream(connection, key, stream.name)
            self._ledger.delete(GROUP, key)
        self._groups.pop(key, None)

    def delete_stream(self, key: str, name: str) -> None:
        """Delete a log stream with its events."""
        with self._ledger.transaction() as connection:
            self._delete_stream(connection, key, name)

    def make_stream(self, key: str, name: str) -> int:
        """Return the number of a stream; create the stream if it does not exist."""
        number = self._streams.get((key, name))
        if number is None:
            with self._ledger.transaction() as connection:
                connection.execute(
                    "INSERT OR IGNORE INTO log_streams (log_group, name, created) VALUES (?, ?, ?)",
                    (key, name, self._clock.timestamp()),
                )
                rows = connection.execute(
                    "SELECT id FROM log_streams WHERE log_group = ? AND name = ?", (key, name)
                ).fetchall()
                number = int(rows[0][0])
            self._streams[key, name] = number
        return number

    def has_stream(self, key: str, name: str) -> bool:
        """Return whether a log group has a stream."""
        if (key, name) in self._streams:
            return True
        found = self._ledger.query(
            "SELECT 1 FROM log_streams WHERE log_group = ? AND name = ?", (key, name)
        )
        return bool(found)

    def streams(self, key: str, prefix: str = "") -> list[Stream]:
        """Return a group's streams, sorted by name, with the times of visible events."""
        oldest, now = self._oldest(key), self._clock.timestamp()
        rows = self._ledger.query(
            "SELECT name, created,"
            " (SELECT min(time) FROM log_events WHERE stream = id AND time >= ? AND seen <= ?),"
            " (SELECT max(time) FROM log_events WHERE stream = id AND time >= ? AND seen <= ?)"
            " FROM log_streams WHERE log_group = ? AND substr(name, 1, ?) = ? ORDER BY name",
            (oldest, now, oldest, now, key, len(prefix), prefix),
        )
        return [Stream(*row) for row in rows]

    def write(self, key: str, stream: str, lines: Lines) -> None:
        """Append lines (cloud time in seconds, text) to a stream of an existing group.

        The lines are in the ledger when this returns.
        """
        number = self.make_stream(key, stream)
        with self._ledger.transaction() as connection:
            seen = self._visibility.seen(number, f"{key}/{stream}", self._clock.timestamp())
            connection.executemany(
                "INSERT INTO log_events (stream, time, message, seen) VALUES (?, ?, ?, ?)",
                [(number, time, text, seen) for time, text in lines],
            )
            self._purge(connection, key)

    def read(
        self,
        key: str,
        streams: Iterable[str],
        *,
        after: Place | None = None,
        before: Place | None = None,
        most: int,
        newest_first: bool = False,
    ) -> list[Event]:
        """Return at most `most` visible events of streams, sorted by time.

        `after` and `before` are exclusive.
        """
        names = {self.make_stream(key, name): name for name in streams}
        low, high = after or (self._oldest(key), 0), before or (float("inf"), 0)
        low = max(low, (self._oldest(key), 0))
        rows = self._ledger.query(
            _NEWEST_FIRST if newest_first else _OLDEST_FIRST,
            (json.dumps([*names]), low[0], high[0], *low, *high, self._clock.timestamp(), most),
        )
        return [Event((time, seq), names[stream], text) for seq, stream, time, text in rows]

    def _oldest(self, key: str) -> float:
        """Return the time before which the log group's retention hides events."""
        days = self._groups.get(key, {}).get("retentionInDays")
        return self._clock.timestamp() - days * _DAY_SECONDS if days else 0.0

    def _purge(self, connection: sqlite3.Connection, key: str) -> None:
        now = self._clock.timestamp()
        if now - self._purged.get(key, 0.0) < _PURGE_INTERVAL_SECONDS:
            return
        self._purged[key] = now
        connection.execute(
            "DELETE FROM log_events WHERE time < ?"
            " AND stream IN (SELECT id FROM log_streams WHERE log_group = ?)",
            (self._oldest(key), key),
        )

    def _delete_stream(self, connection: sqlite3.Connection, key: str, name: str) -> None:
        number = self.make_stream(key, name)
        connection.execute("DELETE FROM log_events WHERE stream = ?", (number,))
        connection.execute("DELETE FROM log_streams WHERE id = ?", (number,))
        self._streams.pop((key, name), None)


def group_arn(account: str, region: str, name: str) -> str:
    """Return the ARN of a log group, without `:*`."""
    return f"arn:aws:logs:{region}:{account}:log-group:{name}"
