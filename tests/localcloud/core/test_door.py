"""Requests that a web page can make a browser send, as raw requests."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.door import Door
from localcloud.core.http import HttpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.server import LocalCloud

EVIL = "https://evil.example"
FORM = "Action=CreateRole&RoleName=evil&AssumeRolePolicyDocument=%7B%7D&Version=2010-05-08"
CREDENTIAL = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Expires=60"
    "&X-Amz-Credential=111111111111%2F20260101%2Feu-west-1%2Fiam%2Faws4_request"
    "&X-Amz-Date=20260101T000000Z&X-Amz-Signature=" + "0" * 64
)


def send(
    port: int, method: str, path: str, headers: dict[str, str], body: str = ""
) -> tuple[int, dict[str, str], str]:
    """Send one request with exactly these headers besides `Host` and `Content-Length`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": f"127.0.0.1:{port}"} | headers).items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode())
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text
    finally:
        connection.close()


class TestApi:
    """The port of the AWS API and of git."""

    @pytest.fixture
    def cloud(self, start_cloud: Callable[..., LocalCloud]) -> Any:
        return start_cloud(services=("logs", "sts", "codeconnections")).cloud

    @pytest.fixture
    def port(self, cloud: Any) -> int:
        return int(cloud.endpoint.rsplit(":", 1)[1])

    @pytest.mark.parametrize(
        "page",
        [
            {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
            {"Origin": EVIL},
            {"Origin": "null"},
            {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Host": "evil.example:4566"},
            {"Host": "127.0.0.1"},
            {"Host": "127.0.0.1.evil.example"},
        ],
    )
    @pytest.mark.parametrize("path", [f"/?{CREDENTIAL}", "/git-http/1/r/c/acme/shop.git/info/refs"])
    def test_a_foreign_page_reaches_nothing(
        self, cloud: Any, port: int, page: dict[str, str], path: str
    ) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} | page
        status, answered, text = send(port, "POST", path, headers, FORM)
        assert status == 403
        assert text.startswith("localcloud: ")
        assert "access-control-allow-origin" not in answered
        assert cloud.client("iam", "1" * 12, "eu-west-1").list_roles()["Roles"] == []

    def test_a_preflight_is_not_answered(self, port: int) -> None:
        asks = {"Origin": EVIL, "Access-Control-Request-Method": "POST"}
        status, answered, _ = send(port, "OPTIONS", "/", asks)
        assert status == 403
        assert not [name for name in answered if name.startswith("access-control-")]

    def test_a_request_with_two_or_no_hosts_is_rejected(self, port: int) -> None:
        for hosts in ([f"127.0.0.1:{port}", "evil.example"], []):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.putrequest("GET", "/", skip_host=True)
            for host in hosts:
                connection.putheader("Host", host)
            connection.endheaders()
            assert connection.getresponse().status == 403
            connection.close()
        assert send(port, "GET", "http://evil.example/", {})[0] == 403

    @pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain"])
    def test_an_unsigned_request_is_refused(self, cloud: Any, port: int, kind: str) -> None:
        status, _, text = send(port, "POST", "/", {"Content-Type": kind}, FORM)
        assert status == 403
        assert "MissingAuthenticationToken" in text
        assert cloud.client("iam", "1" * 12, "eu-west-1").list_roles()["Roles"] == []

    @pytest.mark.parametrize("path", ["/moto-api/reset", "/moto-api/data.json", "/moto-api/"])
    def test_motos_control_api_is_not_served(self, cloud: Any, port: int, path: str) -> None:
        """Unsigned it is rejected; signed, its path is a bucket and a key, as on AWS."""
        s3 = cloud.client("s3", "1" * 12, "us-east-1")
        s3.create_bucket(Bucket="kept")
        assert send(port, "POST", path, {})[0] == 403
        assert send(port, "GET", path, {})[0] == 403
        assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["kept"]

    def test_a_bucket_of_the_control_apis_name_is_a_bucket(self, cloud: Any) -> None:
        s3 = cloud.client("s3", "1" * 12, "us-east-1")
        s3.create_bucket(Bucket="moto-api")
        s3.put_object(Bucket="moto-api", Key="reset", Body=b"kept")
        assert s3.get_object(Bucket="moto-api", Key="reset")["Body"].read() == b"kept"
        assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["moto-api"]

    def test_git_asks_for_credentials(self, port: int) -> None:
        account, region = "1" * 12, "eu-west-1"
        path = f"/git-http/{account}/{region}/c/acme/shop.git/info/refs?service=git-receive-pack"
        status, answered, _ = send(port, "GET", path, {})
        assert (status, answered["www-authenticate"]) == (401, 'Basic realm="CodeConnections"')


class TestGateway:
    """The port of deployed APIs, whose own CORS settings apply."""

    @pytest.fixture
    def asked(self) -> list[str]:
        return []

    @pytest.fixture
    def port(self, asked: list[str]) -> Iterator[int]:
        def application(environ: dict[str, Any], start_response: Any) -> Any:
            asked.append(environ["REQUEST_METHOD"])
            headers = dict(environ["localcloud.headers"])
            allows = environ["PATH_INFO"] == "/open" and headers.get("Origin") == EVIL
            head = [("Access-Control-Allow-Origin", EVIL)] if allows else []
            start_response("200 OK", head)
            return [json.dumps(headers).encode()]

        server = HttpServer("test", 0, Door(application, cors=True), lambda: 0.0)
        server.start()
        yield server.port
        server.stop()

    def test_an_api_without_cors_is_not_called_by_a_page(self, port: int, asked: list[str]) -> None:
        status, _, text = send(port, "POST", "/closed", {"Origin": EVIL})
        assert (status, asked) == (403, ["OPTIONS"])
        assert "CORS does not allow" in text

    def test_an_api_whose_cors_allows_the_page_is(self, port: int, asked: list[str]) -> None:
        page = {"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Cookie": "a=b"}
        assert send(port, "POST", "/open", page)[0] == 200
        assert asked == ["OPTIONS", "POST"]
        assert send(port, "POST", "/open", {"Origin": "https://other.example"})[0] == 403

    def test_a_preflight_is_the_apis_own(self, port: int, asked: list[str]) -> None:
        assert send(port, "OPTIONS", "/closed", {"Origin": EVIL})[0] == 200
        assert asked == ["OPTIONS"]

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1"])
    def test_dns_rebinding_reaches_nothing(self, port: int, asked: list[str], host: str) -> None:
        assert send(port, "GET", "/open", {"Host": host, "Origin": EVIL})[0] == 403
        assert asked == []

    def test_embedded_requests_are_rejected_and_navigation_is_allowed(
        self, port: int, asked: list[str]
    ) -> None:
        embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
        assert send(port, "GET", "/open", embedded | {"Sec-Fetch-Dest": "image"})[0] == 403
        frame = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert send(port, "GET", "/open", frame | {"Sec-Fetch-Dest": "iframe"})[0] == 403
        assert asked == []
        assert send(port, "GET", "/open", frame | {"Sec-Fetch-Dest": "document"})[0] == 200
        assert send(port, "POST", "/open", frame | {"Sec-Fetch-Dest": "document"})[0] == 403

    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
    def test_any_other_client_is_served(self, port: int, name: str) -> None:
        assert send(port, "DELETE", "/closed", {"Host": f"{name}:{port}"})[0] == 200
        own = {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}
        assert send(port, "POST", "/closed", own)[0] == 200
