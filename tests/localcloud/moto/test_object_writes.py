"""An object replayed without HTTP equals one created by a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.s3.models import FakeDeleteMarker, s3_backends

from localcloud.moto import journal
from localcloud.moto.object_writes import repeat

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from localcloud.server import LocalCloud

ACCOUNT = "111111111111"
_KEYS = st.sampled_from(["a", "b/c.txt", "d é/+", "договоры/x", "..", "a//b", "%41"])
_ACTION = st.tuples(
    st.sampled_from(["put", "put", "put", "delete"]),
    st.sampled_from(["plain", "versioned", "encrypted"]),
    _KEYS,
    st.sampled_from(
        [{}, {"ContentType": "text/plain"}, {"Metadata": {"n": "1"}}, {"Tagging": "a=1"}]
    ),
)


def _objects() -> dict[str, Any]:
    """Return every version of every object, with moto's internal attributes."""
    backend = s3_backends[ACCOUNT]["aws"]
    return {
        f"{bucket.name}/{key}": [_attributes(each) for each in bucket.keys.getlist(key)]
        for bucket in backend.buckets.values()
        for key in bucket.keys
    }


def _attributes(version: Any) -> dict[str, Any]:
    found = dict(vars(version))
    if isinstance(version, FakeDeleteMarker):
        return found | {"key": version.key.version_id}
    # moto computes an object's tag lazily, and counts its own transitions.
    for name in ("lock", "_value_buffer", "acl", "_etag", "_tick", "_time_progressed"):
        del found[name]
    found["_metadata"] = dict(found["_metadata"])
    found["etag"] = version.etag
    found["tags"] = s3_backends[ACCOUNT]["aws"].tagger.get_tag_dict_for_resource(version.arn)
    return found | {"value": version.value, "grants": [str(g) for g in version.acl.grants]}


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_ACTION, min_size=10, max_size=30))
def test_repeated_writes_are_the_same(
    start_cloud: Callable[..., LocalCloud],
    tmp_path_factory: pytest.TempPathFactory,
    actions: list[tuple[str, str, str, dict[str, Any]]],
) -> None:
    state = tmp_path_factory.mktemp("state")
    server = start_cloud(services=("logs", "sts"), state=state)
    s3 = server.cloud.client("s3", ACCOUNT, "us-east-1")
    for bucket in ("plain", "versioned", "encrypted"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(
        Bucket="encrypted", ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    for number, (action, bucket, key, more) in enumerate(actions):
        if action == "put":
            s3.put_object(Bucket=bucket, Key=key, Body=str(number).encode(), **more)
        else:
            s3.delete_object(Bucket=bucket, Key=key)
    before = _objects()
    server.stop()
    server = start_cloud(services=("logs", "sts"), state=state)
    assert _objects() == before
    server.stop()


def test_plain_writes_do_not_go_through_http(
    start_cloud: Callable[..., LocalCloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cost of a start is measured in requests, not in seconds."""
    server = start_cloud(services=("logs", "sts"))
    s3 = server.cloud.client("s3", ACCOUNT, "us-east-1")
    s3.create_bucket(Bucket="files")
    s3.put_bucket_versioning(Bucket="files", VersioningConfiguration={"Status": "Enabled"})
    for number in range(40):
        s3.put_object(Bucket="files", Key=f"synthetic/{number}", Body=b"x", ContentType="text/x")
        s3.delete_object(Bucket="files", Key=f"synthetic/{number}")
    server.stop()
    repeated: list[bool] = []

    def counted(entry: dict[str, Any], body: Callable[[], bytes]) -> str | None:
        version = repeat(entry, body)
        repeated.append(version is not None)
        return version

    monkeypatch.setattr(journal, "repeat", counted)
    start_cloud(services=("logs", "sts"))
    assert repeated == [False, False] + [True] * 80
