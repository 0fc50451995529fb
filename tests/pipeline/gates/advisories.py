"""A fake of pip-audit's default advisory service, behind a proxy."""

from __future__ import annotations

import json
import os
import select
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from packaging.version import Version
from pip_audit._service import ConnectionError as ServiceConnectionError
from pip_audit._service import PyPIService, ResolvedDependency
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import PreparedRequest, Response


@cache
def host() -> str:
    """Return pip-audit's default host, as named by its own service class."""
    asked: list[str] = []

    class Recorder(HTTPAdapter):
        def send(self, request: PreparedRequest, *_given: Any, **_parameters: Any) -> Response:
            asked.append(request.url or "")
            raise requests.ConnectTimeout(request=request)

    with TemporaryDirectory() as folder:
        service = PyPIService(Path(folder))
        service.session.mount("https://", Recorder())
        with suppress(ServiceConnectionError):
            service.query(ResolvedDependency("alpha", Version("1")))
    return str(urlsplit(asked[0]).hostname)


class Advisories:
    """The advisories that tests set; by default, one package has one."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        """Responses by package name; others have no advisory, except a known one."""
        self.asked: list[str] = []
        self.silent: set[str] = set()
        """Packages whose requests get no response."""
        self.cut: set[str] = set()
        """Packages whose response is truncated."""
        self.over = threading.Event()
        self.vulnerable("flask", "PYSEC-2019-179", "1.0")

    def vulnerable(self, package: str, advisory: str, *fixed_in: str) -> None:
        """Return an advisory that names a package."""
        found = {"id": advisory, "aliases": [], "details": "it is bad", "fixed_in": fixed_in}
        self.answers[package] = (200, json.dumps({"vulnerabilities": [found]}).encode())

    def answer(self, path: str) -> tuple[int, bytes]:
        """Return the response to `/pypi/NAME/VERSION/json`."""
        name = path.split("/")[2]
        self.asked.append(name)
        return self.answers.get(name, (200, b'{"vulnerabilities": []}'))


def certificate(folder: Path) -> Path:
    """Create a certificate for the advisory service that only these tests trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host())]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "advisories.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def _pass_on(handler: BaseHTTPRequestHandler) -> None:
    """Proxy a connection to any other host until either side closes it.

    If the machine itself is behind a proxy, that proxy is used.
    """
    upstream = urlsplit(os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or "")
    asked = urlsplit(f"//{handler.path}")
    place = upstream if upstream.hostname else asked
    with socket.create_connection((place.hostname, place.port or 443), timeout=60) as far:
        if upstream.hostname:
            far.sendall(f"CONNECT {handler.path} HTTP/1.1\r\nHost: {handler.path}\r\n\r\n".encode())
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        near = handler.connection
        other = {near: far, far: near}
        while True:
            for each in select.select(other, [], [])[0]:
                data = each.recv(65536)
                if not data:
                    handler.close_connection = True
                    return
                other[each].sendall(data)


@contextmanager
def served(trusted: Path) -> Iterator[tuple[Advisories, dict[str, str]]]:
    """Serve the fake; return the environment in which pip-audit reaches it by default.

    `trusted` is the output of `certificate`.
    """
    kept = Advisories()
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(trusted)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            if not self.path.startswith(f"{host()}:"):
                _pass_on(self)
                return
            self.send_response(200)
            self.end_headers()
            self.connection = secure.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", 0)
            self.close_connection = False

        def do_GET(self) -> None:
            status, body = kept.answer(self.path)
            if kept.asked[-1] in kept.silent:
                kept.over.wait()
            half = kept.asked[-1] in kept.cut
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if half else body)
            self.close_connection = half

        def finish(self) -> None:
            super().finish()
            self.connection.close()

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    proxy = f"http://127.0.0.1:{server.server_port}"
    variables = {"HTTPS_PROXY": proxy, "https_proxy": proxy, "REQUESTS_CA_BUNDLE": str(trusted)}
    try:
        yield kept, variables
    finally:
        kept.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
