from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.app.routes.files import MAX_FILE_BYTES
from service.app.storage import FileMissingError, PreconditionError, UnavailableError

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from service.app.storage import Storage


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
    assert head.headers["content-type"] == "image/x"
    assert head.headers["accept-ranges"] == "bytes"
    assert head.content == b""


def test_one_name_is_one_file_in_path_and_prefix(client: TestClient) -> None:
    client.put("/files/cafe\u0301/menu", content=b"x")
    assert client.get("/files/caf\u00e9/menu").content == b"x"
    listed = client.get("/files", params={"prefix": "cafe\u0301/"}).json()["files"]
    assert [file["path"] for file in listed] == ["caf\u00e9/menu"]


def test_ranges(client: TestClient) -> None:
    etag = client.put("/files/digits", content=b"0123456789").headers["etag"]
    part = client.get("/files/digits", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert client.get("/files/digits", headers={"Range": "bytes=-3"}).content == b"789"
    beyond = client.get("/files/digits", headers={"Range": "bytes=10-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == "bytes */10"
    assert client.get("/files/digits", headers={"Range": "pages=1-2"}).content == b"0123456789"
    for known, status in ((etag, 206), ('"of another file"', 200)):
        headers = {"Range": "bytes=2-4", "If-Range": known}
        assert client.get("/files/digits", headers=headers).status_code == status


def test_conditions(client: TestClient) -> None:
    etag = client.put("/files/one", content=b"1").headers["etag"]
    same = client.get("/files/one", headers={"If-None-Match": f'"x", W/{etag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    stale = client.put("/files/one", content=b"2", headers={"If-Match": '"0123"'})
    assert stale.status_code == 412
    assert client.put("/files/two", content=b"2", headers={"If-Match": etag}).status_code == 412
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
    assert client.head("/files/gone").status_code == 404


def test_listing_pages_through_everything_once(client: TestClient) -> None:
    paths = [f"reports/{number:02d}.csv" for number in range(7)]
    for path in [*paths, "other"]:
        client.put(f"/files/{path}", content=b"x")
    seen: list[str] = []
    cursor = None
    while True:
        query: dict[str, str | int] = {"prefix": "reports/", "limit": 3}
        if cursor:
            query["cursor"] = cursor
        page = client.get("/files", params=query).json()
        seen += [file["path"] for file in page["files"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == paths


def test_a_body_too_large_for_lambda_is_a_413_with_the_limit(
    client: TestClient, storage: Storage
) -> None:
    refused = client.put("/files/large", content=b"x" * (MAX_FILE_BYTES + 1))
    assert refused.status_code == 413
    assert str(MAX_FILE_BYTES) in refused.json()["detail"]
    assert client.put("/files/large", content=b"x" * MAX_FILE_BYTES).status_code == 201
    assert len(client.get("/files/large").content) == MAX_FILE_BYTES
    # Written directly, not with this API.
    storage.put("larger", b"x" * (MAX_FILE_BYTES + 1), "text/plain")
    out = client.get("/files/larger")
    assert out.status_code == 413
    assert "ask for ranges" in out.json()["detail"]
    assert client.get("/files/larger", headers={"Range": "bytes=0-9"}).content == b"x" * 10
    assert client.head("/files/larger").headers["content-length"] == str(MAX_FILE_BYTES + 1)


@pytest.mark.parametrize("method", ["get", "head", "put", "delete"])
def test_a_path_that_names_no_file_is_a_400(client: TestClient, method: str) -> None:
    answer = client.request(method, "/files/a//b")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnavailableError("S3 did not answer"), 503),
        (FileMissingError("x"), 409),
        (PreconditionError("x"), 409),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_a_conflict(
    client: TestClient,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
) -> None:
    def broken(*_arguments: object) -> None:
        raise error

    client.put("/files/x", content=b"x")
    monkeypatch.setattr(storage, "read", broken)
    answer = client.get("/files/x", headers={"Range": "bytes=0-0"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "url", "operation"),
    [
        ("get", "/files", "list"),
        ("get", "/files/x", "fetch"),
        ("head", "/files/x", "info"),
        ("put", "/files/x", "put"),
        ("delete", "/files/x", "delete"),
        ("get", "/ready", "check"),
    ],
)
def test_a_storage_that_does_not_answer_is_a_503(
    client: TestClient,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    url: str,
    operation: str,
) -> None:
    def broken(*_arguments: object) -> None:
        raise UnavailableError("S3 did not answer")

    monkeypatch.setattr(storage, operation, broken)
    assert client.request(method, url).status_code == 503
