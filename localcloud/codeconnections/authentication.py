"""Authentication of git requests by AWS's git credential helper.

The helper (`aws codecommit credential-helper`, also named in the CodeConnections guide) derives
HTTP basic credentials from the caller's own. The user name is the access key, followed by `%` and
the session token if there is one. The password is a timestamp and a SigV4 signature of the
repository's path: it is valid only for that repository, and for 15 minutes.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import hmac
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from localcloud.core.credentials import ExpiredKeyError, UnknownKeyError

if TYPE_CHECKING:
    from localcloud.core.credentials import Credentials

_PASSWORD = re.compile(r"(\d{8}T\d{6})Z([0-9a-f]{64})")
_TIMESTAMP = "%Y%m%dT%H%M%S"
_MAX_AGE_SECONDS = 15 * 60


class GitCredentialsError(Exception):
    """The credentials of a request are missing, or do not verify."""


def sign(url: str, access_key: str, secret_key: str, token: str = "") -> tuple[str, str]:
    """Return user name and password for a repository's URL, as the helper does."""
    address = urlsplit(url)
    region = address.path.split("/")[3]  # /git-http/ACCOUNT/REGION/…
    now = datetime.now(UTC).strftime(_TIMESTAMP)
    signed = _password(access_key, secret_key, str(address.hostname), address.path, region, now)
    return f"{access_key}%{token}" if token else access_key, signed


def header(user: str, password: str) -> str:
    """Return the `Authorization` header of basic credentials."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _password(
    access_key: str, secret_key: str, host: str, path: str, region: str, timestamp: str
) -> str:
    signer = SigV4Auth(ReadOnlyCredentials(access_key, secret_key, None), "codecommit", region)
    request = AWSRequest(method="GIT", url=f"http://{host}{path}")
    request.context["timestamp"] = timestamp
    canonical = f"GIT\n{path}\n\nhost:{host}\n\nhost\n"
    return f"{timestamp}Z{signer.signature(signer.string_to_sign(request, canonical), request)}"


def authenticate(
    authorization: str, host: str, path: str, region: str, credentials: Credentials
) -> str:
    """Verify a request for a repository's path; return the caller's access key.

    Raises:
        GitCredentialsError: the request has no credentials, or they do not verify.
    """
    user, given = _basic(authorization)
    found = _PASSWORD.fullmatch(given)
    if found is None:
        raise GitCredentialsError("the password is not a signature of AWS's git credential helper")
    access_key, _, token = user.partition("%")
    try:
        secret = credentials.secret(access_key, token)
    except ExpiredKeyError as error:
        raise GitCredentialsError(f"the session of access key {error} has expired") from error
    except UnknownKeyError as error:
        raise GitCredentialsError(f"this cloud did not issue access key {error}") from error
    expected = _password(access_key, secret, host.rsplit(":", 1)[0], path, region, found[1])
    if not hmac.compare_digest(expected, given):
        raise GitCredentialsError("the signature does not match")
    signed = calendar.timegm(time.strptime(found[1], _TIMESTAMP))
    if abs(time.time() - signed) > _MAX_AGE_SECONDS:
        raise GitCredentialsError(f"signed at {found[1]}Z, and has expired")
    return access_key


def _basic(authorization: str) -> tuple[str, str]:
    kind, _, encoded = authorization.partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise GitCredentialsError("the credentials cannot be decoded") from error
    user, colon, given = decoded.partition(":")
    if kind.lower() != "basic" or not colon:
        raise GitCredentialsError("no credentials were sent")
    return user, given
