from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.paths import PathError, RangeError, byte_range, checked
from service.routes.files import MOST_BYTES

if TYPE_CHECKING:
    from fastapi.testclient import TestClient


def test_a_file_comes_back_as_it_was_written(client: TestClient) -> None:
    written = client.put(
        "/files/a/b/ç d.bin", content=b"\x00\xff bytes", headers={"Content-Type": "image/x"}
    )
    assert written.status_code == 201
    read = client.get("/files/a/b/ç d.bin")
    assert read.content == b"\x00\xff bytes"
    assert read.headers["content-type"] == "image/x"
    assert read.headers["etag"] == written.headers["etag"]
    head = client.head("/files/a/b/ç d.bin")
    assert head.headers["content-length"] == "8"
    assert head.content == b""


def test_ranges(client: TestClient) -> None:
    client.put("/files/digits", content=b"0123456789")
    part = client.get("/files/digits", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert client.get("/files/digits", headers={"Range": "bytes=-3"}).content == b"789"
    beyond = client.get("/files/digits", headers={"Range": "bytes=10-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == "bytes */10"
    assert client.get("/files/digits", headers={"Range": "pages=1-2"}).content == b"0123456789"


def test_conditions(client: TestClient) -> None:
    etag = client.put("/files/one", content=b"1").headers["etag"]
    assert client.get("/files/one", headers={"If-None-Match": etag}).status_code == 304
    stale = client.put("/files/one", content=b"2", headers={"If-Match": '"0123"'})
    assert stale.status_code == 412
    assert client.get("/files/one").content == b"1"
    assert client.put("/files/one", content=b"2", headers={"If-Match": etag}).status_code == 201


def test_delete_and_absence_are_problems_with_a_sentence(client: TestClient) -> None:
    client.put("/files/gone", content=b"")
    assert client.get("/files/gone").content == b""
    assert client.delete("/files/gone").status_code == 204
    for answer in (client.get("/files/gone"), client.delete("/files/gone")):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json() == {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "There is no file gone.",
            "instance": "/files/gone",
        }


def test_listing_pages_through_everything_once(client: TestClient) -> None:
    paths = [f"reports/{number:02d}.csv" for number in range(7)]
    for path in [*paths, "other"]:
        client.put(f"/files/{path}", content=b"x")
    seen: list[str] = []
    cursor = None
    while True:
        query = {"prefix": "reports/", "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = client.get("/files", params=query).json()
        seen += [file["path"] for file in page["files"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == paths
    assert client.get("/files", params={"cursor": "ÿ"}).status_code == 400
    assert client.get("/files", params={"limit": 0}).status_code == 422


def test_what_lambda_cannot_carry_is_a_413_that_says_how_much_it_can(client: TestClient) -> None:
    refused = client.put("/files/large", content=b"x" * (MOST_BYTES + 1))
    assert refused.status_code == 413
    assert str(MOST_BYTES) in refused.json()["detail"]
    assert client.put("/files/large", content=b"x" * MOST_BYTES).status_code == 201


@pytest.mark.parametrize("path", ["a//b", "a/../b", "a/./b", "/a", "a/", "a\x01b", "é" * 513])
def test_paths_that_name_no_file(path: str) -> None:
    with pytest.raises(PathError):
        checked(path)


@given(st.text(min_size=1, max_size=80))
def test_a_checked_path_stays_itself(path: str) -> None:
    try:
        once = checked(path)
    except (PathError, UnicodeEncodeError):
        return
    assert checked(once) == once
    assert ".." not in once.split("/")


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_what_a_slice_would_take(size: int, first: int, last: int) -> None:
    content = bytes(range(size))
    try:
        part = byte_range(f"bytes={first}-{last}", size)
    except RangeError:
        assert first >= size
        return
    if part is None:
        assert last < first
    else:
        assert content[part[0] : part[1] + 1] == content[first : last + 1] != b""
