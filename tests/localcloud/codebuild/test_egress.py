"""A build's network access, which never reaches the real AWS."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import urllib3

from localcloud.codebuild.egress import Egress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.localcloud.codebuild.builds import Builds


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that returns the first bytes of each connection in its response."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    made, _ = listener.accept()
                except OSError:
                    return
                with made:
                    got = made.recv(65536)
                    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(got)}\r\n\r\n".encode()
                    made.sendall(head + got)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.fixture
def blocked() -> list[str]:
    return []


@pytest.fixture
def proxy(blocked: list[str]) -> Iterator[Egress]:
    index = "https://acme-1.d.codeartifact.eu-west-1.amazonaws.com/pypi/python/simple/"
    made = Egress({"PIP_INDEX_URL": index}, blocked.append)
    yield made
    made.close()


def credentials(proxy: Egress) -> str:
    url = urlsplit(proxy.variables()["http_proxy"])
    pair = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
    return f"Proxy-Authorization: Basic {pair}\r\n"


def ask(proxy: Egress, request: str) -> bytes:
    """Send a request with the build's credentials and return the answer."""
    line, _, rest = request.partition("\r\n")
    return ask_as_is(proxy, f"{line}\r\n{credentials(proxy)}{rest}")


def ask_as_is(proxy: Egress, request: str) -> bytes:
    with socket.create_connection(("127.0.0.1", proxy.server_address[1]), 60) as made:
        made.sendall(request.encode())
        answer = b""
        while more := made.recv(65536):
            answer += more
            if b"ping" in answer:
                break
        return answer


@pytest.mark.parametrize(
    "host",
    [
        "sts.eu-west-1.amazonaws.com", "S3.AMAZONAWS.COM.", "sts.cn-north-1.amazonaws.com.cn",
        "lambda.eu-west-1.api.aws", "x.lambda-url.eu-west-1.on.aws", "169.254.169.254",
        "169.254.170.2", "[fd00:ec2::254]", "[fd00:ec2::23]", "2852039166", "0xa9fea9fe",
        "0251.0376.0251.0376", "169.254.43518", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]",
        "[fe80::1]",
    ],
)  # fmt: skip
def test_aws_is_blocked_and_reported(proxy: Egress, blocked: list[str], host: str) -> None:
    assert ask(proxy, f"CONNECT {host}:443 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403 ")
    assert ask(proxy, f"GET http://{host}/latest HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403 ")
    assert blocked == [host.lower().strip("[]")] * 2


def test_other_hosts_are_not_blocked(proxy: Egress) -> None:
    for host in (
        "packages.example.org", "npm.example.org", "amazonaws.com.example.org", "myamazonaws.com",
        "acme-1.d.codeartifact.eu-west-1.amazonaws.com",
    ):  # fmt: skip
        assert not proxy.blocks(host), host


def test_a_tunnel_and_a_plain_request(proxy: Egress, echo: int) -> None:
    with socket.create_connection(("127.0.0.1", proxy.server_address[1]), 60) as made:
        ask_tunnel = f"CONNECT 127.0.0.1:{echo} HTTP/1.1\r\n{credentials(proxy)}\r\n"
        made.sendall(ask_tunnel.encode())
        assert made.recv(65536).startswith(b"HTTP/1.1 200 ")
        made.sendall(b"anything")
        assert b"anything" in made.recv(65536)
    url = proxy.variables()["http_proxy"]
    headers = urllib3.make_headers(proxy_basic_auth=urlsplit(url).netloc.partition("@")[0])
    with urllib3.ProxyManager(url, proxy_headers=headers) as pool:
        seen = pool.request("GET", f"http://127.0.0.1:{echo}/path?q=1").data
    assert seen.startswith(b"GET /path?q=1 HTTP/1.1\r\nConnection: close\r\n")


