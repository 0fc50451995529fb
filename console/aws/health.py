"""Whether a deployed service is alive and ready, as its own URL answers."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.awsrequest import AWSRequest
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session

_TIMEOUT = 5  # wall seconds


@dataclass(frozen=True)
class Health:
    """What `/health` and `/ready` answered."""

    alive: bool
    ready: bool
    reason: str = ""
    """Why one of them is not."""


def health(url: str) -> Health:
    """Ask the service below a base URL that ends in a slash."""
    alive = _asked(f"{url}health")
    ready = _asked(f"{url}ready")
    return Health(not alive, not ready, alive or ready)


def _asked(url: str) -> str:
    """Empty when it answers 200, else what came instead."""
    try:
        status = URLLib3Session(timeout=_TIMEOUT).send(AWSRequest("GET", url).prepare()).status_code
    except (HTTPClientError, OSError, ValueError) as error:
        return f"{url}: {error}"
    return "" if status == 200 else f"{url}: {status}"  # noqa: PLR2004  # OK
