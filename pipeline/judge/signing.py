"""Requests signed with AWS Signature Version 4, by the standard library alone.

botocore would sign as well, and cost a cold start its import; the judge speaks to four services
in JSON and needs of it this much ("Create a signed AWS API request" of the IAM user guide).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Credentials:
    """Of the function's role, as Lambda puts them into its environment."""

    access_key: str
    secret_key: str
    token: str


def signed(
    method: str,
    host: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    service: str,
    region: str,
    credentials: Credentials,
    now: datetime,
) -> dict[str, str]:
    """All headers of a request without a query; `path` is as it will be sent, `now` in UTC."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    every = {
        **{name.lower(): value for name, value in headers.items()},
        "host": host,
        "x-amz-content-sha256": digest,
        "x-amz-date": stamp,
        "x-amz-security-token": credentials.token,
    }
    names = ";".join(sorted(every))
    # Every service but S3 signs the path encoded once more.
    canonical_path = path if service == "s3" else quote(path, safe="/-_.~")
    canonical = "\n".join(
        [
            method,
            canonical_path,
            "",
            *(f"{name}:{' '.join(every[name].split())}" for name in sorted(every)),
            "",
            names,
            digest,
        ]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(
        key, f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashed}".encode(), "sha256"
    ).hexdigest()
    every["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return every
