"""What the local cloud remembers: SQLite and content-addressed files under one folder.

What a call has acknowledged is in the ledger before the answer leaves, so that a `kill -9`
loses nothing. SQLite runs in WAL mode with `synchronous=NORMAL`: a commit survives the death
of the process, though not of the machine's power.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS streams (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_stream ON streams (stream, seq);
"""


class StateInUseError(Exception):
    """Another process holds the state folder."""


class Ledger:
    """Documents by kind and key, append-only streams, and blobs by their SHA-256.

    Raises:
        StateInUseError: another local cloud has this folder open.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._blobs = folder / "blobs"
        self._blobs.mkdir(exist_ok=True)
        self._guard = (folder / "lock").open("w")
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._guard.close()
            message = f"{folder} is in use by another local cloud: stop that one first"
            raise StateInUseError(message) from error
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            folder / "ledger.sqlite", check_same_thread=False, isolation_level=None
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or none of it; nests."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def create(self, schema: str) -> None:
        """Create a service's own tables (`CREATE TABLE IF NOT EXISTS …`)."""
        with self._lock:
            self._connection.executescript(schema)

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a SELECT."""
        with self._lock:
            return self._connection.execute(statement, parameters).fetchall()

    def put(self, kind: str, key: str, document: dict[str, Any]) -> None:
        """Store or replace a JSON document."""
        body = json.dumps(document, default=str)
        with self._lock:
            self._connection.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (kind, key, body)
            )

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """The document, or None."""
        rows = self.query("SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key))
        return json.loads(rows[0][0]) if rows else None

    def delete(self, kind: str, key: str) -> None:
        """Forget the document, if there is one."""
        with self._lock:
            self._connection.execute(
                "DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key)
            )

    def all(self, kind: str, prefix: str = "") -> list[tuple[str, dict[str, Any]]]:
        """Key and document of every document of a kind whose key begins with the prefix."""
        rows = self.query(
            "SELECT key, body FROM documents WHERE kind = ? AND substr(key, 1, ?) = ? ORDER BY key",
            (kind, len(prefix), prefix),
        )
        return [(key, json.loads(body)) for key, body in rows]

    def append(self, stream: str, document: dict[str, Any]) -> int:
        """Add a document at the end of a stream; its sequence number grows over all streams."""
        with self._lock:
            cursor = self._connection.execute(
                "INSERT INTO streams (stream, body) VALUES (?, ?)",
                (stream, json.dumps(document, default=str)),
            )
            return int(cursor.lastrowid or 0)

    def read(self, stream: str, after: int = 0) -> list[tuple[int, dict[str, Any]]]:
        """Sequence number and document of all that a stream holds behind `after`."""
        rows = self.query(
            "SELECT seq, body FROM streams WHERE stream = ? AND seq > ? ORDER BY seq",
            (stream, after),
        )
        return [(seq, json.loads(body)) for seq, body in rows]

    def remove(self, numbers: Iterable[int]) -> None:
        """Take documents out of their streams, by their sequence numbers."""
        with self.transaction() as connection:
            connection.executemany("DELETE FROM streams WHERE seq = ?", ((n,) for n in numbers))

    def store(self, content: bytes) -> str:
        """Keep the bytes as a file; returns their SHA-256 in hex, by which `path` finds it."""
        digest = hashlib.sha256(content).hexdigest()
        path = self.path(digest)
        if not path.exists():
            partial = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
            partial.write_bytes(content)
            partial.replace(path)
        return digest

    def path(self, digest: str) -> Path:
        """Where the bytes with this SHA-256 are."""
        return self._blobs / digest

    def close(self) -> None:
        """Let go of the folder."""
        with self._lock:
            self._connection.close()
        self._guard.close()
