"""Clients of the AWS API at the local cloud's own endpoint."""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from localcloud.core.credentials import Credentials, Session


class ClientFactory(Protocol):
    """Returns clients of AWS services."""

    def __call__(
        self, service: str, account: str, region: str, session: Session | None = None
    ) -> Any:
        """Return a client that calls as the account's administrator, or as a session's role."""
        ...


class Clients:
    """A `ClientFactory` that keeps the clients of administrators.

    Clients are safe to share between threads; creating one is not, and holds a lock.
    """

    def __init__(self, endpoint: str, credentials: Credentials) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._clients: dict[tuple[str, str, str], Any] = {}

    def __call__(
        self, service: str, account: str, region: str, session: Session | None = None
    ) -> Any:
        """See `ClientFactory`."""
        key = (service, account, region)
        with _creating:
            if session is not None:
                return self._create(service, account, region, session)
            if key not in self._clients:
                self._clients[key] = self._create(service, account, region, None)
            return self._clients[key]

    def _create(self, service: str, account: str, region: str, session: Session | None) -> Any:
        return _botocore().create_client(
            service,
            region_name=region,
            endpoint_url=self._endpoint,
            aws_access_key_id=session.access_key if session else account,
            aws_secret_access_key=(session or self._credentials).secret_key,
            aws_session_token=session.token if session else None,
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                max_pool_connections=32,
                proxies={},
            ),
        )


_creating = threading.Lock()


@cache
def _botocore() -> botocore.session.Session:
    """Return the process's botocore session, which keeps the service models that it has read.

    It reads neither a profile nor a configuration file of the user.
    """
    fixed: dict[str, Any] = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return botocore.session.Session(session_vars=fixed)
