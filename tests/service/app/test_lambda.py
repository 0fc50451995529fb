"""The service as Lambda runs it: one handler, REST proxy events, cold starts."""

from __future__ import annotations

import ast
import asyncio
import base64
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.app.storage import Storage


class _Context:
    aws_request_id = "the-id-of-the-invocation"


def _event(method: str, path: str, body: bytes | None = None, **headers: str) -> dict[str, Any]:
    """Return a REST API's proxy event, format 1.0, with binary media types `*/*`."""
    named = {"Host": "x.execute-api.eu-west-1.amazonaws.com", **headers}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": named,
        "multiValueHeaders": {name: [value] for name, value in named.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "stage": "prod",
            "path": f"/prod{path}",
            "httpMethod": method,
            "requestId": "1",
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": None if body is None else base64.b64encode(body).decode(),
        "isBase64Encoded": body is not None,
    }


@pytest.fixture
def handle(
    monkeypatch: pytest.MonkeyPatch, storage: Storage
) -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    monkeypatch.setenv("BUCKET", "files-of-the-handler")
    monkeypatch.setenv("ROOT_PATH", "/prod")
    monkeypatch.delitem(sys.modules, "service.app.handler", raising=False)
    module = importlib.import_module("service.app.handler")
    module._app.state.storage = storage
    yield lambda event: module.handler(event, _Context())
    asyncio.get_event_loop().close()
    asyncio.set_event_loop(None)


def test_the_handler_carries_bytes_both_ways(
    handle: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    content = bytes(range(256))
    put = handle(_event("PUT", "/files/a/b", content, **{"Content-Type": "image/x"}))
    assert put["statusCode"] == 201
    got = handle(_event("GET", "/files/a/b"))
    assert (got["statusCode"], got["isBase64Encoded"]) == (200, True)
    assert base64.b64decode(got["body"]) == content
    assert got["headers"]["content-type"] == "image/x"
    assert got["headers"]["x-request-id"] == _Context.aws_request_id
    head = handle(_event("HEAD", "/files/a/b"))
    assert (head["statusCode"], head["headers"]["content-length"]) == (200, "256")


def test_a_problem_on_lambda_names_the_address_with_its_stage(
    handle: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    answer = handle(_event("GET", "/files/none"))
    body = answer["body"]
    text = base64.b64decode(body).decode() if answer["isBase64Encoded"] else body
    assert answer["statusCode"] == 404
    assert '"instance":"/prod/files/none"' in text


def test_a_crash_is_a_response_and_not_a_lambda_error(
    handle: Callable[[dict[str, Any]], dict[str, Any]],
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(_path: str) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(storage, "info", broken)
    answer = handle(_event("GET", "/files/x"))
    assert answer["statusCode"] == 500
    assert answer["headers"]["x-request-id"] == _Context.aws_request_id
    assert '"Failures":1' in capsys.readouterr().out


def test_a_cold_start_imports_fastapi_boto3_and_little_else() -> None:
    """Modules are counted because times differ on every machine."""
    forbidden = (
        "grpc", "aws_xray_sdk", "opentelemetry.sdk.trace",
        "opentelemetry.exporter.otlp.proto.http", "requests",
    )  # fmt: skip
    program = (
        "import sys, fastapi, boto3; boto3.client('s3'); before = len(sys.modules);"
        "import service.app.handler;"
        f"print(before, len(sys.modules), *[n for n in {forbidden} if n in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": "", "BUCKET": "files"},
        capture_output=True,
        text=True,
        check=True,
    )
    before, after, *found = run.stdout.split()
    assert not found
    assert int(after) < 1.2 * int(before)


def test_a_sandboxs_first_file_request_finds_the_s3_client_ready() -> None:
    """What one request waits for and the next does not would look like a slow version."""
    program = (
        "import json, sys; from service.app.handler import handler; before = set(sys.modules);"
        "event = json.loads(sys.argv[1]); status = handler(event, None)['statusCode'];"
        "print(status, *sorted({each.split('.')[0] for each in {*sys.modules} - before}))"
    )
    closed = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_REGION": "eu-west-1"}
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_MAX_ATTEMPTS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", program, json.dumps(_event("GET", "/files/a"))],
        env={"PATH": "", "BUCKET": "files", **closed, **keys},
        capture_output=True,
        text=True,
        check=True,
    )
    status, *imported = run.stdout.splitlines()[-1].split()
    assert status == "503"
    assert not {"boto3", "botocore", "s3transfer", "urllib3", "http"} & {*imported}


def test_mangums_event_loop_is_kept() -> None:
    """After an `asyncio.run` a thread has no event loop, and Mangum would fail."""
    for path in Path(next(iter(service.__path__))).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.run"), (
                f"{path.name}:{node.lineno} calls asyncio.run"
            )
