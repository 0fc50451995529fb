"""The end of a journey, for any steps; and the default journey."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Response

from pipeline.journeys import client, customer, journey
from pipeline.journeys.journey import Failure, Journey, run_confirmed_journey, run_journey

if TYPE_CHECKING:
    from tests.pipeline.served import Served

LONG = 300.0
"""Seconds that no machine needs."""


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the service's own journey."""
    monkeypatch.setattr(customer, "part", lambda _name: None)


@pytest.mark.usefixtures("default")
def test_the_default_journey_requests_the_health_route(service: Served) -> None:
    went = run_journey(service.url, LONG)
    assert (went.failure, went.answered, list(went.steps)) == (None, True, ["health"])
    assert service.asked == ["GET /health"]


@pytest.mark.usefixtures("default")
def test_a_service_that_is_not_healthy_fails_the_default_journey(service: Served) -> None:
    async def ill(_request: Any, _service: Any) -> Response:
        return Response("ill", status_code=503)

    service.behave = ill
    failure = run_journey(service.url, LONG).failure
    assert failure is not None
    assert failure.sentence == "step health failed: found 503: ill; allowed is 200"


@pytest.mark.parametrize(
    ("failing", "failed"),
    [
        (["read", "read"], "read"),  # a step that does not work
        (["read", None], None),
        (["read", "list"], None),  # any request may fail
        ([None], None),
    ],
)
def test_a_failure_counts_if_its_step_fails_twice(
    monkeypatch: pytest.MonkeyPatch, failing: list[str | None], failed: str | None
) -> None:
    tries = iter(failing)

    def tried(_url: str, _seconds: float) -> Journey:
        step = next(tries)
        return Journey({}, 1, answered=True, failure=Failure(step, "500", "200") if step else None)

    monkeypatch.setattr(journey, "run_journey", tried)
    went = run_confirmed_journey("http://127.0.0.1:9/", LONG)
    assert (went.failure.step if went.failure else None) == failed
    assert (went.unconfirmed is not None) == (failed is None and failing[0] is not None)
    assert list(tries) == []


def test_a_failure_counts_if_the_time_is_over(service: Served) -> None:
    async def hangs(_request: Any, _service: Any) -> Response:
        await asyncio.to_thread(over.wait)
        return Response("late")

    over = service.over
    service.behave = hangs
    failure = run_confirmed_journey(service.url, 0.2).failure
    assert failure is not None
    assert failure.step == "write"


def test_request_paths_include_the_stage(service: Served) -> None:
    run_journey(f"{service.url}prod/", LONG)
    assert service.asked[0].startswith("PUT /prod/files/synthetic/")


def test_a_missing_response_ends_the_journey(service: Served) -> None:
    async def behave(request: Any, service: Any) -> Response:
        if request.method == "PUT":
            await asyncio.to_thread(over.wait)
        answer: Response = await service(request)
        return answer

    over = service.over
    service.behave = behave
    went = run_journey(service.url, 0.2)
    assert went.failure is not None
    assert went.failure.sentence == (
        "step write failed: found TimeoutError: timed out; "
        "allowed is an answer within the journey's 0.2 seconds"
    )
    assert not went.answered


def test_the_timeout_covers_the_whole_journey(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request takes 4 of 10 seconds by a fake clock, so the third ends too late."""
    passed = [0.0]

    async def behave(request: Any, service: Any) -> Response:
        passed[0] += 4
        answer: Response = await service(request)
        return answer

    service.behave = behave
    for module in (client, journey):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: passed[0]))
    went = run_journey(service.url, 10)
    assert went.failure is not None
    assert (went.failure.step, went.failure.found) == ("read again", "a late answer")
    assert went.steps == {"write": 4000, "read": 4000}
    assert service.files() == []


def test_a_journey_without_time_left_fails(service: Served) -> None:
    failure = run_journey(service.url, 0).failure
    assert failure is not None
    assert (failure.step, failure.found) == ("write", "no time left for it")


def test_a_refused_connection_fails_the_journey() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    went = run_journey(f"http://127.0.0.1:{port}/", LONG)
    assert went.failure is not None
    assert went.failure.found.startswith("ConnectionRefusedError: ")
    assert not went.answered


def test_a_response_that_is_not_http_fails_the_journey() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def babble() -> None:
            for _ in range(2):  # the journey and its clean-up
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"220 mail is here\r\n")

        with ThreadPoolExecutor(1) as pool:
            babbling = pool.submit(babble)
            went = run_journey(f"http://127.0.0.1:{listening.getsockname()[1]}/", LONG)
            babbling.result()
    assert went.failure is not None
    assert went.failure.found.startswith("BadStatusLine: ")
    assert not went.answered