def test_a_name_that_resolves_to_instance_metadata_is_blocked(
    proxy: Egress, blocked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def resolve(host: str, *given: Any, **more: Any) -> Any:
        return real("169.254.169.254" if host == "rebound.example" else host, *given, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert ask(proxy, "CONNECT rebound.example:80 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403 ")
    assert blocked == ["rebound.example"]


@pytest.mark.parametrize(
    ("request_line", "fields"),
    [
        ("GET //127.0.0.1:{port}/admin", ""),
        ("GET /admin", "Host: 127.0.0.1:{port}\r\n"),
        ("GET https://127.0.0.1:{port}/", ""),
        ("GET http://user@127.0.0.1:{port}/", ""),
        ("GET http://127.0.0.1:{port}\\@packages.example.org/", ""),
        ("GET http://127.0.0.1:999999/", ""),
        ("GET http://\xaamazonaws.com/", ""),
        ("CONNECT 127.0.0.1:{port}/admin", ""),
        ("CONNECT 127.0.0.1", ""),
        ("GET http://127.0.0.1:{port}/", "Origin: https://example.org\r\n"),
        ("GET http://127.0.0.1:{port}/", "Sec-Fetch-Site: cross-site\r\n"),
    ],
)
def test_invalid_proxy_requests_are_rejected(
    proxy: Egress, echo: int, request_line: str, fields: str
) -> None:
    text = f"{request_line} HTTP/1.1\r\n{fields}\r\n".replace("{port}", str(echo))
    assert ask(proxy, text).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("given", ["", "Proxy-Authorization: Basic YnVpbGQ6Z3Vlc3M=\r\n"])
def test_a_request_without_the_builds_credentials_is_rejected(
    proxy: Egress, echo: int, given: str
) -> None:
    for line in (f"CONNECT 127.0.0.1:{echo}", f"GET http://127.0.0.1:{echo}/"):
        answer = ask_as_is(proxy, f"{line} HTTP/1.1\r\n{given}\r\n")
        assert answer.startswith(b"HTTP/1.1 407 ")
        assert b"Proxy-Authenticate: Basic" in answer


def test_the_host_header_of_a_plain_request_is_its_target(proxy: Egress, echo: int) -> None:
    seen = ask(proxy, f"GET http://127.0.0.1:{echo}/ HTTP/1.1\r\nHost: other\r\nX: ping\r\n\r\n")
    assert f"Host: 127.0.0.1:{echo}\r\n".encode() in seen
    assert b"other" not in seen
    assert b"Proxy-Authorization" not in seen


def test_curl_and_git_get_through(proxy: Egress, echo: int) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        **{k: v for k, v in proxy.variables().items() if k.lower() != "no_proxy"},
    }
    url = f"http://127.0.0.1:{echo}/"
    python = f"import urllib.request as r; print(r.urlopen({url!r}).read())"
    for command in (["curl", "-s", url], [sys.executable, "-c", python]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert "GET / HTTP/1.1" in done.stdout, (command, done)
    git = subprocess.run(
        ["git", "ls-remote", url], env=environment, capture_output=True, text=True, check=False
    )
    assert "407" not in git.stderr


def test_the_users_own_proxy_is_used(
    proxy: Egress, echo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{echo}")
    seen = ask(proxy, "GET http://packages.example.org/simple HTTP/1.1\r\nX: ping\r\n\r\n")
    assert b"GET http://packages.example.org/simple HTTP/1.1\r\n" in seen
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in seen


def test_a_build_that_calls_aws_is_blocked_and_its_log_names_the_host(builds: Builds) -> None:
    ask_aws = (
        "import urllib.request as r\\n"
        "try: r.urlopen('https://sts.eu-west-1.amazonaws.com', timeout=20)\\n"
        "except OSError as error: print(error)"
    )
    build = builds.commands(f'printf "{ask_aws}" > ask.py && python3 ask.py')
    log = "\n".join(builds.whole_log(build))
    assert "Tunnel connection failed: 403 AWS is blocked" in log
    assert "sts.eu-west-1.amazonaws.com: blocked, because it is a host of AWS" in log
    assert "ignores AWS_ENDPOINT_URL" in log


def test_a_client_that_ignores_the_proxy_does_not_connect_either(builds: Builds) -> None:
    connect = "import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
    build = builds.commands(
        f'python3 -c "{connect.format(port=443)}" || :',
        f'python3 -c "{connect.format(port=80)}" || :',
    )
    assert sum("ermission denied" in line for line in builds.log(build)) == 2
