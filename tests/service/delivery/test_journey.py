"""A journey through the files API, and through services that break one promise each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Response

from pipeline.journeys.journey import travel

if TYPE_CHECKING:
    from tests.pipeline.served import Behaviour, Served

LONG = 300.0
"""Seconds that no machine takes."""
STEPS = ["write", "read", "read again", "list", "delete", "miss"]


def _otherwise(step: str, answer: Response) -> Behaviour:
    """The service, but for one step's request, which gets another answer and does nothing."""
    passed: list[str] = []

    async def behave(request: Any, service: Any) -> Response:
        passed.append(request.method)
        if len(passed) == STEPS.index(step) + 1:
            return answer
        answered: Response = await service(request)
        return answered

    return behave


def test_it_goes_through_the_service_and_leaves_nothing(service: Served) -> None:
    went = travel(service.url, LONG)
    assert (went.failure, went.answered, list(went.steps)) == (None, True, STEPS)
    assert sum(went.steps.values()) <= went.milliseconds + len(STEPS)  # each is rounded
    (path,) = {each.split(" ")[1] for each in service.asked} - {"/files"}
    assert path.startswith("/files/synthetic/")
    assert [each.split(" ")[0] for each in service.asked] == [
        "PUT", "GET", "GET", "GET", "DELETE", "GET",
    ]  # fmt: skip
    assert service.files() == []


def test_each_has_a_file_of_its_own_and_touches_no_other(service: Served) -> None:
    service.storage.put("synthetic/theirs.txt", b"theirs", "text/plain")
    travel(service.url, LONG)
    travel(service.url, LONG)
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
def test_the_first_step_that_fails_is_told_and_what_was_written_is_deleted(
    service: Served, step: str, answer: Response, sentence: str
) -> None:
    service.behave = _otherwise(step, answer)
    went = travel(service.url, LONG)
    assert went.failure is not None
    assert went.failure.sentence.startswith(f"step {step} failed: {sentence}")
    assert list(went.steps) == STEPS[: STEPS.index(step)]
    assert went.answered
    assert service.files() == []


def test_another_etag_than_the_written_one_is_told(service: Served) -> None:
    async def behave(request: Any, service: Any) -> Response:
        answer: Response = await service(request)
        if request.method == "GET":
            answer.headers["ETag"] = '"other"'
        return answer

    service.behave = behave
    failure = travel(service.url, LONG).failure
    assert failure is not None
    assert (failure.step, failure.found) == ("read", 'ETag "other"')


def test_a_file_that_says_it_is_deleted_and_is_not_is_deleted_again(service: Served) -> None:
    service.behave = _otherwise("delete", Response(status_code=204))
    failure = travel(service.url, LONG).failure
    assert failure is not None
    assert (failure.step, failure.allowed) == ("miss", "404")
    assert service.files() == []


def test_what_was_written_is_deleted_also_where_that_was_not_said(service: Served) -> None:
    async def behave(request: Any, service: Any) -> Response:
        answer: Response = await service(request)
        return Response(status_code=502) if request.method == "PUT" else answer

    service.behave = behave
    failure = travel(service.url, LONG).failure
    assert failure is not None
    assert failure.step == "write"
    assert service.files() == []
