"""The storage of files: a protocol, and its implementation for S3."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from datetime import datetime

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    s3={"addressing_style": "auto"},
)


class StorageError(Exception):
    """The base of storage errors; each class becomes its own response."""


class FileMissingError(StorageError):
    """The file does not exist."""


class PreconditionError(StorageError):
    """The file's ETag is not the expected one."""


class CursorError(StorageError):
    """The cursor is not one of this storage."""


class UnavailableError(StorageError):
    """The storage does not respond, or denies access."""


@dataclass(frozen=True)
class FileInfo:
    """A file's metadata; `size` in bytes, `etag` with its quotes."""

    path: str
    size: int
    etag: str
    content_type: str
    modified: datetime


@dataclass(frozen=True)
class Page:
    """A page of a listing; `cursor` leads to the next page, None at the end."""

    files: tuple[FileInfo, ...]
    cursor: str | None


class Storage(Protocol):
    """Stores files by path. All methods raise `UnavailableError` if unreachable."""

    def put(self, path: str, content: bytes, content_type: str, if_match: str | None = None) -> str:
        """Write a file; return its ETag. Raises `PreconditionError`, `FileMissingError`."""
        ...

    def info(self, path: str) -> FileInfo:
        """Return a file's metadata. Raises `FileMissingError`."""
        ...

    def fetch(self, path: str, most: int) -> tuple[FileInfo, bytes | None]:
        """Return a file in one read; its content is None if it exceeds `most` bytes.

        Raises `FileMissingError`.
        """
        ...

    def read(self, path: str, first: int, last: int, etag: str) -> bytes:
        """Return bytes first to last. Raises `FileMissingError`, `PreconditionError`."""
        ...

    def delete(self, path: str) -> None:
        """Delete a file. Raises `FileMissingError`."""
        ...

    def list(self, prefix: str, cursor: str | None, limit: int) -> Page:
        """List files by path, in order. Raises `CursorError`."""
        ...

    def check(self) -> None:
        """Raise `UnavailableError` if files can be neither read nor written."""
        ...


class S3Storage:
    """Stores files as objects of one bucket, whose settings encrypt and version them."""

    def __init__(self, bucket: str, client: Any = None) -> None:
        """Use a client, or create one: on Lambda as a part of the cold start, not of a request."""
        self._bucket = bucket
        self._client = client or boto3.client("s3", config=_CONFIG)

    def put(self, path: str, content: bytes, content_type: str, if_match: str | None = None) -> str:
        """See `Storage.put`; check and write are one call, so that no write is lost."""
        extra = {"IfMatch": if_match} if if_match else {}
        written = self._call(
            "put_object", Key=path, Body=content, ContentType=content_type, **extra
        )
        etag: str = written["ETag"]
        return etag

    def info(self, path: str) -> FileInfo:
        """See `Storage.info`."""
        return _info(path, self._call("head_object", Key=path))

    def fetch(self, path: str, most: int) -> tuple[FileInfo, bytes | None]:
        """See `Storage.fetch`; one call, so that metadata and bytes belong together."""
        answer = self._call("get_object", Key=path, most=most)
        return _info(path, answer), answer["Body"]

    def read(self, path: str, first: int, last: int, etag: str) -> bytes:
        """See `Storage.read`; the ETag ensures that the bytes are of the same file."""
        answer = self._call("get_object", Key=path, Range=f"bytes={first}-{last}", IfMatch=etag)
        content: bytes = answer["Body"]
        return content

    def delete(self, path: str) -> None:
        """See `Storage.delete`; S3 does not report whether the object existed."""
        self.info(path)
        self._call("delete_object", Key=path)

    def list(self, prefix: str, cursor: str | None, limit: int) -> Page:
        """See `Storage.list`."""
        extra = {"StartAfter": _decode(cursor)} if cursor else {}
        answer = self._call("list_objects_v2", Prefix=prefix, MaxKeys=limit, **extra)
        files = tuple(
            FileInfo(item["Key"], item["Size"], item["ETag"], "", item["LastModified"])
            for item in answer.get("Contents", [])
        )
        more = answer.get("IsTruncated") and files
        return Page(files, _encode(files[-1].path) if more else None)

    def check(self) -> None:
        """See `Storage.check`."""
        self._call("head_bucket")

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        most = arguments.pop("most", None)
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(
                Bucket=self._bucket, **arguments
            )
            if operation == "get_object":
                # A body that ends early is a failure of this call like any other.
                body = answer["Body"]
                unwanted = most is not None and answer["ContentLength"] > most
                answer["Body"] = body.close() if unwanted else body.read()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in {"404", "NoSuchKey"} and "Key" in arguments:
                raise FileMissingError(arguments["Key"]) from error
            if code in {"412", "PreconditionFailed", "ConditionalRequestConflict"}:
                raise PreconditionError(arguments["Key"]) from error
            raise UnavailableError(f"S3 answered {operation} with {code}") from error
        except BotoCoreError as error:
            raise UnavailableError(f"S3 did not answer {operation}") from error
        return answer


def _info(path: str, answer: dict[str, Any]) -> FileInfo:
    return FileInfo(
        path=path,
        size=answer["ContentLength"],
        etag=answer["ETag"],
        content_type=answer.get("ContentType", "application/octet-stream"),
        modified=answer["LastModified"],
    )


def _encode(path: str) -> str:
    return base64.urlsafe_b64encode(path.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise CursorError(cursor) from error
