"""Run by the integration gate against a deployed environment, whose address is in `URL`."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import httpx2
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.deployed


@pytest.fixture(scope="module")
def api() -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=os.environ["URL"], timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def path(api: httpx2.Client) -> Iterator[str]:
    path = f"files/integration/{uuid.uuid4()}.bin"
    yield path
    api.delete(path)


def test_it_is_ready(api: httpx2.Client) -> None:
    assert api.get("health").json() == {"status": "alive"}
    assert api.get("ready").json() == {"status": "ready"}


def test_it_runs_the_commit_that_is_promoted(api: httpx2.Client) -> None:
    promoted = os.environ["CODEBUILD_RESOLVED_SOURCE_VERSION"]
    assert api.get("version").json()["commit"] == promoted


def test_a_file_round_trips(api: httpx2.Client, path: str) -> None:
    content = bytes(range(256))
    written = api.put(path, content=content, headers={"Content-Type": "application/x-test"})
    assert written.status_code == 201
    read = api.get(path)
    assert (read.content, read.headers["content-type"]) == (content, "application/x-test")
    part = api.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, content[10:20])
    head = api.head(path)
    assert head.headers["etag"] == written.headers["etag"]
    listed = api.get("files", params={"prefix": path.removeprefix("files/")}).json()
    assert [file["size"] for file in listed["files"]] == [256]
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
