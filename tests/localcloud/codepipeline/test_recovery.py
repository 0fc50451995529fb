"""Recovery of an execution, by the point at which the last process ended."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.codepipeline.model import ActionExecution, Execution, Pipeline, StageExecution
from localcloud.codepipeline.recovery import recover
from localcloud.codepipeline.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

MANUAL = {"category": "Approval", "owner": "AWS", "provider": "Manual"}
BUILD = {"category": "Build", "owner": "AWS", "provider": "CodeBuild"}
PIPELINE = Pipeline(
    "p",
    "1",
    "eu",
    3,
    {
        "stages": [
            {"name": "Source", "actions": []},
            {"name": "Build", "actions": [{"name": "Test", "actionTypeId": BUILD}]},
            {"name": "Prod", "actions": [{"name": "Approve", "actionTypeId": MANUAL}]},
        ]
    },
    0,
    0,
)


class NotingStore(Store):
    """A fake of the service that records what recovery does."""

    def __init__(self) -> None:
        self.pipelines = {PIPELINE.key: PIPELINE}
        self.decided: list[Any] = []

    def begin(
        self, pipeline: Pipeline, execution: Execution, first: int = 0, *, again: str = ""
    ) -> None:
        self.decided.append((first, again))

    def finish(self, execution: Execution, status: str) -> None:
        self.decided.append(status)

    @contextmanager
    def changing(self, execution: Execution) -> Iterator[None]:
        yield


@pytest.mark.parametrize(
    ("stages", "more", "decided"),
    [
        ({}, {}, (0, "")),
        ({"Source": "Succeeded"}, {}, (1, "")),
        ({"Source": "Succeeded", "Build": "Skipped"}, {}, (2, "")),
        ({"Source": "Succeeded", "Build": "Succeeded", "Prod": "Succeeded"}, {}, "Succeeded"),
        ({"Source": "Succeeded", "Build": "Failed"}, {}, "Failed"),
        ({"Source": "Succeeded", "Build": "Cancelled"}, {}, "Cancelled"),
        ({"Source": "Succeeded", "Build": "InProgress"}, {}, "Failed"),
        ({"Source": "Succeeded", "Build": "Succeeded", "Prod": "InProgress"}, {}, (2, "RESUME")),
        ({"Source": "Succeeded"}, {"version": 2}, "Cancelled"),
        ({"Source": "Succeeded", "Build": "InProgress"}, {"version": 2}, "Failed"),
        ({"Source": "Succeeded"}, {"status": "Stopping"}, "Stopped"),
        ({"Source": "Succeeded"}, {"pipeline": "deleted"}, "Stopped"),
        ({}, {"type": "ROLLBACK", "stage": "Prod"}, (2, "")),
        ({"Prod": "Succeeded"}, {"type": "ROLLBACK", "stage": "Prod"}, "Succeeded"),
    ],
)
def test_recovery_decisions(stages: dict[str, str], more: dict[str, Any], decided: Any) -> None:
    given: dict[str, Any] = {"pipeline": "p", "version": 3, "status": "InProgress"} | more
    execution = Execution(
        id="e",
        account="1",
        region="eu",
        mode="SUPERSEDED",
        started=1,
        updated=1,
        trigger="Webhook",
        stages={name: StageExecution(name, status, 1, 1) for name, status in stages.items()},
        actions=[
            ActionExecution("1", "Build", "Test", "InProgress", 1, 1),
            ActionExecution("2", "Prod", "Approve", "InProgress", 1, 1, token="t"),
        ],
        **given,
    )
    store = NotingStore()
    recover(store, store.begin, Execution.of(execution.document()))
    assert store.decided == [decided]
