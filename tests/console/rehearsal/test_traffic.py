from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from console.rehearsal.traffic import Traffic
from service.delivery.rehearsal import FILES

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Shop(ThreadingHTTPServer):
    """A fake of the service; files with a name in `broken` fail."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Clerk)
        self.asked: list[tuple[str, str]] = []
        self.enough = threading.Event()


class _Clerk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Shop

    def do_GET(self) -> None:
        path = unquote(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, path))
        self.send_response(500 if "報告" in path and self.command == "GET" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if len(self.server.asked) > 120:
            self.server.enough.set()

    do_PUT = do_GET  # noqa: N815  # http.server's own name

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[_Shop]:
    with _Shop() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_customers_write_read_and_list_files_in_their_own_languages(shop: _Shop) -> None:
    with Traffic(f"http://127.0.0.1:{shop.server_port}/prod/", per_second=2000) as traffic:
        assert shop.enough.wait(60)
    served = traffic.served
    assert served.requests == len(shop.asked)
    broken = [path for method, path in shop.asked if method == "GET" and "報告" in path]
    assert served.failures == len(broken) > 0
    read = {
        path.split("/", 4)[4] for method, path in shop.asked if method == "GET" if "?" not in path
    }
    assert read == set(FILES)
    assert {method for method, _ in shop.asked} == {"GET", "PUT"}
    assert any("?prefix=" in path for _, path in shop.asked)


def test_a_changed_rate_applies_from_the_next_request(shop: _Shop) -> None:
    with Traffic(f"http://127.0.0.1:{shop.server_port}/prod/", per_second=1) as traffic:
        traffic.change_rate(2000)
        assert shop.enough.wait(60)  # at the first rate it would take two minutes


def test_an_unreachable_service_is_a_failure(unused_tcp_port: int) -> None:
    seen = threading.Event()
    traffic = Traffic(f"http://127.0.0.1:{unused_tcp_port}/prod/", per_second=2000)
    with traffic:
        while traffic.served.failures < 5:
            seen.wait(0.01)
    assert traffic.served.failures == traffic.served.requests


@pytest.fixture
def unused_tcp_port() -> Iterator[int]:
    """A port that is bound, so that no one else uses it, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
