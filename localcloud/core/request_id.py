"""The id of the API request that a thread answers, for the log and the answer."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_REQUEST = "-"
_current: ContextVar[str] = ContextVar("request_id", default=NO_REQUEST)


def request_id() -> str:
    """Return the id of the request that this thread answers, or `NO_REQUEST`."""
    return _current.get()


@contextmanager
def new_request() -> Iterator[str]:
    """Give the request that this thread answers from now on an id, a UUID as on AWS."""
    token = _current.set(str(uuid.uuid4()))
    try:
        yield _current.get()
    finally:
        _current.reset(token)
