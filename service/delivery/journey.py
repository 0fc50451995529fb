"""A synthetic journey through the files API: write, read, list and delete a file.

It runs in Lambda: it imports the standard library, `pipeline.journeys` and `pipeline.names` only.
"""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipeline.journeys.client import StepError, shown
from pipeline.names import SYNTHETIC

if TYPE_CHECKING:
    from pipeline.journeys.client import Client
    from pipeline.journeys.customer import Step


class Customer:
    """A customer with one file, which no other customer uses."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._path = f"{SYNTHETIC}/{uuid.uuid4()}.txt"
        self._address = f"/files/{quote(self._path)}"
        self._content = f"{self._path} was here".encode()
        self._etag = ""
        self._written = False

    def steps(self) -> tuple[Step, ...]:
        """Return the steps in their order."""
        return (
            ("write", self._write),
            ("read", self._read),
            ("read again", self._read_again),
            ("list", self._list),
            ("delete", self._delete),
            ("miss", self._miss),
        )

    def tidy(self) -> None:
        """Delete the file if it may exist."""
        if self._written:
            self._client.tidy("DELETE", self._address)

    def _write(self) -> None:
        self._written = True  # also if the response is lost
        headers = {"Content-Type": "text/plain"}
        answer = self._client.ask("PUT", self._address, HTTPStatus.CREATED, headers, self._content)
        self._etag = answer.etag
        if not self._etag:
            raise StepError("no ETag", "the ETag of what was written")

    def _read(self) -> None:
        answer = self._client.ask("GET", self._address, HTTPStatus.OK)
        if answer.body != self._content:
            raise StepError(f"{len(answer.body)} other bytes", "the bytes that were written")
        if answer.etag != self._etag:
            raise StepError(f"ETag {answer.etag}", self._etag)

    def _read_again(self) -> None:
        headers = {"If-None-Match": self._etag}
        self._client.ask("GET", self._address, HTTPStatus.NOT_MODIFIED, headers)

    def _list(self) -> None:
        answer = self._client.ask("GET", f"/files?prefix={quote(self._path)}", HTTPStatus.OK)
        wanted = [(self._path, len(self._content), self._etag)]
        try:
            files = json.loads(answer.body)["files"]
            listed = [(each["path"], each["size"], each["etag"]) for each in files]
        except (ValueError, KeyError, TypeError) as error:
            raise StepError(shown(answer.body), "a listing in JSON") from error
        if listed != wanted:
            raise StepError(f"{listed}", f"{wanted}")

    def _delete(self) -> None:
        self._client.ask("DELETE", self._address, HTTPStatus.NO_CONTENT)
        self._written = False

    def _miss(self) -> None:
        try:
            self._client.ask("GET", self._address, HTTPStatus.NOT_FOUND)
        except StepError:
            self._written = True  # not deleted, whatever the response
            raise
