"""A real headless browser, and pages served to it."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_TIMEOUT_SECONDS = 120


@dataclass
class Site:
    """A page on an origin of its own, and every request that reached that origin."""

    page: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and body of each request."""
    reported: threading.Event = field(default_factory=threading.Event)
    report: Any = None
    """The body that the page sent to `/report`."""
    port: int = 0

    @property
    def url(self) -> str:
        """Return the origin."""
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve the page to GET / and record everything else; allow every foreign page."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            if self.path == "/report":
                site.report = json.loads(body)
                site.reported.set()
            elif self.path != "/":
                site.requests.append((self.command, self.path, body))
            content = site.page if self.path == "/" else "readable"
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Content-Length", str(len(content.encode())))
            self.end_headers()
            self.wfile.write(content.encode())

        do_GET = do_POST = _answer  # noqa: N815  # the names that http.server calls

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield site
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.fail("chromium is missing; install it, e.g. apt-get install chromium")
    return found


@pytest.fixture
def visit(chromium: str, tmp_path: Path) -> Callable[[Site], Any]:
    """Open a page in the browser; return its report."""

    def visit(site: Site) -> Any:
        command = [chromium, *_FLAGS, f"--user-data-dir={tmp_path / 'profile'}"]
        with subprocess.Popen(
            [*command, "--remote-debugging-port=0", f"{site.url}/"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as browser:
            try:
                assert site.reported.wait(_TIMEOUT_SECONDS), "the page did not report"
            finally:
                browser.terminate()
        return site.report

    return visit


@pytest.fixture
def read(chromium: str, tmp_path: Path) -> Callable[[str, str], str]:
    """Return the document at an address, whose host resolves to loopback."""

    def read(url: str, host: str) -> str:
        command = [chromium, *_FLAGS, f"--user-data-dir={tmp_path / 'profile'}"]
        command += [f"--host-resolver-rules=MAP {host} 127.0.0.1", "--dump-dom", url]
        shown = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_SECONDS
        )
        return shown.stdout

    return read
