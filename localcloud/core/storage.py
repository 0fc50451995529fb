"""Errors of the state folder's disk, and the free space that it must keep."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RESERVED_BYTES = 16 * 1024 * 1024
"""Requests that change something are rejected when less is free, so that what is under way can
still record how it ends."""
_DISK_IS_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PRIMARY_CODE = 0xFF
_WRITE_REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk failed or is full",
    sqlite3.SQLITE_READONLY: "the file is read-only",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class UnusableStateError(Exception):
    """The state folder cannot be served; the message names what was found and the next step."""


class StorageError(Exception):
    """A write was rejected by the disk; nothing of it is stored."""


class FullDiskError(StorageError):
    """A write was rejected, or not tried, because the disk is full."""


def unusable(path: Path, found: str, allowed: str) -> UnusableStateError:
    """The error for a file of the state folder that cannot be used."""
    return UnusableStateError(
        f"{path}: found {found}; {allowed}. Restore the state folder from a copy, or move it away "
        "to start with an empty local cloud"
    )


@contextmanager
def reporting_database_errors(path: Path) -> Iterator[None]:
    """Raise what SQLite reports about the database at `path` as an error of this module."""
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite's own message quotes what is damaged
        raise unusable(path, "a damaged file", "a ledger is a readable database") from error
    except sqlite3.DatabaseError as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY_CODE
        # Python's own error for a text column has no code.
        if code in _DAMAGE or "decode to UTF-8" in str(error):
            allowed = "a ledger is a readable database"
            raise unusable(path, f"a damaged file ({error})", allowed) from error
        if code in _WRITE_REASONS:
            raise _refused(path, _WRITE_REASONS[code], full=code == sqlite3.SQLITE_FULL) from error
        raise


@contextmanager
def reporting_file_errors(path: Path) -> Iterator[None]:
    """Raise what the file system reports about a write to `path` as an error of this module."""
    try:
        yield
    except OSError as error:
        full = error.errno in _DISK_IS_FULL
        reason = "the disk is full" if full else (error.strerror or str(error)).lower()
        raise _refused(path, reason, full=full) from error


def require_free_space(folder: Path) -> None:
    """Check that a request which changes something may begin.

    Raises:
        FullDiskError: less than `RESERVED_BYTES` are free on the folder's file system.
    """
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if free < RESERVED_BYTES:
        reason = (
            f"the disk is full: {free >> 20} MB are free, {RESERVED_BYTES >> 20} MB are required"
        )
        raise _refused(folder, reason, full=True)


def _refused(path: Path, reason: str, *, full: bool) -> StorageError:
    kind, step = (
        (FullDiskError, "Free disk space, then repeat the request")
        if full
        else (StorageError, "Make the state folder writable, then repeat the request")
    )
    return kind(f"{path}: {reason}; nothing of this request was stored. {step}")
