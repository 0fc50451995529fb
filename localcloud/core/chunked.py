"""The `aws-chunked` encoding of S3 uploads, with a chain of chunk signatures.

"Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks"
(Amazon S3 API Reference) defines both the encoding and the chain of signatures.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8});chunk-signature=([0-9a-f]{64})\r\n")
_TRAILER = re.compile(rb"([\w-]+:[^\r\n]*)\r?\n\r?\nx-amz-trailer-signature:([0-9a-f]{64})\s*")
_NOTHING = sha256(b"").hexdigest()


class ChunkSignatureError(Exception):
    """A chunk that is cut short, or whose signature does not verify."""


class Chain(Protocol):
    """Sign one link: its kind (`PAYLOAD` or `TRAILER`) and the last lines of what is signed."""

    def __call__(self, kind: str, *parts: str) -> str: ...


def verify_chunks(body: bytes, seed: str, sign: Chain, *, trailer: bool) -> None:
    """Verify the chain of signatures from the request's own, the seed, to the last chunk.

    Raises:
        ChunkSignatureError: a link does not verify.
    """
    previous, end = seed, 0
    for end, data, signature in _chunks(body):  # noqa: B007  # the last end is where a trailer begins
        expected = sign("PAYLOAD", previous, _NOTHING, sha256(data).hexdigest())
        _check(expected, signature)
        previous = expected
    if trailer:
        found = _TRAILER.fullmatch(body, end)
        if found is None:
            raise ChunkSignatureError("the trailer has no signature")
        hashed = sha256(found[1] + b"\n").hexdigest()
        _check(sign("TRAILER", previous, hashed), found[2].decode())


def _chunks(body: bytes) -> Iterator[tuple[int, bytes, str]]:
    """Where each chunk ends, its data and its signature; the last one is empty."""
    at, length = 0, 1
    while length:
        found = _CHUNK.match(body, at)
        if found is None:
            raise ChunkSignatureError(f"no chunk begins at byte {at}")
        length = int(found[1], 16)
        data = body[found.end() : found.end() + length]
        if len(data) < length:
            raise ChunkSignatureError(f"the chunk at byte {at} is cut short")
        at = found.end() + length + (2 if length else 0)
        yield at, data, found[2].decode()


def _check(expected: str, given: str) -> None:
    if not hmac.compare_digest(expected, given):
        raise ChunkSignatureError("a chunk's signature does not match")
