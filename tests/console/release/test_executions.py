from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from console.release.executions import Execution, carrying, last_run
from console.release.history import history, in_detail

if TYPE_CHECKING:
    from tests.console.fakes import FakeAws, FakePipeline

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def run(name: str, status: str, commit: str | None, *, rollback: bool = False) -> Execution:
    started = START + timedelta(minutes=int(name))
    return Execution(name, status, "", commit, rollback, started, started)


def contains_mine(later: str) -> bool:
    return later in {"mine", "later", "latest"}


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        pytest.param([run("1", "Succeeded", "old")], "", id="nobody yet"),
        pytest.param(
            [run("1", "Succeeded", "old"), run("2", "InProgress", "mine")], "2", id="running"
        ),
        pytest.param(
            [run("1", "InProgress", "mine"), run("2", "InProgress", None)],
            "1",
            id="a restart whose source has not answered may be another commit's",
        ),
        pytest.param(
            [run("1", "Cancelled", "mine"), run("2", "InProgress", "mine")],
            "12",
            id="the pipeline changed itself",
        ),
        pytest.param(
            [run("1", "Superseded", "mine"), run("2", "InProgress", "later")],
            "12",
            id="a later commit took over",
        ),
        pytest.param(
            [
                run("1", "Superseded", "mine"),
                run("2", "Superseded", "later"),
                run("3", "InProgress", "latest"),
            ],
            "123",
            id="and was overtaken itself",
        ),
        pytest.param(
            [run("1", "Superseded", "mine"), run("2", "InProgress", "theirs")],
            "1",
            id="another branch's commit took its place",
        ),
        pytest.param(
            [
                run("1", "Superseded", "mine"),
                run("2", "Failed", "theirs"),
                run("3", "InProgress", "later"),
            ],
            "13",
            id="and a later commit that contains it came after all",
        ),
        pytest.param(
            [run("1", "Succeeded", "mine"), run("2", "InProgress", "later")],
            "1",
            id="a later commit after the end is not ours",
        ),
        pytest.param(
            [run("1", "Failed", "mine"), run("2", "InProgress", "good", rollback=True)],
            "1",
            id="a rollback carries an older commit",
        ),
        pytest.param([run("1", "Failed", None)], "1", id="the source did not answer"),
    ],
)
def test_executions_that_carry_a_commit_are_found(listed: list[Execution], expected: str) -> None:
    assert "".join(each.id for each in carrying(listed, "mine", contains_mine)) == expected


def test_the_last_run_of_a_commit_is_found() -> None:
    listed = [
        run("1", "Cancelled", "mine"),
        run("2", "Failed", "mine"),
        run("3", "Cancelled", "mine"),
        run("4", "Succeeded", "mine"),
    ]
    assert [each.id for each in last_run(listed, "mine", contains_mine)] == ["3", "4"]


def test_stages_have_status_and_seconds_after_a_later_execution_entered_them(
    aws: FakeAws, pipeline: FakePipeline
) -> None:
    pipeline.execution("one", 0, commit="mine", status="Succeeded", updated=300)
    for index, stage in enumerate(pipeline.STAGES):
        pipeline.stage("one", stage, index * 10, index * 10 + 8)
    pipeline.execution("two", 90, commit="later")
    pipeline.stage("two", "Source", 90, 91)
    pipeline.action("two", "Build", "Synth", 91, 91, status="InProgress")

    one, two = (in_detail(aws, each) for each in history(aws))

    assert {each.status for each in one.stages} == {"Succeeded"}
    assert [each.seconds(aws.now) for each in one.stages] == [8.0] * len(pipeline.STAGES)
    assert [each.status for each in two.stages] == [
        "Succeeded", "InProgress", "NotStarted", "NotStarted", "NotStarted",
    ]  # fmt: skip
    build = two.stage("Build")
    assert build is not None
    assert build.seconds(START + timedelta(seconds=101)) == 10


def test_a_stage_that_was_removed_from_the_pipeline_is_listed(
    aws: FakeAws, pipeline: FakePipeline
) -> None:
    pipeline.execution("one", 0, commit="mine", status="Succeeded")
    pipeline.action("one", "Approval", "Ask", 5, 9)
    assert [each.name for each in in_detail(aws, history(aws)[0]).stages][-1] == "Approval"


def test_all_pages_of_actions_are_read(aws: FakeAws, pipeline: FakePipeline) -> None:
    pipeline.execution("one", 0, commit="mine")
    pipeline.stage("one", "Source", 0, 1)
    pipeline.stage("one", "Build", 1, 2)
    first, second = (
        {"actionExecutionDetails": [detail]} for detail in reversed(pipeline.details["one"])
    )
    aws.answers[("codepipeline", "list_action_executions")] = lambda **asked: (
        second if "nextToken" in asked else first | {"nextToken": "more"}
    )
    started = [each.name for each in in_detail(aws, history(aws)[0]).stages if each.started]
    assert started == ["Source", "Build"]
