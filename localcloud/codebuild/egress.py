"""A forward proxy for the network traffic of one build, which blocks real AWS.

`AWS_ENDPOINT_URL` points a build's AWS clients at the local cloud. A client that ignores it, such
as an SDK from before 2023, would send the build's calls and session keys to AWS itself. The proxy
answers such a request with 403 and reports the host. It tunnels all other requests, through the
user's own proxy if there is one.

It serves only its build: each request needs the build's credentials, which are in the proxy's URL,
and names the host as a proxy's client does (RFC 9112, 3.2.2 and 3.2.3). A web page can send
neither.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import secrets
import select
import socket
import socketserver
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_AWS = re.compile(r"(.+\.)?(amazonaws\.com(\.cn)?|aws|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov)")
_METADATA = ipaddress.ip_network("fd00:ec2::/32")
"""IPv6 addresses of instance metadata and container credentials; in IPv4 they are link-local."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
_USER = "build"
_INDEXES = re.compile(r"(PIP|UV|NPM_CONFIG|npm_config)_")
_URL = re.compile(r"https?://[^\s\"']+")
_CONNECT_TIMEOUT_SECONDS = 30
_MAX_HEAD_BYTES = 65536
_CHUNK_BYTES = 65536


class Egress(socketserver.ThreadingTCPServer):
    """A proxy that listens on a free loopback port until `close`.

    Args:
        environment: the user's variables, which name proxies and package indexes. Requests to
            package indexes are forwarded even if AWS hosts them (CodeArtifact).
        report: called with each host that is blocked.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, environment: Mapping[str, str], report: Callable[[str], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.report = report
        self._token = secrets.token_urlsafe()
        self._indexes = {
            urlsplit(url).hostname
            for name, value in environment.items()
            if _INDEXES.match(name)
            for url in _URL.findall(value)
        }
        # `poll_interval`: the longest time that `close` waits, in seconds.
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def variables(self) -> dict[str, str]:
        """Return the variables that make a build's programs use the proxy."""
        url = f"http://{_USER}:{self._token}@127.0.0.1:{self.server_address[1]}"
        direct = "127.0.0.1,localhost,::1"
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), url)
        # Node reads these variables only if NODE_USE_ENV_PROXY is set.
        return proxies | {"NO_PROXY": direct, "no_proxy": direct, "NODE_USE_ENV_PROXY": "1"}

    def blocks(self, host: str) -> bool:
        """Return whether a host belongs to AWS and is not a package index of the user."""
        name = host.lower().rstrip(".").strip("[]")
        return bool(_AWS.fullmatch(name)) and name not in self._indexes

    def knows(self, authorization: str) -> bool:
        """Return whether a `Proxy-Authorization` has the build's credentials."""
        pair = base64.b64encode(f"{_USER}:{self._token}".encode()).decode()
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "basic" and secrets.compare_digest(
            given.strip().encode("latin-1"), pair.encode()
        )

    def close(self) -> None:
        """Stop accepting connections."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(socketserver.BaseRequestHandler):
    server: Egress
    request: socket.socket

    def handle(self) -> None:
        """Answer one request; after a CONNECT, tunnel the connection."""
        with suppress(OSError):
            self._handle()

    def _handle(self) -> None:
        head, rest = self._head()
        line, _, fields = head.partition(b"\r\n")
        method, _, target = line.decode("latin-1").partition(" ")
        target = target.partition(" ")[0]
        tunnel = method == "CONNECT"
        address = _address(target, tunnel=tunnel)
        names = _fields(fields)
        if address is None or {"origin", "sec-fetch-site"} & names.keys():
            self._reject("400 Bad Request")
        elif not self.server.knows(names.get("proxy-authorization", "")):
            self._reject(
                "407 Proxy Authentication Required",
                'Proxy-Authenticate: Basic realm="build"\r\n',
            )
        else:
            self._pass(method, address, fields, rest)

    def _pass(self, method: str, address: SplitResult, fields: bytes, rest: bytes) -> None:
        tunnel, host = method == "CONNECT", address.hostname or ""
        upstream = _upstream("https" if tunnel else "http", host)
        found = _resolved(host, numeric=upstream is not None)
        if self.server.blocks(host) or any(map(_is_metadata, found)):
            self.server.report(host)
            self._reject("403 AWS is blocked")
            return
        try:
            there = _connected(address, found, upstream, tunnel=tunnel)
        except OSError:
            self._reject("502 Bad Gateway")
            return
        with there:
            if tunnel:
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                there.sendall(rest)
            else:
                there.sendall(_forwarded(method, address, fields, upstream) + rest)
            _relay(self.request, there)

    def _reject(self, status: str, fields: str = "") -> None:
        self.request.sendall(
            f"HTTP/1.1 {status}\r\n{fields}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )

    def _head(self) -> tuple[bytes, bytes]:
        read = b""
        while b"\r\n\r\n" not in read:
            more = self.request.recv(_CHUNK_BYTES)
            if not more or len(read) > _MAX_HEAD_BYTES:
                raise ConnectionError
            read += more
        head, _, rest = read.partition(b"\r\n\r\n")
        return head, rest


def _address(target: str, *, tunnel: bool) -> SplitResult | None:
    """Return the address of a request; None if a proxy does not accept its target.

    A target with user information is rejected: two parsers may read two hosts from such a URL.
    """
    try:
        address = urlsplit(f"//{target}" if tunnel else target)
        has_port = address.port is not None
    except ValueError:
        return None
    asked = address.netloc == target and has_port if tunnel else address.scheme == "http"
    return address if asked and _AUTHORITY.fullmatch(address.netloc) else None


def _fields(fields: bytes) -> dict[str, str]:
    pairs = [each.partition(":") for each in fields.decode("latin-1").split("\r\n")]
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _resolved(host: str, *, numeric: bool) -> list[str]:
    """Return the addresses of a host; with `numeric`, none for a host name.

    `getaddrinfo` parses numbers as the build's own programs do: 2852039166 and 0xa9fea9fe are
    169.254.169.254.
    """
    try:
        found = socket.getaddrinfo(
            host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST if numeric else 0
        )
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _is_metadata(text: str) -> bool:
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        address = inside or address.ipv4_mapped or address.sixtofour or address
    return address.is_link_local or address in _METADATA


def _upstream(scheme: str, host: str) -> SplitResult | None:
    """Return the user's own proxy for a host, or None."""
    proxy = getproxies_environment().get(scheme)
    if not proxy or proxy_bypass(host):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _connected(
    address: SplitResult, found: Sequence[str], upstream: SplitResult | None, *, tunnel: bool
) -> socket.socket:
    """Connect to one of the addresses, or through the user's proxy.

    Raises:
        OSError: no connection is possible.
    """
    port = address.port or (443 if tunnel else 80)
    if upstream is None:
        return _first(found, port)
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


