"""Prod's traffic: customers who send requests at a constant rate.

Requests cost this machine about 10 ms of a core each, which builds need, too. So the rate is high
only while a release is in stage prod, where a canary is judged by it.
"""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from pipeline.service import part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

CANARY_RATE = 40.0  # requests a second of wall-clock time, while a release is in stage prod
CALM_RATE = 8.0  # requests a second of wall-clock time, otherwise
_CUSTOMERS = 4
_TIMEOUT_SECONDS = 10.0  # seconds of wall-clock time, for one response
Request = tuple[str, str, bytes | None]
"""Method, path below the API's address, and body."""


@dataclass(frozen=True)
class Customers:
    """The requests of a service's customers."""

    clients: tuple[str, ...]
    """Values of the header `User-Agent`, used in rotation."""
    requests: Callable[[int], Iterator[Request]]
    """Returns the endless requests of a customer; customers are numbered from 0."""


_DEFAULT_CUSTOMERS = Customers(("rehearsal",), lambda _number: itertools.repeat(("GET", "/", None)))


def customers() -> Customers:
    """Return the service's customers; by default, they request `/`."""
    rehearsal = part("rehearsal")
    found: Customers = rehearsal.CUSTOMERS if rehearsal else _DEFAULT_CUSTOMERS
    return found


@dataclass
class Served:
    """Counts of the requests so far."""

    requests: int = 0
    failures: int = 0
    """Responses of 500 and above, and missing responses."""


class Traffic:
    """A context manager that sends requests to a deployed service."""

    def __init__(
        self, url: str, per_second: float = CALM_RATE, sending: Customers | None = None
    ) -> None:
        self._address = urlsplit(url)
        self._every = _CUSTOMERS / per_second  # seconds between two requests of a customer
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._served = Served()
        self._sending = sending or customers()
        self._clients = itertools.cycle(self._sending.clients)
        self._customers = [
            threading.Thread(target=self._send_requests, args=(number,), name=f"customer-{number}")
            for number in range(_CUSTOMERS)
        ]

    def __enter__(self) -> Self:
        for customer in self._customers:
            customer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for customer in self._customers:
            customer.join()

    def change_rate(self, per_second: float) -> None:
        """Send this number of requests a second of wall-clock time from now on."""
        self._every = _CUSTOMERS / per_second

    @property
    def served(self) -> Served:
        """The counts since the start."""
        with self._lock:
            return Served(self._served.requests, self._served.failures)

    def _send_requests(self, number: int) -> None:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=_TIMEOUT_SECONDS
        )
        due = time.monotonic() + self._every * number / _CUSTOMERS
        for method, path, body in self._sending.requests(number):
            # An open model: a slow response does not delay the next request.
            if self._over.wait(max(0.0, due - time.monotonic())):
                break
            due = max(due + self._every, time.monotonic() - 1.0)
            failed = self._ask(connection, method, path, body)
            with self._lock:
                self._served.requests += 1
                self._served.failures += failed
        connection.close()

    def _ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None
    ) -> bool:
        try:
            connection.request(
                method,
                f"{self._address.path.rstrip('/')}{path}",
                body,
                {"User-Agent": next(self._clients)},
            )
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return True
        return answer.status >= 500  # noqa: PLR2004  # HTTP's server errors
