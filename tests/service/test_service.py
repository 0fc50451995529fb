from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from service.settings import Settings, SettingsError
from service.storage import S3Storage

if TYPE_CHECKING:
    from fastapi.testclient import TestClient


def _last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def test_health_ready_version(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json() == {"status": "ready"}
    assert client.get("/version").json() == {
        "service": "files",
        "environment": "test",
        "commit": "c0ffee",
        "version": "7",
    }


def test_not_ready_without_the_bucket(client: TestClient) -> None:
    client.app.state.storage = S3Storage("some-other-bucket")  # type: ignore[attr-defined]  # ASGI
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"


def test_each_request_leaves_one_line_of_log_and_metrics(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = client.get("/files/secret-name?token=secret-token")
    line = _last_line(capsys)
    directive = line["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == "Pithead/Service"
    assert {metric["Name"] for metric in directive["Metrics"]} <= line.keys()
    assert {name: line[name] for name in directive["Dimensions"][0]} == {
        "service": "files",
        "environment": "test",
        "version": "7",
    }
    assert (line["Requests"], line["Failures"], line["SlowRequests"]) == (1, 0, 0)
    assert (line["status"], line["route"]) == (404, "/files/{path:path}")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in json.dumps(line)


def test_what_nobody_foresaw_is_counted_and_not_told(
    client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: S3Storage, _path: str) -> None:
        raise RuntimeError("the inner secret")

    monkeypatch.setattr(S3Storage, "info", broken)
    answer = client.get("/files/x")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    line = _last_line(capsys)
    assert (line["Failures"], line["level"]) == (1, "ERROR")
    assert "the inner secret" in line["exception"]


def test_unknown_routes_and_methods_are_problems(client: TestClient) -> None:
    for answer in (client.get("/nothing"), client.post("/health")):
        assert answer.headers["content-type"] == "application/problem+json"


def test_cors_lets_the_named_origin_in_and_no_other(client: TestClient) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"}
    assert (
        client.options("/files/x", headers=asked).headers["access-control-allow-origin"]
        == asked["Origin"]
    )
    refused = client.options("/files/x", headers=asked | {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(SettingsError, match=r"LOG_LEVEL: .*found 'LOUD'"):
        Settings.from_environment({"BUCKET": "files", "LOG_LEVEL": "LOUD"})
    with pytest.raises(SettingsError, match="BUCKET"):
        Settings.from_environment({})


def test_the_openapi_document_knows_the_problems(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    content = paths["/files/{path}"]["get"]["responses"]["404"]["content"]
    assert list(content) == ["application/problem+json"]


_EVENT = {
    "resource": "/{proxy+}",
    "path": "/files/a",
    "httpMethod": "PUT",
    "headers": {"Host": "x.execute-api", "Content-Type": "application/octet-stream"},
    "multiValueHeaders": {"Host": ["x.execute-api"], "Content-Type": ["application/octet-stream"]},
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "requestContext": {"stage": "prod", "identity": {"sourceIp": "127.0.0.1"}},
    "body": "AP8=",
    "isBase64Encoded": True,
}
_PROGRAM = """
import json, os, sys
from moto import mock_aws
with mock_aws():
    import boto3
    boto3.client("s3").create_bucket(Bucket=os.environ["BUCKET"])
    from service.handler import handler
    event = json.loads(sys.argv[1])
    class Context: aws_request_id = "the-id"
    put = handler(event, Context())
    got = handler({**event, "httpMethod": "GET", "body": None, "isBase64Encoded": False}, Context())
print(json.dumps([put["statusCode"], got["body"], got["isBase64Encoded"],
    got["headers"]["x-request-id"]]))
"""


def test_the_handler_carries_bytes_both_ways() -> None:
    environment = {
        "PATH": "",
        "BUCKET": "files-of-the-handler",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(_EVENT)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout.splitlines()[-1]) == [201, "AP8=", True, "the-id"]


def test_a_cold_start_imports_nothing_that_it_can_do_without() -> None:
    program = (
        "import sys, service.handler; "
        "print([n for n in ('boto3', 'grpc', 'aws_xray_sdk', "
        "'opentelemetry.exporter.otlp.proto.http') if n in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": "", "BUCKET": "files"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"
