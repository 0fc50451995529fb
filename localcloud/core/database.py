"""Create the ledger's SQLite file in an empty state folder, or check it.

The checks read the whole file once. SQLite's `integrity_check` finds damaged and missing pages, and
rows out of order; `json_valid` finds rows with damaged text.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from localcloud.core.storage import (
    StorageError,
    UnusableStateError,
    reporting_database_errors,
    unusable,
)

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
"""Version of the state folder's layout; 0 is a folder from before versions."""
_TABLES = {
    "documents": "SELECT body, json_valid(body) FROM documents",
    "streams": "SELECT body, json_valid(body) FROM streams",
}
"""The query that checks every row, by table."""
_SCHEMA = """
BEGIN;
CREATE TABLE documents (
    kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE streams (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX by_stream ON streams (stream, seq);
COMMIT;
"""
_KEPT = ("blobs", "git", "functions/code")
"""Folders whose contents are useless without the ledger."""


def open_database(folder: Path) -> sqlite3.Connection:
    """The connection to the ledger of a state folder, in WAL mode, without implicit transactions.

    Raises:
        UnusableStateError: the file is damaged, of a newer release or not writable, or it is
            missing or empty although the folder holds state.
    """
    path = folder / "ledger.sqlite"
    try:
        with reporting_database_errors(path):
            connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            try:
                _prepare(connection, path)
            except BaseException:
                connection.close()
                raise
    except StorageError as error:
        raise UnusableStateError(str(error).replace("repeat the request", "start again")) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise UnusableStateError(
            f"{path}: found layout {version}; this release reads layouts up to {VERSION}. Start "
            "the release that wrote it, or use another state folder (--state)"
        )
    tables = {
        name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
    }
    if not tables:
        stored = _stored(path.parent)
        if stored:
            raise unusable(
                path,
                f"an empty ledger beside {stored}",
                "a state folder with stored files needs its ledger",
            )
        connection.executescript(_SCHEMA)
    elif not tables.issuperset(_TABLES):
        missing = ", ".join(sorted(_TABLES.keys() - tables))
        raise unusable(path, f"no table {missing}", "a ledger has all of its tables")
    else:
        _check(connection, path)
    if version != VERSION:
        connection.execute(f"PRAGMA user_version={VERSION}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    damage = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if damage != "ok":
        first = str(damage).splitlines()[-1]
        allowed = "a ledger passes SQLite's integrity_check"
        raise unusable(path, f"a damaged file ({first})", allowed)
    connection.text_factory = bytes
    try:
        for table, rows in _TABLES.items():
            for body, valid in connection.execute(rows):
                # The ledger writes ASCII; SQLite takes fewer levels of nesting than Python.
                if not (body.isascii() and (valid or _is_json(body))):
                    raise unusable(path, f"a damaged row in {table}", "every row contains JSON")
    finally:
        connection.text_factory = str


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def _stored(folder: Path) -> str:
    """Describe the first kept folder that is not empty; "" if all are empty."""
    for name in _KEPT:
        place = folder / name
        number = sum(1 for _ in place.iterdir()) if place.is_dir() else 0
        if number:
            return f"{number} entries in {name}"
    return ""
