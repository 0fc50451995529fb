from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from environments.gates import Comparison, Load

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def limits() -> Load:
    """Limits that no machine crosses by itself; a test crosses the one it is about."""
    return Load(
        users=100,
        seconds=1,
        warm_up_seconds=5,
        requests_per_second=100,
        min_throughput=1,
        max_failure_share=0.1,
        max_cold_share=0.5,
        max_p50_ms=1000,
        max_p95_ms=1000,
        max_p99_ms=1000,
        comparison=Comparison(false_alarm_share=0.01, min_growth=0.15, min_growth_ms=10),
    )


@dataclass
class Service:
    """A real server on loopback that stores any file, until a test degrades it."""

    behave: Callable[[int], dict[str, str] | None] = lambda _number: {}
    """Given the number of earlier requests, return headers, or None for no response."""
    requests: int = 0
    agents: Counter[str] = field(default_factory=Counter)
    server: ThreadingHTTPServer = field(init=False)

    @property
    def url(self) -> str:
        """The address with a trailing slash, as API Gateway's."""
        scheme = "https" if hasattr(self.server.socket, "context") else "http"
        return f"{scheme}://127.0.0.1:{self.server.server_port}/"


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, *_arguments: Any) -> None:
        """Ignore clients that disconnect, which some tests cause."""


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    """Start services, each on its own port."""
    started: list[tuple[Service, threading.Thread]] = []

    def start(secure: ssl.SSLContext | None = None) -> Service:
        service = Service()
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with lock:
                    number, service.requests = service.requests, service.requests + 1
                    service.agents[self.headers["User-Agent"]] += 1
                # Requests by which users clean up at the end are not measured.
                headers = {} if self.command == "DELETE" else service.behave(number)
                if headers is None:
                    self.close_connection = True
                    return
                self.send_response(int(headers.pop("status", "200")))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"file")

            def __getattr__(self, name: str) -> Any:
                """Answer every method the same way."""
                if name.startswith("do_"):
                    return self._answer
                raise AttributeError(name)

            def log_message(self, *_arguments: Any) -> None:
                pass

        service.server = _Server(("127.0.0.1", 0), Handler)
        if secure:
            service.server.socket = secure.wrap_socket(service.server.socket, server_side=True)
        thread = threading.Thread(target=service.server.serve_forever, args=(0.01,))
        thread.start()
        started.append((service, thread))
        return service

    yield start
    for service, thread in started:
        service.server.shutdown()
        thread.join()
        service.server.server_close()


@pytest.fixture
def service(serve: Callable[..., Service]) -> Service:
    return serve()
