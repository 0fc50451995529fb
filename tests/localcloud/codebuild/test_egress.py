"""A build's way to the network: it never ends at real AWS."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
import urllib3

from localcloud.codebuild.egress import Egress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Builds


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that answers each connection's first bytes with a response that holds them."""
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


def ask(proxy: Egress, request: str) -> bytes:
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
        "169.254.170.2", "[fd00:ec2::254]",
    ],
)  # fmt: skip
def test_aws_is_blocked_and_reported(proxy: Egress, blocked: list[str], host: str) -> None:
    assert ask(proxy, f"CONNECT {host}:443 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403 ")
    assert ask(proxy, f"GET http://{host}/latest HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403 ")
    assert blocked == [host.lower().strip("[]")] * 2


def test_others_are_not(proxy: Egress) -> None:
    for host in (
        "pypi.org", "registry.npmjs.org", "amazonaws.com.example.org", "myamazonaws.com",
        "acme-1.d.codeartifact.eu-west-1.amazonaws.com",
    ):  # fmt: skip
        assert not proxy.blocks(host), host


def test_a_tunnel_and_a_plain_request(proxy: Egress, echo: int) -> None:
    with socket.create_connection(("127.0.0.1", proxy.server_address[1]), 60) as made:
        made.sendall(f"CONNECT 127.0.0.1:{echo} HTTP/1.1\r\n\r\n".encode())
        assert made.recv(65536).startswith(b"HTTP/1.1 200 ")
        made.sendall(b"anything")
        assert b"anything" in made.recv(65536)
    with urllib3.ProxyManager(proxy.variables()["http_proxy"]) as pool:
        seen = pool.request("GET", f"http://127.0.0.1:{echo}/path?q=1").data
    assert seen.startswith(b"GET /path?q=1 HTTP/1.1\r\nConnection: close\r\n")


def test_the_users_own_proxy_is_asked(
    proxy: Egress, echo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{echo}")
    seen = ask(proxy, "GET http://pypi.org/simple HTTP/1.1\r\nX: ping\r\n\r\n")
    assert b"GET http://pypi.org/simple HTTP/1.1\r\n" in seen
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in seen


def test_a_build_that_asks_aws_is_refused_and_its_log_names_the_host(builds: Builds) -> None:
    ask_aws = (
        "import urllib.request as r\\n"
        "try: r.urlopen('https://sts.eu-west-1.amazonaws.com', timeout=20)\\n"
        "except OSError as error: print(error)"
    )
    build = builds.commands(f'printf "{ask_aws}" > ask.py && python3 ask.py')
    log = "\n".join(builds.whole_log(build))
    assert "Tunnel connection failed: 403 AWS is blocked" in log
    assert "sts.eu-west-1.amazonaws.com is AWS itself, and blocked" in log
    assert "ignores AWS_ENDPOINT_URL" in log


def test_a_client_that_ignores_the_proxy_does_not_connect_either(builds: Builds) -> None:
    connect = "import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
    build = builds.commands(
        f'python3 -c "{connect.format(port=443)}" || :',
        f'python3 -c "{connect.format(port=80)}" || :',
    )
    assert sum("ermission denied" in line for line in builds.log(build)) == 2
