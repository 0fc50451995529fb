from __future__ import annotations

import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.server import ThreadedMotoServer

from pipeline.gates import gate, supply_chain, testing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gates write their reports here, and not into the checkout."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for module in (gate, supply_chain, testing):
        monkeypatch.setattr(module, "REPORTS", folder)
    # What is waived in the checkout is none of the tests' business.
    monkeypatch.setattr(gate, "WAIVERS", tmp_path / "waivers.toml")
    return folder


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """An endpoint that answers as AWS does."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """AWS can be reached by whoever asks."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    return moto


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS cannot be reached: nothing listens on TCP's port 1."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


class Advisories:
    """PyPI's advisories as the tests want them, behind a proxy as in a closed network."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        """By a package's name; any other has no advisory, but for one that is known to have."""
        self.asked: list[str] = []
        self.silent: set[str] = set()
        """Packages whose question gets no answer."""
        self.cut: set[str] = set()
        """Packages whose answer ends in the middle."""
        self.over = threading.Event()
        self.vulnerable("flask", "PYSEC-2019-179", "1.0")

    def vulnerable(self, package: str, advisory: str, *fixed_in: str) -> None:
        """Name a package in an advisory."""
        found = {"id": advisory, "aliases": [], "details": "it is bad", "fixed_in": fixed_in}
        self.answers[package] = (200, json.dumps({"vulnerabilities": [found]}).encode())

    def answer(self, path: str) -> tuple[int, bytes]:
        """The answer to `/pypi/NAME/VERSION/json`."""
        name = path.split("/")[2]
        self.asked.append(name)
        return self.answers.get(name, (200, b'{"vulnerabilities": []}'))


def _certificate(folder: Path) -> Path:
    """A certificate for pypi.org that nobody but these tests trusts."""
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
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("pypi.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "pypi.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def advisories(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Advisories]:
    """What pip-audit reaches as pypi.org, by its own default settings."""
    kept = Advisories()
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.connection = secure.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")  # type: ignore[assignment]  # a stream
            self.wfile = self.connection.makefile("wb", 0)  # type: ignore[assignment]  # too
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
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{server.server_port}")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    yield kept
    kept.over.set()
    server.shutdown()
    thread.join()
    server.server_close()
