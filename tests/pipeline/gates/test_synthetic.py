"""The synthetic gate with the service on a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Response

from environments.gates import Synthetic
from environments.schema import load
from pipeline.gates import lambda_throttles, synthetic
from pipeline.gates.gate import main
from pipeline.gates.report.gate_report import parse
from tests.pipeline.gates.watch import LIMIT, FakeWatch
from tests.pipeline.served import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pipeline.served import Served


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The service at `URL`, with limits that no machine crosses."""
    patient = load("staging").model_copy(
        update={"synthetic": Synthetic(every_minutes=5, seconds=45)}
    )
    monkeypatch.setattr(synthetic, "load", lambda _name: patient)
    with serve() as served:
        monkeypatch.setenv("URL", served.url)
        yield served


def test_the_service_passes(service: Served, reports: Path) -> None:
    assert main("synthetic", synthetic.run) == 0
    report = json.loads((reports / "synthetic.json").read_text())
    assert report["sentence"].startswith(f"3 journeys against {service.url}, the slowest in ")
    assert [each["failure"] for each in report["details"]["journeys"]] == [None] * 3
    assert service.files() == []


def test_a_journey_that_fails_refuses(
    service: Served, reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Intermittent failures are found: the second journey is the first to fail."""

    async def behave(request: Any, service_: Any) -> Response:
        if request.url.path == "/files" and service.asked.count("GET /files") > 1:
            return Response('{"files": []}')
        answer: Response = await service_(request)
        return answer

    service.behave = behave
    assert main("synthetic", synthetic.run) == 1
    assert "gate synthetic: refused: journey 2 of 3: step list failed: found []; allowed is [" in (
        capsys.readouterr().out
    )
    report = json.loads((reports / "synthetic.json").read_text())
    first, second = report["details"]["journeys"]
    assert (first["failure"], second["failure"]["step"]) == (None, "list")
    assert service.files() == []


@pytest.mark.parametrize(
    ("status", "throttled", "code", "rules", "said"),
    [
        pytest.param(
            500, 3, 2, ("throttled",),
            "AWS throttled 3 requests since the gate began, which says nothing about the release: "
            f"Lambda rejected them, because {LIMIT}. Besides: journey 1 of 3: step read "
            "failed: found 500 of API Gateway: no; allowed is 200",
            id="by Lambda",
        ),
        pytest.param(
            429, 0, 2, ("throttled",),
            "because [api] of environments/staging.toml admits 200 requests a second and bursts of "
            "400, or the account fewer. Besides: journey 1 of 3: step read failed: found 429",
            id="by API Gateway",
        ),
        pytest.param(
            500, 0, 1, (), "refused: journey 1 of 3: step read failed: found 500 of API Gateway",
            id="not invoked for another reason",
        ),
    ],
)  # fmt: skip
def test_a_throttled_journey_is_no_failure_of_the_release(
    service: Served,
    reports: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    throttled: int,
    code: int,
    rules: tuple[str, ...],
    said: str,
) -> None:
    async def behave(request: Any, service_: Any) -> Response:
        if request.method == "GET":
            return Response("no", status, headers={"x-amzn-ErrorType": "SomeException"})
        answer: Response = await service_(request)
        return answer

    service.behave = behave
    watch = FakeWatch(live=throttled)
    monkeypatch.setattr(lambda_throttles, "EnvironmentWatch", lambda *_staging: watch)
    assert main("synthetic", synthetic.run) == code
    assert said in capsys.readouterr().out.splitlines()[-1]
    assert parse((reports / "synthetic.json").read_bytes()).rules == rules


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (None, "variable URL: nothing found; allowed is the address of a deployed API"),
        ("http://127.0.0.1:1/", "nothing answers at http://127.0.0.1:1/: ConnectionRefusedError: "),
    ],
)
def test_an_error_of_the_synthetic_gate_refuses(
    url: str | None, sentence: str, monkeypatch: pytest.MonkeyPatch, reports: Path
) -> None:
    if url is None:
        monkeypatch.delenv("URL", raising=False)
    else:
        monkeypatch.setenv("URL", url)
    assert main("synthetic", synthetic.run) == 2
    report = json.loads((reports / "synthetic.json").read_text())
    assert report["sentence"].startswith(f"could not run, which refuses: {sentence}")


def test_without_limits_it_refuses(monkeypatch: pytest.MonkeyPatch, reports: Path) -> None:
    staging = load("staging").model_copy(update={"synthetic": None})
    monkeypatch.setattr(synthetic, "load", lambda _name: staging)
    monkeypatch.setenv("URL", "http://127.0.0.1:1/")
    assert main("synthetic", synthetic.run) == 2
    sentence = json.loads((reports / "synthetic.json").read_text())["sentence"]
    assert "environments/staging.toml: synthetic: nothing found" in sentence
