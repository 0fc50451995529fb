from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.http import HttpServer, PortInUseError

if TYPE_CHECKING:
    from collections.abc import Iterator


def _application(environ: dict[str, Any], start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    if path == "/bug":
        raise RuntimeError("a secret of the inside")
    if path == "/ignores":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ignored"]
    if path == "/nothing":
        start_response("204 No Content", [])
        return [b""]
    if path == "/head":
        start_response("200 OK", [("Content-Length", "1234")])
        return [b""]
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("X-Length", environ["CONTENT_LENGTH"]), ("Content-Length", "999")])
    return [body[:10], body[10:]]


@pytest.fixture
def server() -> Iterator[HttpServer]:
    server = HttpServer("test", 0, _application, lambda: 86400.0 * 365)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connection(server: HttpServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    yield connection
    connection.close()


def _ask(connection: http.client.HTTPConnection, *request: Any, **more: Any) -> tuple[Any, bytes]:
    connection.request(*request, **more)
    answer = connection.getresponse()
    return answer, answer.read()


def test_a_connection_stays_open(connection: http.client.HTTPConnection) -> None:
    connection.connect()
    used = connection.sock
    for path in ("/", "/ignores", "/nothing", "/bug", "/head"):
        method = "HEAD" if path == "/head" else "POST"
        answer, body = _ask(
            connection, method, path, body=b"b" * 100_000 if method == "POST" else None
        )
        assert connection.sock is used
        if path == "/":
            assert (body, answer.headers["Content-Length"]) == (b"b" * 100_000, "100000")
            assert answer.headers["Date"] == "Fri, 01 Jan 1971 00:00:00 GMT"
        if path == "/head":
            assert (body, answer.headers["Content-Length"]) == (b"", "1234")


def test_a_body_in_chunks(connection: http.client.HTTPConnection) -> None:
    chunks = [b"a" * 70_000, b"b", b"c" * 3]
    answer, body = _ask(
        connection,
        "PUT",
        "/",
        body=iter(chunks),
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert body == b"".join(chunks)
    assert answer.headers["X-Length"] == str(len(body))
    assert _ask(connection, "POST", "/", body=b"next")[1] == b"next"


def test_expect_100_continue_is_answered(server: HttpServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 60) as raw:
        raw.sendall(
            b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw.sendall(b"body")
        answer = raw.recv(1000)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.endswith(b"body")


def test_a_bug_is_logged_and_hidden_from_the_client(
    connection: http.client.HTTPConnection, caplog: pytest.LogCaptureFixture
) -> None:
    answer, body = _ask(connection, "GET", "/bug")
    assert answer.status == 500
    assert b"secret" not in body
    assert b"see the traceback in its log" in body
    assert "a secret of the inside" in caplog.text


@pytest.mark.parametrize(
    "request_",
    [
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ncut short",
    ],
)
def test_a_request_that_cannot_be_read_is_refused(server: HttpServer, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 60) as raw:
        raw.sendall(request_)
        raw.shutdown(socket.SHUT_WR)
        assert raw.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_a_port_in_use_is_named(server: HttpServer) -> None:
    with pytest.raises(PortInUseError, match=f"port {server.port} is in use: stop what listens"):
        HttpServer("other", server.port, _application, lambda: 0.0)


def test_it_binds_loopback_only(server: HttpServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert server._server.server_address[0] == "127.0.0.1"
