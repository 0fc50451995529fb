"""A build's log: one pipe that the build and all its processes write to, kept line by line."""

from __future__ import annotations

import os
import threading
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 65536
_LONGEST = 256 * 1024  # bytes; CloudWatch Logs takes no longer event


class BuildLog:
    """Hands lines to `keep` in the order in which they were written, secrets replaced by `***`."""

    def __init__(self, keep: Callable[[list[str]], None]) -> None:
        self._keep = keep
        self._secrets: list[str] = []
        self._end = f"\0{uuid.uuid4()}\0".encode()
        self._out, self.descriptor = os.pipe()
        self._reader = threading.Thread(target=self._read, name="build-log", daemon=True)
        self._reader.start()

    def write(self, line: str) -> None:
        """Add a line; whatever a process wrote before without ending its line is one of its own."""
        os.write(self.descriptor, f"\0{line}\n".encode(errors="replace"))

    def mask(self, secret: str) -> None:
        """Never show this value; of one with several lines, none of them."""
        parts = {secret, *secret.splitlines()} - {""}
        # The longest first: a short one may be part of it.
        self._secrets = sorted({*self._secrets, *parts}, key=len, reverse=True)

    def close(self) -> None:
        """Keep all that was written; a process that still writes is not waited for."""
        os.write(self.descriptor, self._end)
        self._reader.join()
        os.close(self.descriptor)
        os.close(self._out)

    def _read(self) -> None:
        rest = b""
        ended = False
        while not ended:
            rest += os.read(self._out, _CHUNK)
            head, found, _ = rest.partition(self._end)
            *lines, rest = head.split(b"\n")
            ended = bool(found)
            if (ended and rest) or len(rest) > _LONGEST:
                lines, rest = [*lines, rest], b""
            shown = [self._shown(part) for line in lines for part in _parts(line)]
            if shown:
                self._keep(shown)

    def _shown(self, line: bytes) -> str:
        text = line.decode(errors="replace").rstrip("\r")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _parts(line: bytes) -> list[bytes]:
    before, _, own = line.rpartition(b"\0")
    return [before, own] if before else [own]
