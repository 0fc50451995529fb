"""Lifecycle rules delete only expired objects, from S3 and from the journal.

Source: "Expiring objects" of the S3 user guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.s3.models import s3_backends

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from localcloud.server import LocalCloud

ACCOUNT = "111111111111"
_DAY = 86_400.0
_RULES = {
    "Rules": [
        {
            "ID": "synthetic",
            "Filter": {"Prefix": "synthetic/"},
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
        {
            "ID": "all",
            "Filter": {"Prefix": ""},
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        },
    ]
}
_KEYS = st.sampled_from(["synthetic/a", "synthetic/b", "other", "synthetic/é"])
_ACTION = st.tuples(
    st.sampled_from(["put", "put", "delete", "delete", "tag", "copy"]), _KEYS, _KEYS
)


def _bucket(server: LocalCloud) -> Any:
    s3 = server.cloud.client("s3", ACCOUNT, "us-east-1")
    s3.create_bucket(Bucket="files")
    s3.put_bucket_versioning(Bucket="files", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(Bucket="files", LifecycleConfiguration=_RULES)
    return s3


def _versions() -> dict[str, list[str]]:
    bucket = s3_backends[ACCOUNT]["aws"].buckets["files"]
    return {key: [each.version_id for each in bucket.keys.getlist(key)] for key in bucket.keys}


def test_the_journal_of_an_idle_cloud_does_not_grow(start_cloud: Callable[..., LocalCloud]) -> None:
    """A journey writes an object and deletes it; a day later neither version remains."""
    server = start_cloud(services=("logs", "sts"))
    s3 = _bucket(server)
    journal, now = server.cloud.journal, server.cloud.clock.timestamp()
    before = len(server.cloud.ledger.read("moto"))
    for number in range(20):
        s3.put_object(Bucket="files", Key=f"synthetic/{number}", Body=b"x")
        s3.delete_object(Bucket="files", Key=f"synthetic/{number}")
    assert journal.expire(now + 0.9 * _DAY) == 0
    assert len(server.cloud.ledger.read("moto")) == before + 40
    assert journal.expire(now + 2.1 * _DAY) == 40
    assert len(server.cloud.ledger.read("moto")) == before
    assert _versions() == {}


def test_a_rule_keeps_current_and_young_versions(start_cloud: Callable[..., LocalCloud]) -> None:
    server = start_cloud(services=("logs", "sts"))
    s3 = _bucket(server)
    for key in ("synthetic/a", "other"):
        for number in range(3):
            s3.put_object(Bucket="files", Key=key, Body=str(number).encode())
    now = server.cloud.clock.timestamp()
    assert server.cloud.journal.expire(now + 3 * _DAY) == 2
    assert [len(each) for each in _versions().values()] == [1, 3]
    assert s3.get_object(Bucket="files", Key="synthetic/a")["Body"].read() == b"2"
    assert server.cloud.journal.expire(now + 32 * _DAY) == 2


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_ACTION, min_size=10, max_size=30), st.sampled_from([3, 40]))
def test_expired_objects_stay_deleted_after_a_restart(
    start_cloud: Callable[..., LocalCloud],
    tmp_path_factory: pytest.TempPathFactory,
    actions: list[tuple[str, str, str]],
    days: int,
) -> None:
    state = tmp_path_factory.mktemp("state")
    server = start_cloud(services=("logs", "sts"), state=state)
    s3 = _bucket(server)
    for number, (action, key, other) in enumerate(actions):
        present = {each["Key"] for each in s3.list_objects_v2(Bucket="files").get("Contents", [])}
        if action == "put":
            s3.put_object(Bucket="files", Key=key, Body=str(number).encode())
        elif action == "delete":
            s3.delete_object(Bucket="files", Key=key)
        elif action == "tag" and key in present:
            tags = {"TagSet": [{"Key": "n", "Value": str(number)}]}
            s3.put_object_tagging(Bucket="files", Key=key, Tagging=tags)
        elif action == "copy" and key in present:
            s3.copy_object(
                Bucket="files", Key=other, CopySource={"Bucket": "files", "Key": key},
                MetadataDirective="REPLACE",
            )  # fmt: skip
    server.cloud.journal.expire(server.cloud.clock.timestamp() + days * _DAY)
    before = _versions()
    server.stop()
    server = start_cloud(services=("logs", "sts"), state=state)
    assert _versions() == before
    server.stop()
