"""The contract of a storage, checked with S3 (moto) and the tests' own storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from service.app.storage import (
    CursorError,
    FileMissingError,
    PreconditionError,
    S3Storage,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.app.storage import Storage

BUCKET = "files-of-the-tests"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    # A build of the pipeline may have its own endpoint.
    config = Config(ignore_configured_endpoint_urls=True)  # type: ignore[call-arg]  # the stubs lack it
    with mock_aws():
        client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=config,
        )
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture(params=["s3", "memory"])
def kept(request: pytest.FixtureRequest, storage: Storage) -> Iterator[Storage]:
    if request.param == "memory":
        yield storage
        return
    client = request.getfixturevalue("s3")
    yield S3Storage(BUCKET, client)
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])


def test_storage_returns_stored_bytes(kept: Storage) -> None:
    etag = kept.put("a/b", b"0123456789", "text/x")
    info = kept.info("a/b")
    assert (info.path, info.size, info.etag, info.content_type) == ("a/b", 10, etag, "text/x")
    assert kept.read("a/b", 2, 4, etag) == b"234"
    assert kept.fetch("a/b", most=10) == (info, b"0123456789")
    assert kept.fetch("a/b", most=9) == (info, None)
    kept.delete("a/b")
    kept.check()


def test_a_missing_file_is_not_found(kept: Storage) -> None:
    with pytest.raises(FileMissingError):
        kept.info("none")
    with pytest.raises(FileMissingError):
        kept.delete("none")
    with pytest.raises(FileMissingError):
        kept.read("none", 0, 0, '"x"')
    with pytest.raises((FileMissingError, PreconditionError)):
        kept.put("none", b"", "text/x", '"x"')


def test_no_write_is_lost(kept: Storage) -> None:
    first = kept.put("a", b"1", "text/x")
    second = kept.put("a", b"2", "text/x", first)
    with pytest.raises(PreconditionError):
        kept.put("a", b"3", "text/x", first)
    with pytest.raises(PreconditionError):
        kept.read("a", 0, 0, first)
    assert kept.read("a", 0, 0, second) == b"2"


def test_storage_lists_in_order_and_in_pages(kept: Storage) -> None:
    for path in ("b/2", "b/1", "a", "b/3", "c"):
        kept.put(path, b"x", "text/x")
    page = kept.list("b/", None, 2)
    assert [file.path for file in page.files] == ["b/1", "b/2"]
    rest = kept.list("b/", page.cursor, 2)
    assert ([file.path for file in rest.files], rest.cursor) == (["b/3"], None)
    assert kept.list("none", None, 2).files == ()


def test_a_foreign_cursor_is_rejected(s3: Any) -> None:
    for cursor in ("ÿ", "_", "_w"):
        with pytest.raises(CursorError):
            S3Storage(BUCKET, s3).list("", cursor, 1)


def test_a_missing_bucket_is_unavailable(s3: Any) -> None:
    with pytest.raises(UnavailableError, match="head_bucket with 404"):
        S3Storage("no-such-bucket", s3).check()


def test_an_interrupted_read_is_unavailable() -> None:
    class Stopped:
        def read(self) -> bytes:
            raise ReadTimeoutError(endpoint_url="https://s3")

    class Client:
        def get_object(self, **_arguments: Any) -> dict[str, Any]:
            return {"Body": Stopped()}

    with pytest.raises(UnavailableError, match="S3 did not answer get_object"):
        S3Storage(BUCKET, Client()).read("a", 0, 0, '"x"')
