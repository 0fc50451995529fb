"""Parse and verify the SigV4 signatures of requests.

The canonical request and the HMACs are botocore's own (`botocore.auth.SigV4Auth`). This module adds
what only a server needs: parsing, the payload's hash, expiry and clock skew. Sources: "Signature
Version 4 for API requests" (IAM User Guide) and "Authenticating Requests" (Amazon S3 API
Reference).
"""

from __future__ import annotations

import calendar
import hmac
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import ReadOnlyCredentials
from botocore.utils import normalize_url_path

from localcloud.core.chunked import ChunkSignatureError, verify_chunks

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(
    rf"{_ALGORITHM}\s+Credential=([^/\s,]+)/(\d{{8}})/([\w-]+)/([\w-]+)/aws4_request\s*,"
    r"\s*SignedHeaders=([\w.;-]+)\s*,\s*Signature=([0-9a-f]{64})\s*"
)
_SCOPE = re.compile(r"([^/\s,]+)/(\d{8})/([\w-]+)/([\w-]+)/aws4_request")
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_MAX_SKEW_SECONDS = 15 * 60
_MAX_EXPIRES_SECONDS = 7 * 24 * 3600
_UNSIGNED = "UNSIGNED-PAYLOAD"
_SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_TRAILER = "-TRAILER"
_UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_S3_PAYLOADS = {_UNSIGNED, _SIGNED_CHUNKS, _SIGNED_CHUNKS + _TRAILER, _UNSIGNED_CHUNKS}


class SignatureError(Exception):
    """A signature that does not verify; `code` is AWS's own name for why."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Signature:
    """The signature in a request's `Authorization` header or presigned URL."""

    access_key: str
    date: str
    """The scope's day, `YYYYMMDD`."""
    region: str
    service: str
    timestamp: str
    """`YYYYMMDDTHHMMSSZ`."""
    signed_headers: tuple[str, ...]
    value: str
    token: str
    expires: float | None
    """Seconds from the timestamp on; None unless the URL is presigned."""

    @staticmethod
    def of(environ: Mapping[str, Any]) -> Signature | None:
        """Read a request's signature; None when it has none of SigV4."""
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        if authorization:
            found = _HEADER.fullmatch(authorization)
            if found is None:
                return None
            access_key, date, region, service, headers, value = found.groups()
            timestamp = environ.get("HTTP_X_AMZ_DATE") or _of_date(environ.get("HTTP_DATE", ""))
            token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")
            signed = tuple(headers.split(";"))
            return Signature(
                access_key, date, region, service, timestamp, signed, value, token, None
            )
        query = {
            name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()
        }
        scope = _SCOPE.fullmatch(query.get("X-Amz-Credential", ""))
        if scope is None or query.get("X-Amz-Algorithm") != _ALGORITHM:
            return None
        expires = query.get("X-Amz-Expires", "")
        access_key, date, region, service = scope.groups()
        return Signature(
            access_key,
            date,
            region,
            service,
            query.get("X-Amz-Date", ""),
            tuple(query.get("X-Amz-SignedHeaders", "").split(";")),
            query.get("X-Amz-Signature", ""),
            query.get("X-Amz-Security-Token", ""),
            float(expires) if expires.isascii() and expires.isdigit() else -1.0,
        )


class _Signer(SigV4Auth):
    """botocore's signer, over exactly the headers and the payload hash that a request claims."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        headers: HTTPHeaders = request.headers
        return headers

    def payload(self, request: AWSRequest) -> str:
        payload: str = request.context["payload"]
        return payload

    def _normalize_url_path(self, path: str) -> str:
        return quote(normalize_url_path(path), safe="/~")


class _S3Signer(_Signer):
    """An object's key is encoded once, however a client sent it, and its `..` stay."""

    def _normalize_url_path(self, path: str) -> str:
        return quote(unquote(path), safe="/~")


def verify(
    environ: Mapping[str, Any],
    signature: Signature,
    secret_key: str,
    body: bytes,
    *,
    cloud_time: float,
) -> None:
    """Verify that the owner of a secret key signed this request.

    Args:
        environ: a WSGI environment of `localcloud.core.http`, with `localcloud.headers` and
        `RAW_URI`.
        signature: what the request claims.
        secret_key: the key that must have signed it.
        body: the request's body.
        cloud_time: the cloud's clock. An SDK that has seen a `Date` of the cloud's time signs
            with that time, so a timestamp may lie between the wall's time and the cloud's.

    Raises:
        SignatureError: it does not verify.
    """
    _check_time(signature, time.time(), cloud_time)
    headers: Any = _signed(environ, signature)
    payload = _payload(environ, signature, body)
    request = AWSRequest(
        method=environ["REQUEST_METHOD"], url=_url(environ, signature), headers=headers
    )
    request.context.update(timestamp=signature.timestamp, payload=payload)
    signer = (_S3Signer if signature.service == "s3" else _Signer)(
        ReadOnlyCredentials(signature.access_key, secret_key, signature.token),
        signature.service,
        signature.region,
    )
    expected = signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request
    )
    if not hmac.compare_digest(expected, signature.value):
        raise _mismatch()
    if payload.startswith(_SIGNED_CHUNKS):
        scope = signer.credential_scope(request)

        def chain(kind: str, *parts: str) -> str:
            text = "\n".join((f"{_ALGORITHM}-{kind}", signature.timestamp, scope, *parts))
            signed: str = signer.signature(text, request)
            return signed

        try:
            verify_chunks(body, expected, chain, trailer=payload.endswith(_TRAILER))
        except ChunkSignatureError as error:
            raise _mismatch() from error


