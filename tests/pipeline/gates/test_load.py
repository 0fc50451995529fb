from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from environments.schema import Load
from pipeline.gates import load as load_gate
from pipeline.gates.gate import CouldNotRunError, run
from pipeline.gates.load import Measured, measure, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMITS = Load(
    users=4,
    seconds=1,
    warm_up_seconds=1,
    requests_per_second=40,
    min_requests=20,
    max_failure_share=0.1,
    max_p95_ms=500,
    max_p99_ms=900,
)
_MEASURED = st.builds(
    Measured,
    requests=st.integers(0, 60),
    failures=st.integers(0, 10),
    p95=st.floats(0, 1000),
    p99=st.floats(0, 1500),
    seconds=st.floats(0, 10),
).filter(lambda seen: seen.failures <= seen.requests)


def _status(seen: Measured) -> str:
    try:
        return verdict(seen, LIMITS).status
    except CouldNotRunError:
        return "could not run"


@given(_MEASURED)
def test_only_enough_requests_within_every_limit_pass(seen: Measured) -> None:
    within = (
        seen.failures <= LIMITS.max_failure_share * seen.requests
        and seen.p95 <= LIMITS.max_p95_ms
        and seen.p99 <= LIMITS.max_p99_ms
    )
    enough = seen.requests >= LIMITS.min_requests
    wanted = "refused" if not within else "passed" if enough else "could not run"
    assert _status(seen) == wanted


@given(_MEASURED, st.integers(1, 5), st.floats(1, 500))
def test_what_is_worse_never_fares_better(seen: Measured, more: int, slower: float) -> None:
    if _status(seen) == "refused":
        assert (
            _status(replace(seen, requests=seen.requests + more, failures=seen.requests + more))
            == "refused"
        )
        assert _status(replace(seen, p95=seen.p95 + slower, p99=seen.p99 + slower)) == "refused"


def test_a_refusal_names_each_limit_that_was_crossed() -> None:
    outcome = verdict(Measured(100, 20, 501.0, 1000.0, 10.0), LIMITS)
    assert outcome.sentence == (
        "the share of failures is 20.00%, allowed 10.00%; p95 is 501 ms, allowed 500 ms; "
        "p99 is 1000 ms, allowed 900 ms"
    )
    assert outcome.details["requests_per_second"] == 10.0


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """Takes and gives every file, on whatever path."""

    @Request.application
    def answer(_request: Request) -> Response:
        return Response("x" * 2048)

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_locust_sends_the_load_and_counts_what_follows_the_warm_up(
    service: str, reports: Path
) -> None:
    seen = measure(service, LIMITS)
    # 4 users pace themselves to 40 requests a second; a slow machine sends fewer, never more.
    assert 0 < seen.requests <= 48
    assert seen.failures == 0
    assert 0 < seen.p95 <= seen.p99
    assert (reports / "load.html").stat().st_size > 1000


def test_a_service_that_does_not_answer_refuses(
    monkeypatch: pytest.MonkeyPatch, reports: Path
) -> None:
    monkeypatch.setenv("URL", "http://127.0.0.1:1/")
    monkeypatch.setattr(load_gate, "_limits", lambda: LIMITS)
    assert run("load", load_gate.judge) == 1
    report = json.loads((reports / "load.json").read_text())
    assert report["sentence"].startswith("the share of failures is 100.00%, allowed 10.00%")


def test_a_locust_that_does_not_start_refuses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(load_gate, "_PROFILE", tmp_path / "none.py")
    with pytest.raises(CouldNotRunError, match="Locust left no report: "):
        measure("http://127.0.0.1:1/", LIMITS)


def test_without_an_address_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("URL", raising=False)
    with pytest.raises(CouldNotRunError, match="environment variable URL: nothing found"):
        load_gate.judge()
