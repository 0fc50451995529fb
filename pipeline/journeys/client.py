"""The HTTP client of a journey; all requests share the journey's time limit."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http import HTTPStatus

_TIDY_TIMEOUT_SECONDS = 5.0
_MAX_SHOWN_CHARACTERS = 200


class StepError(Exception):
    """A step found something that is not allowed."""

    def __init__(self, found: str, allowed: str, gateway_status: int | None = None) -> None:
        super().__init__(f"found {found}; allowed is {allowed}")
        self.found, self.allowed = found, allowed
        self.gateway_status = gateway_status
        """The status of a response by API Gateway itself; None if the service answered."""


@dataclass(frozen=True)
class Answer:
    """A complete response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def etag(self) -> str:
        """The header `ETag`, empty if there is none."""
        return self.headers.get("ETag", "")

    @property
    def is_from_gateway(self) -> bool:
        """Whether API Gateway answered instead of the service ("Gateway responses")."""
        return "x-amzn-ErrorType" in self.headers


class Client:
    """Sends the requests of one journey to an API's address, each on a new connection."""

    def __init__(self, url: str, seconds: float) -> None:
        """Start the journey's clock."""
        self._address = urlsplit(url)
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self.answered = False
        """Whether any response has arrived."""

    def ask(
        self,
        method: str,
        path: str,
        allowed: HTTPStatus,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request and return the response.

        Raises:
            StepError: the status is not allowed, there is no response, or no time is left.
        """
        left = self._deadline - time.monotonic()
        in_time = f"an answer within the journey's {self._seconds:g} seconds"
        if left <= 0:
            raise StepError("no time left for it", in_time)
        try:
            answer = self._send(method, path, left, headers, body)
        except (OSError, http.client.HTTPException) as error:
            raise StepError(f"{type(error).__name__}: {shown(str(error))}", in_time) from error
        self.answered = True
        if answer.status != allowed:
            by_gateway = answer.is_from_gateway
            whose = " of API Gateway" if by_gateway else ""
            raise StepError(
                f"{answer.status}{whose}: {shown(answer.body)}",
                f"{allowed:d}",
                answer.status if by_gateway else None,
            )
        if time.monotonic() > self._deadline:
            raise StepError("a late answer", in_time)
        return answer

    def tidy(self, method: str, path: str) -> None:
        """Send a cleanup request, also after the journey's time limit.

        Failures are ignored: the journey has failed already, and its step says why.
        """
        try:
            self._send(method, path, _TIDY_TIMEOUT_SECONDS)
        except (OSError, http.client.HTTPException):
            return

    def _send(
        self,
        method: str,
        path: str,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        secure = self._address.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(self._address.netloc, timeout=timeout)
        try:
            connection.request(method, self._address.path.rstrip("/") + path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


def shown(text: str | bytes) -> str:
    """Return the first characters of a response, on one line."""
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return " ".join(words.split())[:_MAX_SHOWN_CHARACTERS]
