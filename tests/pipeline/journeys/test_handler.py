"""The log line of each journey: a record for people, metrics for CloudWatch."""

from __future__ import annotations

import importlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Response

from localcloud.cloudwatch.emf import extract

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.served import Served


@pytest.fixture
def run_journey(
    service: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], str]:
    """Return a function that runs one journey and returns its log line."""
    for name, value in {
        "URL": service.url, "SECONDS": "300", "SERVICE": "files", "ENVIRONMENT": "prod",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    # The variables are read once, when the sandbox starts.
    handler = importlib.reload(importlib.import_module("pipeline.journeys.handler")).handler

    def make() -> str:
        handler({}, None)
        (line,) = (
            each for each in capsys.readouterr().out.splitlines() if "Pithead/Synthetic" in each
        )
        return line

    return make


def _metrics(line: str) -> dict[str, tuple[float, ...]]:
    found = extract(line)
    assert (found.invalid, found.unreadable) == (0, 0)
    for each in found.observations:
        assert each.namespace == "Pithead/Synthetic"
        assert dict(each.dimensions) == {"service": "files", "environment": "prod"}
    return {each.name: each.values for each in found.observations}


def test_a_successful_journey_is_logged(run_journey: Callable[[], str]) -> None:
    before = time.time()
    line = run_journey()
    record = json.loads(line)
    assert _metrics(line) == {
        "Journeys": (1,),
        "FailedJourneys": (0,),
        "Latency": (record["Latency"],),
    }
    assert list(record["steps"]) == ["write", "read", "read again", "list", "delete", "miss"]
    assert record["level"] == "INFO"
    # Dated by its start.
    assert before * 1000 - 1 <= record["_aws"]["Timestamp"]
    assert record["_aws"]["Timestamp"] + record["Latency"] <= time.time() * 1000 + 1


def test_a_failure_that_is_not_repeated_is_logged_and_not_counted(
    run_journey: Callable[[], str], service: Served
) -> None:
    reads = []

    async def flaky(request: Any, served: Any) -> Response:
        if request.method == "GET":
            reads.append(request.url.path)
        if request.method == "GET" and len(reads) == 1:
            return Response("oh no", status_code=500)
        answer: Response = await served(request)
        return answer

    service.behave = flaky
    line = run_journey()
    record = json.loads(line)
    assert _metrics(line) == {"Journeys": (1,), "FailedJourneys": (0,)}
    assert record["level"] == "WARNING"
    assert record["message"] == (
        "step read failed: found 500: oh no; allowed is 200; not in a second try"
    )
    assert record["unconfirmed"]["step"] == "read"
    assert service.files() == []


def test_a_failed_journey_is_logged(run_journey: Callable[[], str], service: Served) -> None:
    async def broken(_request: Any, _service: Any) -> Response:
        return Response("oh no", status_code=500)

    service.behave = broken
    line = run_journey()
    record = json.loads(line)
    assert _metrics(line) == {"Journeys": (1,), "FailedJourneys": (1,)}
    assert (record["level"], record["steps"]) == ("ERROR", {})
    assert record["failure"] == {
        "step": "write", "found": "500: oh no", "allowed": "201", "gateway_status": None,
    }  # fmt: skip
    assert record["message"] == "step write failed: found 500: oh no; allowed is 201"