def _first(found: Sequence[str], port: int) -> socket.socket:
    last: OSError = ConnectionError("the host has no address")
    for each in found:
        try:
            return socket.create_connection((each, port), _CONNECT_TIMEOUT_SECONDS)
        except OSError as error:
            last = error
    raise last


def _authorization(upstream: SplitResult) -> str:
    if upstream.username is None:
        return ""
    pair = f"{unquote(upstream.username)}:{unquote(upstream.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"


def _forwarded(
    method: str, address: SplitResult, fields: bytes, upstream: SplitResult | None
) -> bytes:
    """Return the head of a plain request as its host or the user's proxy expects it.

    A proxy replaces `Host` with the target's host (RFC 9112, 3.2.2).
    """
    hops = (b"connection:", b"host:", b"keep-alive:", b"proxy-authorization:", b"proxy-connection:")
    kept = [each for each in fields.split(b"\r\n") if not each.lower().startswith(hops)]
    path = address._replace(scheme="", netloc="").geturl() or "/"
    target = address.geturl() if upstream else path
    head = f"{method} {target} HTTP/1.1\r\nConnection: close\r\nHost: {address.netloc}\r\n"
    head += _authorization(upstream) if upstream else ""
    return head.encode("latin-1") + b"\r\n".join(kept) + b"\r\n\r\n"


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Copy bytes in both directions until one end closes the connection."""
    for each in (one, other):
        each.settimeout(None)
    while True:
        for ready in select.select([one, other], [], [])[0]:
            read = ready.recv(_CHUNK_BYTES)
            if not read:
                return
            (other if ready is one else one).sendall(read)
