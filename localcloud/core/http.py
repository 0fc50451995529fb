"""The HTTP server of every port: werkzeug's, on loopback, with connections that stay open."""

from __future__ import annotations

import errno
import io
import logging
import socket
import threading
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

logger = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"


class PortInUseError(Exception):
    """Another process listens on the requested port."""


class _Handler(MotoRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # Send an answer as one segment: head and body apart would wait for a delayed ACK.
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_expect_100(self) -> bool:
        del self.headers["Expect"]
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()
        return True

    def make_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().make_environ()
        stream = environ["wsgi.input"]
        if environ.get("wsgi.input_terminated"):
            body = stream.read()
        else:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = stream.read(length)
            if len(body) < length:
                raise EOFError
        # Read whole, so that an application that ignores a body leaves the connection usable.
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        # WSGI folds a header's case and its repetitions; a deployed API's function sees both.
        environ["localcloud.headers"] = list(self.headers.items())
        return environ

    def run_wsgi(self) -> None:
        """Answer one request; unlike werkzeug's own, the connection stays open."""
        try:
            environ = self.make_environ()
        except (ValueError, OSError, EOFError):  # a length that is none, a body that ends early
            self.close_connection = True
            self.send_error(400)
            return
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_rest: Any) -> Any:
            head[:] = [status, headers]

        try:
            body = b"".join(self.server.app(environ, start_response))
        except Exception:  # an internal error is logged and answered
            logger.exception("%s %s fails", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            head[:] = ["500 Internal Server Error", [("Content-Type", "text/plain")]]
            body = b"The local cloud failed on this request; see the traceback in its log."
        code, _, reason = head[0].partition(" ")
        self.send_response_only(int(code), reason)
        sent = {"date", "connection", "transfer-encoding", "server"}
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        for name, value in head[1]:
            # Only a HEAD's answer names a length other than that of its body.
            if name.lower() not in sent and (is_head or name.lower() != "content-length"):
                self.send_header(name, value)
        if not is_head and code not in {"204", "304"}:
            self.send_header("Content-Length", str(len(body)))
        # AWS's SDKs take an error whose date is minutes from their own clock for the clock's fault
        # and try the call again, seven times over: errors of the cloud's time carry no date.
        if int(code) < 400:  # noqa: PLR2004  # HTTP's own line between success and error
            self.send_header("Date", formatdate(self.server.now(), usegmt=True))
        self.end_headers()
        if not is_head:
            self.wfile.write(body)
        self.wfile.flush()

    def log_request(self, *_arguments: object) -> None:
        """Requests are not logged: the services keep their own history."""


class _Server(ThreadedWSGIServer):
    daemon_threads = True
    request_queue_size = 256
    now: Callable[[], float]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close every open connection, which ends the thread that serves it."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # the client closed it first
                    connection.shutdown(socket.SHUT_RDWR)


class HttpServer:
    """A WSGI application served on a loopback port by a thread a connection.

    `now` returns the time (seconds since the epoch) of the `Date` header of answers without error.

    Raises:
        PortInUseError: the port is taken.
    """

    def __init__(self, name: str, port: int, application: Wsgi, now: Callable[[], float]) -> None:
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(256)
        except OSError as error:
            probe.close()
            if error.errno != errno.EADDRINUSE:
                raise
            message = f"port {port} is in use: stop what listens there or choose another port"
            raise PortInUseError(message) from error
        self.port: int = probe.getsockname()[1]
        self._server = _Server(
            LOOPBACK, self.port, application, handler=_Handler, fd=probe.fileno()
        )
        self._server.now = now
        probe.close()  # werkzeug duplicated the descriptor
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            # How long `stop` may have to wait, in seconds.
            kwargs={"poll_interval": 0.05},
            name=f"http-{name}",
            daemon=True,
        )

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Accept no further connection, and close those that are open."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.close_connections()
        self._server.server_close()
