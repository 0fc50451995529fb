"""The Runtime API of one worker: HTTP/1.1 on its own loopback port.

Paths and headers are from "Using the Lambda runtime API for custom runtimes". No thread serves the
port: the thread of an invocation reads and writes the connection itself. An invocation of a warm
worker therefore costs two writes and a few reads.
"""

from __future__ import annotations

import re
import select
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ERROR_TYPE = re.compile(rb"\r\nlambda-runtime-function-error-type: *([^\r\n]*)", re.IGNORECASE)
_ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
    b'Content-Length: 16\r\n\r\n{"status":"OK"}\n'
)
_TOO_LARGE = (
    b"HTTP/1.1 413 Payload Too Large\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\n\r\n{}"
)
_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class Call:
    """A worker's request; `path` is the part after `/runtime`."""

    path: str
    body: bytes
    error_type: str


class RuntimeApi:
    """The port and the connection of one worker; not thread-safe."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4)
        self._connection: socket.socket | None = None
        self._read = bytearray()

    @property
    def address(self) -> str:
        """The value of `AWS_LAMBDA_RUNTIME_API`."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def watch(self, poll: select.poll) -> None:
        """Register the port with `poll`."""
        poll.register(self._listener, select.POLLIN)
        if self._connection is not None:
            poll.register(self._connection, select.POLLIN)

    def receive(self, descriptor: int, poll: select.poll) -> bool:
        """Read from a ready descriptor; return False if it is not of this port."""
        if descriptor == self._listener.fileno():
            self._accept(poll)
            return True
        if self._connection is None or descriptor != self._connection.fileno():
            return False
        try:
            received = self._connection.recv(_CHUNK_BYTES)
        except ConnectionError:
            received = b""
        if received:
            self._read += received
        else:
            self._disconnect(poll)
        return True

    def call(self) -> Call | None:
        """Return the next complete call, or None."""
        end = self._read.find(_HEAD_END)
        if end < 0:
            return None
        head = bytes(self._read[:end])
        found = _LENGTH.search(head)
        whole = end + len(_HEAD_END) + (int(found[1]) if found else 0)
        if len(self._read) < whole:
            return None
        body = bytes(self._read[end + len(_HEAD_END) : whole])
        del self._read[:whole]
        path = head.split(b" ", 2)[1].decode().partition("/runtime")[2]
        error_type = _ERROR_TYPE.search(head)
        return Call(path, body, error_type[1].decode() if error_type else "")

    def give(self, headers: Mapping[str, str], payload: bytes) -> None:
        """Answer `/invocation/next` with an event.

        Raises:
            OSError: the worker has ended.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"{lines}Content-Length: {len(payload)}\r\n\r\n"
        )
        self._send(head.encode() + payload)

    def accept(self, *, too_large: bool = False) -> None:
        """Answer the worker's posted response or error.

        Raises:
            OSError: the worker has ended.
        """
        self._send(_TOO_LARGE if too_large else _ACCEPTED)

    def close(self) -> None:
        """Close the port; a worker that still runs then exits."""
        self._listener.close()
        if self._connection is not None:
            self._connection.close()

    def _accept(self, poll: select.poll) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._connection is not None:
            self._disconnect(poll)
        self._connection = connection
        poll.register(connection, select.POLLIN)

    def _disconnect(self, poll: select.poll) -> None:
        if self._connection is not None:
            poll.unregister(self._connection)
            self._connection.close()
            self._connection = None
            self._read.clear()

    def _send(self, content: bytes) -> None:
        if self._connection is None:
            raise ConnectionResetError("The worker has closed the connection")
        self._connection.sendall(content)
