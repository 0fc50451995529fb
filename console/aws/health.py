"""Health of a deployed service: the answers of its `/health` and `/ready`."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.awsrequest import AWSRequest
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session

_REQUEST_TIMEOUT_SECONDS = 5


@dataclass(frozen=True)
class Health:
    """The answers of `/health` (alive) and `/ready` (ready)."""

    alive: bool
    ready: bool
    reason: str = ""
    """The first failure: the URL, and the status or error in place of a 200; else empty."""


def health(url: str) -> Health:
    """Request `/health` and `/ready` below a base URL that ends in a slash."""
    not_alive = _failure(f"{url}health")
    not_ready = _failure(f"{url}ready")
    return Health(not not_alive, not not_ready, not_alive or not_ready)


def _failure(url: str) -> str:
    """Return "" if a URL answers 200, else the status or the error."""
    session = URLLib3Session(timeout=_REQUEST_TIMEOUT_SECONDS)
    try:
        status = session.send(AWSRequest("GET", url).prepare()).status_code
    except (HTTPClientError, OSError, ValueError) as error:
        return f"{url}: {error}"
    return "" if status == 200 else f"{url}: {status}"  # noqa: PLR2004  # OK
