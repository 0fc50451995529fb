"""Find the journal's superseded entries: S3 objects that were overwritten or deleted later.

They are most of what a service's traffic writes. An entry is superseded only if no later entry
can have read the object in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from localcloud.moto.object_writes import PLAIN_QUERIES, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_HOST = "127.0.0.1:"
# A bucket with versions or with notifications keeps every entry.
_KEEPING = ("versioning", "notification", "logging", "replication", "object-lock")
_LOOKING = ("HTTP_X_AMZ_COPY_SOURCE", "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH")


def superseded(entries: Iterable[tuple[int, dict[str, Any]]]) -> list[int]:
    """Return the sequence numbers of the entries that a replay can skip."""
    requests = [(number, each) for number, each in entries if _is_s3(each)]
    keeping: set[str] = set()
    looked_at: set[str] = set()
    for _, entry in requests:
        bucket, key = _object(entry)
        if not key and (entry["method"] == "POST" and not entry["query"]):
            keeping.add(bucket)  # a form upload: the object's key is in its body
        if not key and entry["query"].split("=")[0].split("&")[0] in _KEEPING:
            keeping.add(bucket)
        if entry["headers"].get("HTTP_X_AMZ_BUCKET_OBJECT_LOCK_ENABLED"):
            keeping.add(bucket)
        # WSGI decodes paths as Latin-1: one character per byte.
        source = entry["headers"].get("HTTP_X_AMZ_COPY_SOURCE", "")
        looked_at.add("/" + unquote(source, "latin-1").partition("?")[0].lstrip("/"))
    found: list[int] = []
    seen: set[str] = set()
    told: set[str] = set()  # objects that a later entry defines completely
    deletions: dict[str, int] = {}  # the last entry of an object, with nothing left before it
    for number, entry in reversed(requests):
        bucket, key = _object(entry)
        path = entry["path"]
        if not key or bucket in keeping or path in looked_at:
            continue
        if not _says_all(entry):
            told.discard(path)
            deletions.pop(path, None)
        elif path in told:
            found.append(number)
        else:
            told.add(path)
            if path not in seen and entry["method"] == "DELETE":
                deletions[path] = number
            else:
                deletions.pop(path, None)
        seen.add(path)
    return found + list(deletions.values())


def needed_objects(entries: Iterable[tuple[int, dict[str, Any]]]) -> Callable[[set[str]], bool]:
    """Whether an entry that is not plain mentions one of the paths (of a bucket or an object).

    Such an entry, a copy or the tags of a version, may need what plain entries created.
    """
    named: set[str] = set()
    for _, entry in entries:
        if not _is_s3(entry) or is_plain(entry):
            continue
        bucket, key = _object(entry)
        if key or entry["method"] == "POST":
            path = f"/{bucket}/{key}" if key else f"/{bucket}"
            named.add(path.encode("latin-1").decode(errors="replace"))
        source = entry["headers"].get("HTTP_X_AMZ_COPY_SOURCE", "")
        named.add("/" + unquote(source).partition("?")[0].lstrip("/"))
    return lambda paths: not named.isdisjoint(paths)


def _says_all(entry: dict[str, Any]) -> bool:
    """Whether an entry defines an object completely, independent of what it was before."""
    return (
        entry["method"] in {"PUT", "DELETE"}
        and entry["query"] in PLAIN_QUERIES
        and not any(name in entry["headers"] for name in _LOOKING)
    )


def _is_s3(entry: dict[str, Any]) -> bool:
    if entry["kind"] != "request":
        return False
    headers = entry["headers"]
    return "/s3/aws4_request" in headers.get("HTTP_AUTHORIZATION", "") and headers.get(
        "HTTP_HOST", ""
    ).startswith(_HOST)


def _object(entry: dict[str, Any]) -> tuple[str, str]:
    bucket, _, key = entry["path"].lstrip("/").partition("/")
    return bucket, key
