"""One customer's journey through the public API: a file is written, read, listed and deleted."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from pipeline.names import SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PATIENCE = 5.0  # seconds in which what was written is deleted, whatever else was wrong
_SHOWN = 200


@dataclass(frozen=True)
class Failure:
    """The first step that failed, what was found there, and what is allowed."""

    step: str
    found: str
    allowed: str
    gateway_status: int | None = None
    """The status that API Gateway answered by itself; None if the service answered."""

    @property
    def sentence(self) -> str:
        """All of it, on one line."""
        return f"step {self.step} failed: found {self.found}; allowed is {self.allowed}"


@dataclass(frozen=True)
class Journey:
    """How a journey went."""

    steps: dict[str, int]
    """Milliseconds of each step that went well, in their order."""
    milliseconds: int
    answered: bool
    """Whether anything has answered at all."""
    failure: Failure | None


class _FoundError(Exception):
    """A step found something else than it may."""

    def __init__(self, found: str, allowed: str, gateway_status: int | None = None) -> None:
        super().__init__(found)
        self.found, self.allowed = found, allowed
        self.gateway_status = gateway_status


def travel(url: str, seconds: float) -> Journey:
    """Make a journey from an API's address; it fails when it is not over within the seconds.

    It leaves nothing behind, unless the service does not delete.
    """
    customer = _Customer(url, seconds)
    began = time.monotonic()
    steps: dict[str, int] = {}
    failure = None
    try:
        for name, step in customer.steps():
            at = time.monotonic()
            try:
                step()
            except _FoundError as error:
                failure = Failure(name, error.found, error.allowed, error.gateway_status)
                break
            steps[name] = _milliseconds(at)
        milliseconds = _milliseconds(began)
    finally:
        customer.tidy()
    return Journey(steps, milliseconds, customer.answered, failure)


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def etag(self) -> str:
        return self.headers.get("ETag", "")

    @property
    def is_from_gateway(self) -> bool:
        """Whether API Gateway answered instead of the service ("Gateway responses")."""
        return "x-amzn-ErrorType" in self.headers


class _Customer:
    """Knows one file, which is nobody else's."""

    def __init__(self, url: str, seconds: float) -> None:
        self._address = urlsplit(url)
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._path = f"{SYNTHETIC}/{uuid.uuid4()}.txt"
        self._content = f"{self._path} was here".encode()
        self._etag = ""
        self._written = False
        self.answered = False

    def steps(self) -> tuple[tuple[str, Callable[[], None]], ...]:
        """In their order."""
        return (
            ("write", self._write),
            ("read", self._read),
            ("read again", self._read_again),
            ("list", self._list),
            ("delete", self._delete),
            ("miss", self._miss),
        )

    def tidy(self) -> None:
        """Delete what was written, or may have been, unless that is done."""
        if self._written:
            try:
                self._send("DELETE", self._file, _PATIENCE)
            except (OSError, http.client.HTTPException):
                return  # the journey has failed already, and says why

    @property
    def _file(self) -> str:
        return f"/files/{quote(self._path)}"

    def _write(self) -> None:
        self._written = True  # also where the answer is lost
        headers = {"Content-Type": "text/plain"}
        answer = self._ask("PUT", self._file, HTTPStatus.CREATED, headers, self._content)
        self._etag = answer.etag
        if not self._etag:
            raise _FoundError("no ETag", "the ETag of what was written")

    def _read(self) -> None:
        answer = self._ask("GET", self._file, HTTPStatus.OK)
        if answer.body != self._content:
            raise _FoundError(f"{len(answer.body)} other bytes", "the bytes that were written")
        if answer.etag != self._etag:
            raise _FoundError(f"ETag {answer.etag}", self._etag)

    def _read_again(self) -> None:
        self._ask("GET", self._file, HTTPStatus.NOT_MODIFIED, {"If-None-Match": self._etag})

    def _list(self) -> None:
        answer = self._ask("GET", f"/files?prefix={quote(self._path)}", HTTPStatus.OK)
        wanted = [(self._path, len(self._content), self._etag)]
        try:
            files = json.loads(answer.body)["files"]
            listed = [(each["path"], each["size"], each["etag"]) for each in files]
        except (ValueError, KeyError, TypeError) as error:
            raise _FoundError(_told(answer.body), "a listing in JSON") from error
        if listed != wanted:
            raise _FoundError(f"{listed}", f"{wanted}")

    def _delete(self) -> None:
        self._ask("DELETE", self._file, HTTPStatus.NO_CONTENT)
        self._written = False

    def _miss(self) -> None:
        try:
            self._ask("GET", self._file, HTTPStatus.NOT_FOUND)
        except _FoundError:
            self._written = True  # it was not deleted, whatever was answered
            raise

    def _ask(
        self,
        method: str,
        path: str,
        allowed: HTTPStatus,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> _Answer:
        left = self._until - time.monotonic()
        in_time = f"an answer within the journey's {self._seconds:g} seconds"
        if left <= 0:
            raise _FoundError("no time left for it", in_time)
        try:
            answer = self._send(method, path, left, headers, body)
        except (OSError, http.client.HTTPException) as error:
            raise _FoundError(f"{type(error).__name__}: {_told(str(error))}", in_time) from error
        self.answered = True
        if answer.status != allowed:
            by_gateway = answer.is_from_gateway
            whose = " of API Gateway" if by_gateway else ""
            raise _FoundError(
                f"{answer.status}{whose}: {_told(answer.body)}",
                f"{allowed:d}",
                answer.status if by_gateway else None,
            )
        if time.monotonic() > self._until:
            raise _FoundError("a late answer", in_time)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        patience: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> _Answer:
        secure = self._address.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(self._address.netloc, timeout=patience)
        try:
            connection.request(method, self._address.path.rstrip("/") + path, body, headers or {})
            response = connection.getresponse()
            return _Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


def _milliseconds(since: float) -> int:
    return round(1000 * (time.monotonic() - since))


def _told(text: str | bytes) -> str:
    """The beginning of what was said, on one line."""
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return " ".join(words.split())[:_SHOWN]
