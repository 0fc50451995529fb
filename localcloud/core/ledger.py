"""The state of the local cloud: SQLite and content-addressed files under one folder.

A change is in the ledger before its request is acknowledged, so that a `kill -9` loses nothing.
SQLite runs in WAL mode with `synchronous=NORMAL`: a commit survives the death of the process,
though not a power failure. A write that the disk rejects raises `StorageError` and stores nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from localcloud.core.database import open_database
from localcloud.core.storage import (
    UnusableStateError,
    reporting_database_errors,
    reporting_file_errors,
    unusable,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


_DIGEST = re.compile("[0-9a-f]{64}")


class StateInUseError(Exception):
    """Another process holds the state folder."""


class Ledger:
    """Documents by kind and key, append-only streams, and blobs by their SHA-256.

    Raises:
        StateInUseError: another local cloud has this folder open.
        UnusableStateError: the folder cannot be written, or what it holds cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "ledger.sqlite"
        self._blobs = folder / "blobs"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # It contains secret keys: no other user lists, reads or enters it.
            folder.chmod(0o700)
            self._guard = (folder / "lock").open("w")
        except OSError as error:
            raise UnusableStateError(
                f"{folder}: found {(error.strerror or str(error)).lower()}; a state folder is "
                "writable. Make it so, or use another one (--state)"
            ) from error
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._guard.close()
            message = f"{folder} is in use by another local cloud: stop that one first"
            raise StateInUseError(message) from error
        self._lock = threading.RLock()
        mask = os.umask(0o077)  # SQLite makes files of its own
        try:
            self._connection = open_database(folder)
        except BaseException:
            self._guard.close()
            raise
        finally:
            os.umask(mask)
        self._path.chmod(0o600)  # it may be older
        self._blobs.mkdir(exist_ok=True)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit all of the block or nothing; nests.

        Raises:
            StorageError: the disk rejects a write; nothing of the transaction is stored.
        """
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            with reporting_database_errors(self._path):
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                finally:
                    self._end_transaction()

    def create(self, schema: str) -> None:
        """Create a service's own tables (`CREATE TABLE IF NOT EXISTS …`)."""
        with self._lock, reporting_database_errors(self._path):
            self._connection.executescript(schema)

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a SELECT."""
        with self._lock, reporting_database_errors(self._path):
            return self._connection.execute(statement, parameters).fetchall()

    def put(self, kind: str, key: str, document: dict[str, Any]) -> None:
        """Store or replace a JSON document."""
        body = json.dumps(document, default=str, allow_nan=False)
        self._write("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (kind, key, body))

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """The document, or None."""
        rows = self.query("SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key))
        return json.loads(rows[0][0]) if rows else None

    def delete(self, kind: str, key: str) -> None:
        """Delete the document, if there is one."""
        self._write("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))

    def all(self, kind: str, prefix: str = "") -> list[tuple[str, dict[str, Any]]]:
        """Key and document of every document of a kind whose key begins with the prefix."""
        rows = self.query(
            "SELECT key, body FROM documents WHERE kind = ? AND substr(key, 1, ?) = ? ORDER BY key",
            (kind, len(prefix), prefix),
        )
        return [(key, json.loads(body)) for key, body in rows]

    def append(self, stream: str, document: dict[str, Any]) -> int:
        """Add a document at the end of a stream; its sequence number grows over all streams."""
        body = json.dumps(document, default=str, allow_nan=False)
        return self._write("INSERT INTO streams (stream, body) VALUES (?, ?)", (stream, body))

    def read(self, stream: str, after: int = 0) -> list[tuple[int, dict[str, Any]]]:
        """Return sequence number and document of each entry of a stream after `after`."""
        rows = self.query(
            "SELECT seq, body FROM streams WHERE stream = ? AND seq > ? ORDER BY seq",
            (stream, after),
        )
        return [(seq, json.loads(body)) for seq, body in rows]

    def remove(self, numbers: Iterable[int]) -> None:
        """Remove documents from their streams by sequence number."""
        with self.transaction() as connection:
            connection.executemany("DELETE FROM streams WHERE seq = ?", ((n,) for n in numbers))

    def store(self, content: bytes) -> str:
        """Write the bytes to a file; returns their SHA-256 in hex, by which `load` finds it.

        Raises:
            StorageError: the disk rejects the write.
        """
        digest = hashlib.sha256(content).hexdigest()
        path = self.path(digest)
        if not path.exists():
            partial = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
            try:
                with reporting_file_errors(path):
                    partial.write_bytes(content)
                    partial.replace(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        return digest

    def load(self, digest: str) -> bytes:
        """The bytes with this SHA-256.

        Raises:
            UnusableStateError: the file is missing, or holds other bytes.
        """
        path = self.path(digest)
        allowed = "a blob holds the bytes whose SHA-256 is its name"
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise unusable(path, "no file", allowed) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise unusable(path, f"{len(content)} other bytes", allowed)
        return content

    def sweep(self) -> int:
        """Delete the blobs that no row names; returns their number.

        Called at a start, before anything is served: a blob is stored before its row is.
        """
        blobs = {each.name: each for each in self._blobs.iterdir()}
        for bodies in ("SELECT body FROM documents", "SELECT body FROM streams"):
            for (body,) in self.query(bodies):
                for digest in _DIGEST.findall(body):
                    blobs.pop(digest, None)
        for each in blobs.values():
            each.unlink()
        return len(blobs)

    def path(self, digest: str) -> Path:
        """Where the bytes with this SHA-256 are."""
        return self._blobs / digest

    def _write(self, statement: str, parameters: Sequence[Any]) -> int:
        """Run a statement, in a transaction of its own if none is open; the last row's number."""
        with self._lock, reporting_database_errors(self._path):
            return int(self._connection.execute(statement, parameters).lastrowid or 0)

    def _end_transaction(self) -> None:
        """Roll back an open transaction; a failed COMMIT may leave one open."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Release the lock on the state folder."""
        with self._lock:
            self._connection.close()
        self._guard.close()
