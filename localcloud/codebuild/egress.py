"""A forward proxy for the network traffic of one build, which blocks real AWS.

`AWS_ENDPOINT_URL` points a build's AWS clients at the local cloud. A client that ignores it, such
as an SDK from before 2023, would send the build's calls and session keys to AWS itself. The proxy
answers such a request with 403 and reports the host. It tunnels all other requests, through the
user's own proxy if there is one.
"""

from __future__ import annotations

import base64
import re
import select
import socket
import socketserver
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_AWS = re.compile(
    r"(.+\.)?(amazonaws\.com(\.cn)?|aws|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov)"
    r"|169\.254\.(169\.254|170\.\d+)|fd00:ec2::254"
)
_INDEXES = re.compile(r"(PIP|UV|NPM_CONFIG|npm_config)_")
_URL = re.compile(r"https?://[^\s\"']+")
_CONNECT_TIMEOUT_SECONDS = 30
_MAX_HEAD_BYTES = 65536
_CHUNK_BYTES = 65536


class Egress(socketserver.ThreadingTCPServer):
    """A proxy on a loopback port of its own, until `close`.

    Args:
        environment: how the user reaches the network: his proxies, and the package indexes, whose
            hosts are let through even where AWS serves them (CodeArtifact).
        report: called with each host that is blocked.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, environment: Mapping[str, str], report: Callable[[str], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.report = report
        self._indexes = {
            urlsplit(url).hostname
            for name, value in environment.items()
            if _INDEXES.match(name)
            for url in _URL.findall(value)
        }
        # `poll_interval`: how long `close` may have to wait, in seconds.
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def variables(self) -> dict[str, str]:
        """Variables that point a build's programs at the proxy."""
        url, direct = f"http://127.0.0.1:{self.server_address[1]}", "127.0.0.1,localhost,::1"
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), url)
        # Node heeds the variables where it is told to.
        return proxies | {"NO_PROXY": direct, "no_proxy": direct, "NODE_USE_ENV_PROXY": "1"}

    def blocks(self, host: str) -> bool:
        """Whether a host is AWS's, and not a package index of the user."""
        name = host.lower().rstrip(".").strip("[]")
        return bool(_AWS.fullmatch(name)) and name not in self._indexes

    def close(self) -> None:
        """Stop accepting connections."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(socketserver.BaseRequestHandler):
    server: Egress
    request: socket.socket

    def handle(self) -> None:
        """Answer one request, and tunnel what follows a CONNECT."""
        with suppress(OSError):
            self._handle()

    def _handle(self) -> None:
        head, rest = self._head()
        line, _, fields = head.partition(b"\r\n")
        method, _, target = line.decode("latin-1").partition(" ")
        target = target.partition(" ")[0]
        tunnel = method == "CONNECT"
        address = urlsplit(f"//{target}" if tunnel else target)
        host = address.hostname or ""
        if not host:
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            return
        if self.server.blocks(host):
            self.server.report(host)
            self.request.sendall(b"HTTP/1.1 403 AWS is blocked\r\nConnection: close\r\n\r\n")
            return
        upstream = _upstream("https" if tunnel else "http", host)
        try:
            there = _connected(address, upstream, tunnel=tunnel)
        except OSError:
            self.request.sendall(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n")
            return
        with there:
            if tunnel:
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                there.sendall(rest)
            else:
                there.sendall(_forwarded(method, address, fields, upstream) + rest)
            _relay(self.request, there)

    def _head(self) -> tuple[bytes, bytes]:
        read = b""
        while b"\r\n\r\n" not in read:
            more = self.request.recv(_CHUNK_BYTES)
            if not more or len(read) > _MAX_HEAD_BYTES:
                raise ConnectionError
            read += more
        head, _, rest = read.partition(b"\r\n\r\n")
        return head, rest


def _upstream(scheme: str, host: str) -> SplitResult | None:
    """The user's own proxy for a host, if there is one."""
    proxy = getproxies_environment().get(scheme)
    if not proxy or proxy_bypass(host):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _connected(
    address: SplitResult, upstream: SplitResult | None, *, tunnel: bool
) -> socket.socket:
    """A connection to the host, or through the user's proxy.

    Raises:
        OSError: there is none to be had.
    """
    port = address.port or (443 if tunnel else 80)
    if upstream is None:
        return socket.create_connection((address.hostname, port), _CONNECT_TIMEOUT_SECONDS)
    made = socket.create_connection(
        (upstream.hostname, upstream.port or 80), _CONNECT_TIMEOUT_SECONDS
    )
    if tunnel:
        where = f"{address.hostname}:{port}"
        ask = f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{_authorization(upstream)}\r\n"
        made.sendall(ask.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = made.recv(1)
            if not more:
                raise ConnectionError
            answer += more
        if b" 200 " not in answer.partition(b"\r\n")[0] + b" ":
            raise ConnectionRefusedError
    return made


def _authorization(upstream: SplitResult) -> str:
    if upstream.username is None:
        return ""
    pair = f"{unquote(upstream.username)}:{unquote(upstream.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"


def _forwarded(
    method: str, address: SplitResult, fields: bytes, upstream: SplitResult | None
) -> bytes:
    """The head of a plain request, as its host or the user's proxy expects it."""
    hops = (b"connection:", b"proxy-connection:", b"proxy-authorization:", b"keep-alive:")
    kept = [each for each in fields.split(b"\r\n") if not each.lower().startswith(hops)]
    path = address._replace(scheme="", netloc="").geturl() or "/"
    target = address.geturl() if upstream else path
    head = f"{method} {target} HTTP/1.1\r\nConnection: close\r\n"
    head += _authorization(upstream) if upstream else ""
    return head.encode("latin-1") + b"\r\n".join(kept) + b"\r\n\r\n"


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes both ways until one end hangs up."""
    for each in (one, other):
        each.settimeout(None)
    while True:
        for ready in select.select([one, other], [], [])[0]:
            read = ready.recv(_CHUNK_BYTES)
            if not read:
                return
            (other if ready is one else one).sendall(read)
