"""A condemned version stays condemned until a person permits it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.judge.admission import admit
from pipeline.judge.evaluation import evaluate
from pipeline.judge.statistics.condemnation import (
    Condemnation,
    Permission,
    condemnation_key,
    permission_key,
    read_condemnation,
    read_permission,
    text,
    version_digest,
)
from pipeline.judge.statistics.record import RecordError, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.judge.settings import Settings

    Judge = Callable[..., Settings]

CONFIGURATION = {
    "CodeSha256": "abc", "Runtime": "python3.13", "Handler": "service.app.handler.handler",
    "MemorySize": 1024, "Timeout": 15, "Architectures": ["arm64"], "Version": "3",
    "Environment": {"Variables": {"COMMIT": "c"}}, "RevisionId": "1", "LastModified": "now",
}  # fmt: skip


@pytest.fixture
def condemned(world: Any, judge: Judge) -> Any:
    """A release that the judge stopped, and the same version before its next shift."""
    world.fill((8, 4), (72, 0))
    world.now = world.after(6)
    assert evaluate(world, judge()).stops
    world.deployment_ = replace(world.deployment_, id="d-2", canary="4", began=None)
    world.digests["4"] = world.digests["3"]  # the same version, published under another number
    world.now = world.after(60)
    return world


def test_a_condemned_version_is_rejected_before_traffic_and_recorded(
    condemned: Any, judge: Judge
) -> None:
    refused = admit(condemned, judge(), condemned.deployment_)
    assert refused is not None
    assert "deployment d-1 condemned this code" in refused
    assert "pithead release --again --reason" in refused
    record = read(condemned.records["d-2"])
    assert (record.outcome, record.sentence) == ("refused as condemned before", refused)
    assert record.version_digest == "sha256:3"


def test_other_code_or_configuration_is_admitted(condemned: Any, judge: Judge) -> None:
    condemned.digests["4"] = "sha256:4"
    assert admit(condemned, judge(), condemned.deployment_) is None
    begun = read(condemned.records["d-2"])
    assert (begun.outcome, begun.version_digest) == ("in progress", "sha256:4")


def test_a_version_is_judged_to_its_end_though_a_rollback_deleted_it(
    world: Any, judge: Judge
) -> None:
    """CloudFormation deletes a rolled back version before the last evaluation."""
    shift = world.deployment_
    assert admit(world, judge(), replace(shift, began=None)) is None
    world.failing = {"digest"}
    world.fill((8, 4), (72, 0))
    world.now = world.after(6)
    assert evaluate(world, judge()).stops
    assert read(world.records[shift.id]).began == shift.began
    assert world.condemned["sha256:3"].deployment_id == shift.id


def test_a_permission_covers_only_earlier_condemnations(condemned: Any, judge: Judge) -> None:
    given = Permission("sha256:3", condemned.after(50), "ops", "the bucket was away")
    condemned.permitted["sha256:3"] = given
    assert admit(condemned, judge(), condemned.deployment_) is None
    again = replace(condemned.condemned["sha256:3"], deployment_id="d-2", at=condemned.after(55))
    condemned.condemned["sha256:3"] = again
    assert admit(condemned, judge(), condemned.deployment_) is not None


def test_an_equal_version_is_not_condemned(world: Any, judge: Judge) -> None:
    world.fill((8, 0), (72, 0))
    world.now = world.after(6)
    evaluate(world, judge())
    assert not world.condemned


def test_an_unwritten_condemnation_is_written_at_the_next_evaluation(
    world: Any, judge: Judge
) -> None:
    world.fill((8, 4), (72, 0))
    world.now = world.after(6)
    world.failing = {"condemn"}
    with pytest.raises(Exception, match="condemn did not answer"):
        evaluate(world, judge())
    world.failing = set()
    evaluate(world, judge())
    first = world.condemned["sha256:3"]
    world.now = world.after(7)
    evaluate(world, judge())
    assert world.condemned["sha256:3"] == first


def test_a_version_is_identified_by_its_code_and_configuration() -> None:
    digest = version_digest(CONFIGURATION)
    for name in ("Version", "RevisionId", "LastModified"):
        assert version_digest(CONFIGURATION | {name: "other"}) == digest
    for name in ("CodeSha256", "MemorySize", "Environment"):
        assert version_digest(CONFIGURATION | {name: "other"}) != digest
    assert condemnation_key(digest) == f"condemned/{digest[7:]}.json"
    assert permission_key(digest) == f"permitted/{digest[7:]}.json"


def test_documents_round_trip(world: Any) -> None:
    condemnation = Condemnation("sha256:3", "d-1", world.now, "The new version is worse.")
    permission = Permission("sha256:3", world.now + timedelta(hours=1), "ops", "an outage")
    assert read_condemnation(text(condemnation)) == condemnation
    assert read_permission(text(permission)) == permission
    for damaged in ("{", "[]", "{}", text(permission).replace('"ops"', "1")):
        with pytest.raises(RecordError, match="permission: "):
            read_permission(damaged)
