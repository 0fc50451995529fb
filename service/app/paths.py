"""Validation of the paths, byte ranges and ETags of a request."""

from __future__ import annotations

import re
import unicodedata

MAX_PATH_BYTES = 1024
"""S3's limit for a key in UTF-8 ("Naming Amazon S3 objects")."""

_ANY = r"[^/\x00-\x1f\x7f-\x9f]"
_NO_DOT = r"[^./\x00-\x1f\x7f-\x9f]"
_SEGMENT = rf"(?:\.?{_NO_DOT}{_ANY}*|\.\.{_ANY}+)"
PATTERN = rf"^{_SEGMENT}(?:/{_SEGMENT})*$"
"""The pattern of what `checked` accepts, without its length, for the OpenAPI."""

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class PathError(ValueError):
    """A path is invalid."""


class RangeError(ValueError):
    """A range lies outside the file (RFC 9110, section 14.1.2)."""


def composed(text: str) -> str:
    """Return a text in Unicode's composed form (NFC), the form of all stored paths."""
    return unicodedata.normalize("NFC", text)


def matches(header: str | None, etag: str) -> bool:
    """Return whether an `If-None-Match` matches the ETag weakly (RFC 9110, 13.1.2)."""
    tags = {tag.strip().removeprefix("W/") for tag in (header or "").split(",")}
    return "*" in tags or etag in tags


def checked(path: str) -> str:
    """Return a path in Unicode's composed form (NFC), so that one name is one file.

    Raises:
        PathError: the path is empty, absolute, too long, or has empty, `.` or `..` segments or
            control characters.
    """
    path = composed(path)
    if len(path.encode()) > MAX_PATH_BYTES:
        raise PathError(
            f"the path has {len(path.encode())} bytes; at most {MAX_PATH_BYTES} are allowed"
        )
    for segment in path.split("/"):
        if segment in {"", ".", ".."}:
            raise PathError(f"the path has a segment {segment!r}; name each folder and the file")
    if any(unicodedata.category(character) == "Cc" for character in path):
        raise PathError("the path has a control character; none is allowed")
    return path


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first and last byte of a `Range` header, or None for the whole file.

    An invalid header, or one with several ranges, is ignored, as RFC 9110 requires.

    Raises:
        RangeError: no byte of the file is in the range.
    """
    found = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if found is None or found.groups() == ("", ""):
        return None
    first_text, last_text = found.groups()
    if not first_text:
        length = min(int(last_text), size)
        if length == 0:
            raise RangeError(f"bytes */{size}")
        return size - length, size - 1
    first = int(first_text)
    last = int(last_text) if last_text else size - 1
    if last_text and last < first:
        return None
    if first >= size:
        raise RangeError(f"bytes */{size}")
    return first, min(last, size - 1)
