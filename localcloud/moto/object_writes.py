"""Repeats plain writes and deletions of S3 objects without moto's HTTP layers.

Most entries of a journal are such writes: every upload of a customer or a journey. Through HTTP one
takes eight times as long. A request with an unknown header or parameter goes through HTTP.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from moto.s3.models import s3_backends
from moto.s3.utils import metadata_from_headers
from werkzeug.datastructures import EnvironHeaders

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN_QUERIES = ("", "x-id=PutObject", "x-id=DeleteObject")
_KEY = re.compile(r"[\w-][\w.-]*(?:/[\w-][\w.-]*)*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NEEDED = {
    "CONTENT_TYPE", "HTTP_AUTHORIZATION", "HTTP_HOST", "HTTP_X_AMZ_CHECKSUM_CRC32",
    "HTTP_X_AMZ_CONTENT_SHA256", "HTTP_X_AMZ_DATE", "HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM",
    "HTTP_X_MOTO_ACCOUNT_ID", "RAW_URI", "REQUEST_URI",
}  # fmt: skip
UNUSED_HEADERS = {
    "HTTP_ACCEPT_ENCODING", "HTTP_AMZ_SDK_INVOCATION_ID", "HTTP_AMZ_SDK_REQUEST",
    "HTTP_CONNECTION", "HTTP_USER_AGENT", "HTTP_X_AMZN_TRACE_ID", "HTTP_X_AMZ_SECURITY_TOKEN",
    "HTTP_X_AMZ_USER_AGENT",
}  # fmt: skip
"""Headers that do not affect what moto stores."""


def repeat(entry: dict[str, Any], body: Callable[[], bytes]) -> str | None:
    """Repeat an entry of the journal, if it is a plain write or deletion.

    `body` returns the bytes of its request. Returns the id of the version that it made, "null"
    without versions, and None if the entry is not plain.
    """
    if not is_plain(entry):
        return None
    name, _, key = (
        entry["path"].lstrip("/").encode("latin-1").decode(errors="replace").partition("/")
    )
    backend = s3_backends[entry["headers"]["HTTP_X_MOTO_ACCOUNT_ID"]]["aws"]
    bucket = backend.buckets.get(name)
    if bucket is None or bucket.object_lock_enabled or not _KEY.fullmatch(key):
        return None
    if entry["method"] == "DELETE":
        _, answer = backend.delete_object(name, key)
        return str(answer.get("version-id", "null"))
    headers: Any = EnvironHeaders(entry["headers"])
    made = backend.put_object(
        name,
        key,
        body(),
        storage="STANDARD",
        checksum_value=headers.get("x-amz-checksum-crc32"),
    )
    made.set_metadata(metadata_from_headers(headers))
    made.set_acl(bucket.acl)
    if algorithm := headers.get("x-amz-sdk-checksum-algorithm"):
        made.checksum_algorithm = algorithm
    backend.put_object_tagging(made, {})
    return str(made.version_id)


def is_plain(entry: dict[str, Any]) -> bool:
    """Whether an entry is a plain write or deletion of one object."""
    if entry["kind"] != "request" or entry["method"] not in {"PUT", "DELETE"}:
        return False
    headers = entry["headers"]
    return (
        entry["query"] in PLAIN_QUERIES
        and "/s3/aws4_request" in headers.get("HTTP_AUTHORIZATION", "")
        and headers.get("HTTP_HOST", "").startswith("127.0.0.1:")
        and "HTTP_X_MOTO_ACCOUNT_ID" in headers
        and headers.keys() <= _NEEDED | UNUSED_HEADERS
        and _DIGEST.fullmatch(headers.get("HTTP_X_AMZ_CONTENT_SHA256", "")) is not None
        and headers.get("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", "CRC32") == "CRC32"
        and ("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM" in headers)
        == ("HTTP_X_AMZ_CHECKSUM_CRC32" in headers)
    )
