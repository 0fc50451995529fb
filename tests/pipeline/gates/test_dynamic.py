"""The dynamic gate: schemathesis with real servers, some of which have a defect."""

from __future__ import annotations

import json
import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel

from environments.gates import Dynamic
from pipeline.gates import dynamic
from pipeline.gates.dynamic import examine
from pipeline.gates.gate import main
from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError, GateResult
from service.app.main import create_app
from service.app.settings import Settings
from service.app.storage import S3Storage
from tests.pipeline.gates.watch import FakeWatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMITS = Dynamic(max_examples=5, seconds=250)
FEW = Dynamic(max_examples=2, seconds=250)
FAST = 1000
"""Requests per second: these servers do not throttle."""


@contextmanager
def _served(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


class Item(BaseModel):
    """The item of these tests' small APIs."""

    name: str
    size: int


def _api() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{name}")
    def item(name: str) -> Item:
        return Item(name=name, size=len(name))

    return app


def test_the_service_conforms_and_its_files_are_untouched(moto: str, reports: Path) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=moto,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    s3.create_bucket(Bucket="fuzzed")
    s3.put_bucket_versioning(Bucket="fuzzed", VersioningConfiguration={"Status": "Enabled"})
    # An example name of the description may be the name of a user's file.
    theirs = {"reports/2026/november.csv", "dynamics.csv", "0"}
    for path in theirs:
        s3.put_object(Bucket="fuzzed", Key=path, Body=b"theirs")
    app = create_app(Settings(bucket="fuzzed"), S3Storage("fuzzed", s3))
    described = sum(len(methods) for methods in app.openapi()["paths"].values())
    with _served(app) as url:
        outcome = examine(url, LIMITS, FAST)
    assert (outcome.status, outcome.findings) == ("passed", ()), outcome.sentence
    assert f" requests to {described} operations, each answered as " in outcome.sentence
    assert (reports / "dynamic.xml").read_text().count("<testcase ") >= described
    left = s3.list_objects_v2(Bucket="fuzzed")["Contents"]
    assert {each["Key"] for each in left} == theirs
    touched = s3.list_object_versions(Bucket="fuzzed")
    writes = [each["Key"] for each in touched["Versions"] if each["Key"] not in theirs]
    deletions = [each["Key"] for each in touched["DeleteMarkers"]]
    assert len(touched["Versions"]) - len(writes) == len(theirs)
    assert writes
    assert all(path.startswith("dynamic/") for path in [*writes, *deletions])


def test_the_same_api_gets_the_same_requests_in_each_run() -> None:
    with _served(_api()) as url:
        first, second = (examine(url, FEW, FAST) for _ in range(2))
    assert first.status == "passed"
    assert first.details == second.details


def test_a_route_that_breaks_on_a_fuzzed_path_is_refused(
    monkeypatch: pytest.MonkeyPatch, reports: Path
) -> None:
    app = _api()

    @app.get("/broken/{name}")
    def broken(name: str) -> Item:
        return Item(name=name, size=1 // int(name.isascii()))

    with _served(app) as url:
        monkeypatch.setenv("URL", url)
        assert main("dynamic", dynamic.run) == 1
    report = json.loads((reports / "dynamic.json").read_text())
    assert (
        " at GET /broken/{name}: Server error, 1 times; reports/dynamic.xml has"
        in (report["sentence"])
    )
    (sarif,) = json.loads((reports / "dynamic.sarif").read_text())["runs"]
    assert len(sarif["results"]) == report["findings"] > 0
    assert "curl -X GET http://127.0.0.1:" in (reports / "dynamic.xml").read_text()


def test_a_response_that_violates_the_schema_is_refused() -> None:
    app = _api()

    @app.get("/wrong", response_model=Item)
    def wrong() -> Response:
        return Response('{"name": "x", "size": "large"}', media_type="application/json")

    @app.get("/undescribed")
    def undescribed() -> Response:
        return Response(status_code=418)

    with _served(app) as url:
        outcome = examine(url, LIMITS, FAST)
    assert outcome.status == "refused"
    assert {(each.subject, each.message.partition(",")[0]) for each in outcome.findings} == {
        ("GET /wrong", "Response violates schema"),
        ("GET /undescribed", "Undocumented status code"),
    }


def test_a_throttling_api_could_not_be_tested() -> None:
    app = _api()

    @app.middleware("http")
    async def throttle(request: Any, call_next: Any) -> Any:
        if request.url.path == "/openapi.json":
            return await call_next(request)
        return Response(status_code=429)

    for route in app.routes:
        if hasattr(route, "responses"):
            route.responses[429] = {"description": "Too many"}
    with (
        _served(app) as url,
        pytest.raises(CouldNotRunError, match="dev answered requests with 429"),
    ):
        examine(url, LIMITS, FAST)


def test_an_unreachable_api_could_not_be_tested() -> None:
    with pytest.raises(CouldNotRunError, match="could not test the API: Schema Loading Error"):
        examine("http://127.0.0.1:1/", LIMITS, FAST)


def test_an_api_without_a_schema_could_not_be_tested() -> None:
    with (
        _served(FastAPI(openapi_url=None)) as url,
        pytest.raises(CouldNotRunError, match="could not test the API: Schema Loading Error"),
    ):
        examine(url, LIMITS, FAST)


def test_an_api_without_operations_could_not_be_tested() -> None:
    with (
        _served(FastAPI()) as url,
        pytest.raises(CouldNotRunError, match="did not test 0 of 0 operations"),
    ):
        examine(url, LIMITS, FAST)


def _tool(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Return a stand-in for schemathesis; $JSON and $JUNIT are its reports."""
    tool = folder / "python"
    tool.write_text(
        f"#!/bin/sh\nJSON={folder}/reports/dynamic-schemathesis.json\n"
        f"JUNIT={folder}/reports/dynamic.xml\n{script}\n"
    )
    tool.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tool))


GOOD = {
    "operations": {"total": 8, "selected": 8, "tested": 8},
    "test_cases": {"generated": 100},
    "phases": {},
    "failures": [],
    "errors": [],
    "warnings": {"rate_limited": []},
    "complete": True,
    "stop_reason": "completed",
}


def _says(folder: Path, monkeypatch: pytest.MonkeyPatch, report: Any, code: int = 0) -> None:
    (folder / "said.json").write_text(json.dumps(report))
    _tool(folder, monkeypatch, f"cp {folder}/said.json $JSON; echo '<a/>' >$JUNIT; exit {code}")


def test_findings_of_a_complete_report_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _says(tmp_path, monkeypatch, GOOD)
    assert examine("http://x/", LIMITS, FAST).status == "passed"


@pytest.mark.parametrize(
    "report",
    [
        [],
        {},
        GOOD | {"failures": None},
        GOOD | {"failures": [{"title": "Server error"}]},
        GOOD | {"operations": None},
        GOOD | {"warnings": {}},
        GOOD | {"complete": False, "stop_reason": "interrupted"},
        GOOD | {"operations": {"total": 8, "selected": 7, "tested": 7}},
        GOOD | {"test_cases": {"generated": 0}},
        GOOD | {"errors": [{"title": "Network error", "count": 3}]},
    ],
)
def test_a_malformed_report_does_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Any
) -> None:
    _says(tmp_path, monkeypatch, report)
    with pytest.raises(CouldNotRunError):
        examine("http://x/", LIMITS, FAST)


def test_a_failure_without_a_finding_does_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _says(tmp_path, monkeypatch, GOOD, code=1)
    with pytest.raises(CouldNotRunError, match="ended with exit code 1"):
        examine("http://x/", LIMITS, FAST)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "echo 'No module named schemathesis' >&2; exit 1",
            "exit code 1: No module named schemathesis",
        ),
        ("echo >$JSON; echo '<a/>' >$JUNIT", "is invalid, exit code 0: JSONDecodeError"),
        ("echo '{}' >$JSON", "wrote no JUnit report"),
    ],
)
def test_a_missing_report_does_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, sentence: str
) -> None:
    _tool(tmp_path, monkeypatch, script)
    with pytest.raises(CouldNotRunError, match=sentence):
        examine("http://x/", FEW, FAST)


def test_a_hanging_tool_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tool(tmp_path, monkeypatch, "exec sleep 600")
    with pytest.raises(CouldNotRunError, match="did not end within 1 seconds"):
        examine("http://x/", Dynamic(max_examples=1, seconds=1), FAST)


def test_a_report_of_an_earlier_run_is_ignored(
    tmp_path: Path, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (reports / "dynamic-schemathesis.json").write_text(json.dumps(GOOD))
    (reports / "dynamic.xml").write_text("<a/>")
    _tool(tmp_path, monkeypatch, "exit 0")
    with pytest.raises(CouldNotRunError, match="wrote no report"):
        examine("http://x/", LIMITS, FAST)


@pytest.mark.parametrize(
    ("rule", "throttles", "asked"),
    [
        pytest.param("ST101", 3, [1], id="throttled"),
        pytest.param("ST101", 0, [1], id="its own error"),
        pytest.param("ST102", 3, [], id="another finding"),
    ],
)
def test_a_throttled_request_is_no_finding_of_the_release(
    monkeypatch: pytest.MonkeyPatch, rule: str, throttles: int, asked: list[int]
) -> None:
    finding = Finding("schemathesis", rule, "Server error", subject="GET /files")
    found = GateResult.of_findings([finding], "")
    watch = FakeWatch(live=throttles)
    monkeypatch.setenv("URL", "http://127.0.0.1:1/")
    monkeypatch.setattr(dynamic, "EnvironmentWatch", lambda *_dev: watch)
    monkeypatch.setattr(dynamic, "examine", lambda *_given: found)
    if asked and throttles:
        with pytest.raises(CouldNotRunError, match="AWS throttled 3 requests since the gate beg"):
            dynamic.run()
    else:
        assert dynamic.run() == found
    assert watch.asked == asked


def test_without_an_address_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("URL", raising=False)
    with pytest.raises(CouldNotRunError, match="variable URL: nothing found"):
        dynamic.run()
