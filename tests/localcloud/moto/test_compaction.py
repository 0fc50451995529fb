"""Compaction of the journal does not change the state."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud

if TYPE_CHECKING:
    import pytest

ACCOUNT = "111111111111"
_BUCKETS = ("plain", "versioned")
_OBJECT = st.tuples(st.sampled_from(("plain", *_BUCKETS)), st.sampled_from(["a", "c/ +é"]))
_ACTION = st.one_of(
    st.tuples(st.sampled_from(["put", "put", "delete", "tag", "once", "parts"]), _OBJECT),
    st.tuples(st.just("copy"), _OBJECT, _OBJECT),
    st.tuples(st.just("delete many"), _OBJECT),
)


def _act(s3: Any, number: int, action: tuple[Any, ...]) -> None:
    bucket, key = action[1]
    where = {"Bucket": bucket, "Key": key}
    if action[0] == "put":
        s3.put_object(**where, Body=str(number).encode())
    elif action[0] == "once":
        s3.put_object(**where, Body=str(number).encode(), IfNoneMatch="*")
    elif action[0] == "delete":
        s3.delete_object(**where)
    elif action[0] == "delete many":
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    elif action[0] == "tag":
        s3.put_object_tagging(**where, Tagging={"TagSet": [{"Key": "n", "Value": str(number)}]})
    elif action[0] == "copy":
        s3.copy_object(**where, CopySource=dict(zip(("Bucket", "Key"), action[2], strict=True)))
    else:
        upload = s3.create_multipart_upload(**where)["UploadId"]
        part = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=str(number).encode())
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)


def _state(s3: Any) -> list[Any]:
    told: list[Any] = []
    for bucket in _BUCKETS:
        versions = s3.list_object_versions(Bucket=bucket)
        told += [versions.get("Versions"), versions.get("DeleteMarkers")]
        for each in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            tags = s3.get_object_tagging(Bucket=bucket, Key=each["Key"])["TagSet"]
            body = s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            told.append((bucket, each["Key"], body, tags))
    return told


@settings(max_examples=10)
@given(st.lists(_ACTION, min_size=8, max_size=24))
def test_objects_are_the_same_after_a_restart(actions: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:

        def start() -> tuple[LocalCloud, Any]:
            server = LocalCloud(Path(folder), services=("logs", "sts"), delays=NO_DELAYS)
            server.start()
            return server, server.cloud.client("s3", ACCOUNT, "us-east-1")

        server, s3 = start()
        for bucket in _BUCKETS:
            s3.create_bucket(Bucket=bucket)
        enabled = {"Status": "Enabled"}
        s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration=enabled)
        for number, action in enumerate(actions):
            try:
                _act(s3, number, action)
            except ClientError:
                continue
        before = _state(s3)
        server.stop()
        server, s3 = start()
        assert _state(s3) == before
        server.stop()


def test_overwritten_entries_are_compacted_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = LocalCloud(tmp_path, services=("logs", "sts"), delays=NO_DELAYS)
    server.start()
    s3 = server.cloud.client("s3", ACCOUNT, "us-east-1")
    s3.create_bucket(Bucket="bucket")
    for number in range(30):
        s3.put_object(Bucket="bucket", Key="same", Body=str(number).encode())
        s3.put_object(Bucket="bucket", Key=f"gone-{number}", Body=b"")
        s3.delete_object(Bucket="bucket", Key=f"gone-{number}")
    server.stop()
    server = LocalCloud(tmp_path, services=("logs", "sts"), delays=NO_DELAYS)
    server.start()
    assert len(server.cloud.ledger.read("moto")) == 2
    s3 = server.cloud.client("s3", ACCOUNT, "us-east-1")
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["same"]
    assert s3.get_object(Bucket="bucket", Key="same")["Body"].read() == b"29"
    server.stop()
    assert not [each for each in caplog.records if each.name.startswith("localcloud")]
