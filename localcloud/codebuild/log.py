"""A build's log: a pipe for all processes of the build, read line by line."""

from __future__ import annotations

import os
import threading
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK_BYTES = 65536
_MAX_EVENT_BYTES = 256 * 1024  # the maximum size of an event in CloudWatch Logs


class BuildLog:
    """Passes lines to `keep` in their order; replaces secrets with `***`."""

    def __init__(self, keep: Callable[[list[str]], None]) -> None:
        self._keep = keep
        self._secrets: list[str] = []
        self._end = f"\0{uuid.uuid4()}\0".encode()
        self._out, self.descriptor = os.pipe()
        self._reader = threading.Thread(target=self._read, name="build-log", daemon=True)
        self._reader.start()

    def write(self, line: str) -> None:
        """Write a line; an unterminated line of a process before it becomes its own line."""
        os.write(self.descriptor, f"\0{line}\n".encode(errors="replace"))

    def mask(self, secret: str) -> None:
        """Replace this value, and each line of a multi-line value, in all later output."""
        parts = {secret, *secret.splitlines()} - {""}
        # The longest first: a short secret may be part of a longer one.
        self._secrets = sorted({*self._secrets, *parts}, key=len, reverse=True)

    def close(self) -> None:
        """Pass on all lines written so far; do not wait for processes that still write."""
        os.write(self.descriptor, self._end)
        self._reader.join()
        os.close(self.descriptor)
        os.close(self._out)

    def _read(self) -> None:
        rest = b""
        ended = False
        while not ended:
            rest += os.read(self._out, _CHUNK_BYTES)
            head, found, _ = rest.partition(self._end)
            *lines, rest = head.split(b"\n")
            ended = bool(found)
            if (ended and rest) or len(rest) > _MAX_EVENT_BYTES:
                lines, rest = [*lines, rest], b""
            shown = [self._masked(part) for line in lines for part in _parts(line)]
            if shown:
                self._keep(shown)

    def _masked(self, line: bytes) -> str:
        text = line.decode(errors="replace").rstrip("\r")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _parts(line: bytes) -> list[bytes]:
    before, _, own = line.rpartition(b"\0")
    return [before, own] if before else [own]
