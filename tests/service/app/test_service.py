from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from service.app.main import create_app
from service.app.settings import Settings, SettingsError
from service.app.telemetry import NAMESPACE, WARM_UP_REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from service.app.storage import Storage

PROBLEM = "application/problem+json"


def _last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def _break(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_path: str) -> None:
        raise RuntimeError("the inner secret")

    monkeypatch.setattr(storage, "info", broken)


def _is_metric_format(document: dict[str, Any]) -> None:
    """Check CloudWatch's conditions.

    Source: "Specification: CloudWatch embedded metric format".
    """
    assert isinstance(document["_aws"]["Timestamp"], int)
    assert document["_aws"]["Timestamp"] > 1_600_000_000_000  # milliseconds
    for directive in document["_aws"]["CloudWatchMetrics"]:
        assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 1024
        for dimensions in directive["Dimensions"]:
            assert len(set(dimensions)) == len(dimensions) <= 30
            assert all(isinstance(document[name], str) and document[name] for name in dimensions)
        assert 1 <= len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert metric["Unit"] in {"Count", "Milliseconds"}
            assert isinstance(document[metric["Name"]], int | float)


def test_health_ready_version(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json() == {"status": "ready"}
    assert client.get("/version").json() == {
        "service": "files",
        "environment": "test",
        "commit": "c0ffee",
        "version": "7",
    }


def test_each_request_leaves_one_line_of_log_and_metrics(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = client.get("/files/secret-name?token=secret-token")
    line = _last_line(capsys)
    _is_metric_format(line)
    directive = line["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == NAMESPACE
    assert [metric["Name"] for metric in directive["Metrics"]] == [
        "Requests", "Failures", "ClientErrors", "SlowRequests", "ColdStarts", "WarmUps", "Latency",
    ]  # fmt: skip
    assert directive["Dimensions"] == [
        ["service", "environment", "version"], ["service", "environment"],
    ]  # fmt: skip
    assert {name: line[name] for name in directive["Dimensions"][0]} == {
        "service": "files",
        "environment": "test",
        "version": "7",
    }
    assert (line["Requests"], line["Failures"], line["SlowRequests"]) == (1, 0, 0)
    assert (line["method"], line["status"], line["route"]) == ("GET", 404, "/files/{path:path}")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in json.dumps(line)


def test_the_line_leads_to_the_trace(
    client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    client.get("/health")
    assert _last_line(capsys)["trace_id"] == "5759e988bd862e3fe1be46a994272793"
    monkeypatch.delenv("_X_AMZN_TRACE_ID")
    client.get("/health")
    assert _last_line(capsys)["trace_id"] == ""


def test_an_unexpected_error_is_counted_and_not_disclosed(
    client: TestClient,
    storage: Storage,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _break(storage, monkeypatch)
    answer = client.get("/files/x")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["instance"] == "/files/x"
    assert "secret" not in answer.text
    line = _last_line(capsys)
    _is_metric_format(line)
    assert (line["Requests"], line["Failures"], line["level"]) == (1, 1, "ERROR")
    assert "the inner secret" in line["exception"]
    assert line["request_id"] == answer.headers["x-request-id"]


def test_a_slow_request_is_counted_but_not_a_sandboxs_first_ones(
    settings: Settings, storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    # No request is faster than a nanosecond.
    impatient = settings.model_copy(update={"latency_objective_ms": 1e-6})
    client = TestClient(create_app(impatient, storage))
    seen = []
    for _ in range(WARM_UP_REQUESTS + 1):
        client.get("/health")
        line = _last_line(capsys)
        seen.append((line["cold_start"], line["ColdStarts"], line["WarmUps"], line["SlowRequests"]))
    cold, *warming, warm = seen
    assert cold == (True, 1, 1, 0)
    assert set(warming) == {(False, 0, 1, 0)}
    assert warm == (False, 0, 0, 1)


def test_a_response_after_a_cold_start_says_so(client: TestClient) -> None:
    first, second = client.get("/health"), client.get("/health")
    assert first.headers["server-timing"] == "cold"
    assert "server-timing" not in second.headers


def test_a_request_is_dated_by_its_arrival(
    settings: Settings, storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    app = create_app(settings, storage)
    app.get("/slow")(lambda: time.sleep(0.05))
    TestClient(app).get("/slow")
    ended = 1000 * time.time()
    line = _last_line(capsys)
    assert line["Latency"] >= 50
    assert line["_aws"]["Timestamp"] + line["Latency"] <= ended + 1


def test_metrics_are_logged_at_every_log_level(
    settings: Settings,
    storage: Storage,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quiet = TestClient(create_app(settings.model_copy(update={"log_level": "ERROR"}), storage))
    quiet.get("/health")
    line = _last_line(capsys)
    _is_metric_format(line)
    assert "route" not in line
    _break(storage, monkeypatch)
    quiet.get("/files/x")
    assert _last_line(capsys)["route"] == "/files/{path:path}"


def test_every_error_is_a_problem(client: TestClient) -> None:
    for method, url, status in (
        ("GET", "/nothing", 404),
        ("POST", "/health", 405),
        ("GET", "/files?limit=0", 422),
        ("GET", "/files/a//b", 400),
        ("GET", "/files/none", 404),
    ):
        answer = client.request(method, url)
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
        problem = answer.json()
        assert problem.keys() == {"type", "title", "status", "detail", "instance"}
        assert (problem["status"], problem["instance"]) == (status, url.split("?")[0])
        assert problem["detail"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/health", "GET"), ("/files", "GET"), ("/files/a/b", "DELETE, GET, HEAD, PUT")],
)
def test_a_405_lists_all_allowed_methods(client: TestClient, path: str, allowed: str) -> None:
    """RFC 9110, 15.5.6."""
    answer = client.patch(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_cors_allows_only_the_configured_origin(client: TestClient) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"}
    assert (
        client.options("/files/x", headers=asked).headers["access-control-allow-origin"]
        == asked["Origin"]
    )
    refused = client.options("/files/x", headers=asked | {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers


def test_an_invalid_setting_is_named() -> None:
    with pytest.raises(SettingsError, match=r"LOG_LEVEL: .*found 'LOUD'"):
        Settings.from_environment({"BUCKET": "files", "LOG_LEVEL": "LOUD"})
    with pytest.raises(SettingsError, match="BUCKET"):
        Settings.from_environment({})


def test_settings_are_read_once_and_frozen() -> None:
    settings = Settings.from_environment(
        {"BUCKET": "files", "ALLOWED_ORIGINS": "https://a,https://b", "PATH": "ignored"}
    )
    assert settings.allowed_origins == ("https://a", "https://b")
    with pytest.raises(ValueError, match="frozen"):
        settings.bucket = "other"


def _one_more_route(app: FastAPI) -> None:
    @app.get("/added-by-a-test")
    def added_by_a_test() -> dict[str, str]:
        """Greet the caller."""
        return {"greeting": "hello"}


@pytest.mark.parametrize("extend", [lambda _app: None, _one_more_route], ids=["ours", "a team's"])
def test_the_openapi_document_shows_every_answer_by_an_example(
    extend: Callable[[FastAPI], None], settings: Settings, storage: Storage
) -> None:
    app = create_app(settings, storage)
    extend(app)
    document = TestClient(app).get("/openapi.json").json()
    operations = [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert operations
    for name, operation in operations:
        assert operation["description"], name
        failures = {s: r for s, r in operation["responses"].items() if s >= "400"}
        assert {"422", "500", "503"} <= failures.keys(), name
        for status, answer in failures.items():
            assert list(answer["content"]) == [PROBLEM], (name, status)
            assert answer["content"][PROBLEM]["example"]["status"] == int(status)
    for model in ("File", "Listing", "Health", "Version"):
        properties = document["components"]["schemas"][model]["properties"]
        assert all("examples" in each or "$ref" in str(each) for each in properties.values())