def _check_time(signature: Signature, wall: float, cloud: float) -> None:
    try:
        stamped = calendar.timegm(time.strptime(signature.timestamp, _TIMESTAMP))
    except ValueError as error:
        raise SignatureError(
            "IncompleteSignature",
            f"Date must be in ISO-8601 'basic format'. Got '{signature.timestamp}'",
            400,
        ) from error
    if signature.timestamp[:8] != signature.date:
        raise SignatureError(
            "SignatureDoesNotMatch",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date",
        )
    if stamped > max(wall, cloud) + _MAX_SKEW_SECONDS:
        raise _skewed(signature, wall)
    if signature.expires is None:
        if stamped < min(wall, cloud) - _MAX_SKEW_SECONDS:
            raise _skewed(signature, wall)
    elif not 0 < signature.expires <= _MAX_EXPIRES_SECONDS:
        raise SignatureError(
            "AuthorizationQueryParametersError",
            f"X-Amz-Expires must be between 1 and {_MAX_EXPIRES_SECONDS} seconds",
            400,
        )
    elif stamped + signature.expires < wall:
        raise SignatureError("AccessDenied", "Request has expired")


def _skewed(signature: Signature, wall: float) -> SignatureError:
    now = time.strftime(_TIMESTAMP, time.gmtime(wall))
    return SignatureError(
        "RequestTimeTooSkewed" if signature.service == "s3" else "SignatureDoesNotMatch",
        f"The difference between the request time and the current time is too large: signed at "
        f"{signature.timestamp}, received at {now}; {_MAX_SKEW_SECONDS} seconds are allowed. Set "
        "the client's clock.",
    )


def _signed(environ: Mapping[str, Any], signature: Signature) -> HTTPHeaders:
    """The headers that are signed, with their values.

    Raises:
        SignatureError: one that has to be signed is not.
    """
    headers = HTTPHeaders()
    for name, value in environ["localcloud.headers"]:
        lower = name.lower()
        if lower in signature.signed_headers:
            headers[lower] = value.encode("latin-1").decode(errors="replace")
        elif lower.startswith("x-amz-"):
            raise SignatureError(
                "AccessDenied",
                f"There were headers present in the request which were not signed: {lower}",
            )
    if "host" not in signature.signed_headers:
        raise SignatureError(
            "SignatureDoesNotMatch", "'Host' must be a 'SignedHeader' in the AWS Authorization."
        )
    return headers


def _payload(environ: Mapping[str, Any], signature: Signature, body: bytes) -> str:
    """The payload's hash, or S3's keyword in its place.

    Raises:
        SignatureError: the request claims another hash than that of its body.
    """
    claimed: str | None = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    s3 = signature.service == "s3"
    if claimed is None and s3:
        if signature.expires is None:
            raise SignatureError(
                "InvalidRequest",
                "Missing required header for this request: x-amz-content-sha256",
                400,
            )
        return _UNSIGNED
    if claimed in _S3_PAYLOADS and s3:
        return claimed
    actual = sha256(body).hexdigest()
    if claimed not in {None, actual}:
        if s3:
            raise SignatureError(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                400,
            )
        raise _mismatch()
    return actual


def _url(environ: Mapping[str, Any], signature: Signature) -> str:
    """The address as it was sent; of a presigned one, without its signature."""
    target: str = environ["RAW_URI"]
    if not target.startswith("/"):  # absolute, as a proxy's client sends it
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    if signature.expires is not None:
        pairs = (each for each in query.split("&") if not each.startswith("X-Amz-Signature="))
        query = "&".join(pairs)
    return f"http://{environ.get('HTTP_HOST', '')}{path}?{query}"


def _of_date(date: str) -> str:
    try:
        return parsedate_to_datetime(date).strftime(_TIMESTAMP)
    except ValueError:
        return ""


def _mismatch() -> SignatureError:
    return SignatureError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check "
        "your AWS Secret Access Key and signing method. The secret key of this local cloud is in "
        "endpoint.json of its state folder.",
    )
