"""A journey through the files API, and through services that break one rule each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Response

from pipeline.journeys.journey import run_journey

if TYPE_CHECKING:
    from tests.pipeline.served import Behaviour, Served

LONG = 300.0
"""Seconds that no machine needs."""
STEPS = ["write", "read", "read again", "list", "delete", "miss"]


def _with_response(step: str, answer: Response) -> Behaviour:
    """Serve as the service, except for one step's request, which has no effect."""
    passed: list[str] = []

    async def behave(request: Any, service: Any) -> Response:
        passed.append(request.method)
        if len(passed) == STEPS.index(step) + 1:
            return answer
        answered: Response = await service(request)
        return answered

    return behave


def test_the_journey_uses_the_service_and_leaves_no_files(service: Served) -> None:
    went = run_journey(service.url, LONG)
    assert (went.failure, went.answered, list(went.steps)) == (None, True, STEPS)
    assert sum(went.steps.values()) <= went.milliseconds + len(STEPS)  # each is rounded
    (path,) = {each.split(" ")[1] for each in service.asked} - {"/files"}
    assert path.startswith("/files/synthetic/")
    assert [each.split(" ")[0] for each in service.asked] == [
        "PUT", "GET", "GET", "GET", "DELETE", "GET",
    ]  # fmt: skip
    assert service.files() == []


def test_each_journey_uses_only_its_own_file(service: Served) -> None:
    service.storage.put("synthetic/theirs.txt", b"theirs", "text/plain")
    run_journey(service.url, LONG)
    run_journey(service.url, LONG)
    assert len({each for each in service.asked if each.startswith("PUT ")}) == 2
    assert service.files() == ["synthetic/theirs.txt"]


@pytest.mark.parametrize(
    ("step", "answer", "sentence"),
    [
        ("write", Response("oh\nno", 500), "found 500: oh no; allowed is 201"),
        ("write", Response(status_code=201), "found no ETag; allowed is the ETag of what was"),
        ("read", Response(status_code=404), "found 404: ; allowed is 200"),
        ("read", Response("others'"), "found 7 other bytes; allowed is the bytes that were"),
        ("read again", Response("again"), "found 200: again; allowed is 304"),
        ("list", Response("<html>"), "found <html>; allowed is a listing in JSON"),
        ("list", Response('["files"]'), 'found ["files"]; allowed is a listing in JSON'),
        ("list", Response('{"files": []}'), "found []; allowed is [('synthetic/"),
        ("delete", Response(status_code=403), "found 403: ; allowed is 204"),
        ("miss", Response("still here"), "found 200: still here; allowed is 404"),
    ],
)
def test_the_first_failed_step_is_reported_and_its_file_deleted(
    service: Served, step: str, answer: Response, sentence: str
) -> None:
    service.behave = _with_response(step, answer)
    went = run_journey(service.url, LONG)
    assert went.failure is not None
    assert went.failure.sentence.startswith(f"step {step} failed: {sentence}")
    assert list(went.steps) == STEPS[: STEPS.index(step)]
    assert went.answered
    assert service.files() == []


def test_an_unexpected_etag_is_reported(service: Served) -> None:
    async def behave(request: Any, service: Any) -> Response:
        answer: Response = await service(request)
        if request.method == "GET":
            answer.headers["ETag"] = '"other"'
        return answer

    service.behave = behave
    failure = run_journey(service.url, LONG).failure
    assert failure is not None
    assert (failure.step, failure.found) == ("read", 'ETag "other"')


def test_a_file_that_survives_its_deletion_is_deleted_again(service: Served) -> None:
    service.behave = _with_response("delete", Response(status_code=204))
    failure = run_journey(service.url, LONG).failure
    assert failure is not None
    assert (failure.step, failure.allowed) == ("miss", "404")
    assert service.files() == []


def test_a_file_is_deleted_even_if_its_write_reported_an_error(service: Served) -> None:
    async def behave(request: Any, service: Any) -> Response:
        answer: Response = await service(request)
        return Response(status_code=502) if request.method == "PUT" else answer

    service.behave = behave
    failure = run_journey(service.url, LONG).failure
    assert failure is not None
    assert failure.step == "write"
    assert service.files() == []
