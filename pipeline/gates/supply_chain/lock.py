"""Read the lock of the deployed packages, with versions and hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.markers import Marker  # noqa: TC002  # part of a dataclass
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HASH = re.compile(r"sha256:([0-9a-f]{64})")


class LockError(Exception):
    """The lock is not of the form that `uv pip compile --generate-hashes` writes."""


@dataclass(frozen=True)
class Pin:
    """One package of the lock."""

    name: str
    """Normalised name (PEP 503)."""
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of each distribution that may be installed, hexadecimal."""
    line: int
    marker: Marker | None = None
    """Condition of its installation; None if there is none."""


def read(path: Path) -> tuple[Pin, ...]:
    """Return the pins of a lock in its order.

    Raises:
        LockError: the lock is missing or empty, or a line is no pin with hashes.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{path.name}: cannot be read: {error}; run make lock") from error
    pins = tuple(_pin(path.name, line, words) for line, words in _logical_lines(text))
    if not pins:
        raise LockError(f"{path.name}: found no pin; run make lock")
    return pins


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each requirement with its options on one line, and its first line number."""
    began, joined = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not joined and (not stripped or stripped.startswith("#")):
            continue
        began = began if joined else number
        joined += " " + stripped.removesuffix("\\")
        if not stripped.endswith("\\"):
            yield began, joined.strip()
            joined = ""
    if joined:
        yield began, joined.strip()


def _pin(file: str, line: int, words: str) -> Pin:
    text, *options = words.split(" --hash=")
    hashes = [_HASH.fullmatch(option.strip()) for option in options]
    try:
        wanted = Requirement(text)
        (only,) = wanted.specifier
    except (InvalidRequirement, ValueError):
        only = None
    if only is None or only.operator != "==" or "*" in only.version or wanted.url:
        raise LockError(
            f"{file}:{line}: found {words[:80]!r}; a pin is name==version; run make lock"
        )
    if not hashes or None in hashes:
        raise LockError(
            f"{file}:{line}: {text.strip()} has no hash or an invalid one; allowed is "
            "--hash=sha256:… with 64 hexadecimal digits. Run make lock"
        )
    found = tuple(match.group(1) for match in hashes if match)
    name = canonicalize_name(wanted.name)
    return Pin(name, only.version, found, line, wanted.marker)
