"""Follows a release through the pipeline until it has an outcome."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from console.aws.account import answered_at
from console.aws.deployed import deployed
from console.errors import ConsoleError
from console.release import executions as model
from console.release.canary_watch import CanaryWatch
from console.release.gates import answers_of_build
from console.release.outcomes import read_outcome
from console.words import duration
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from console.aws.account import Aws, Place
    from console.lineage import Lineage
    from console.release.canary import Canary
    from console.release.executions import Execution, Stage
    from console.release.promotion import Outcome
    from pipeline.gates.report.answer import Answer

_PATIENCE = 120.0  # wall seconds until an execution that must come is given up
_REST = 9.0  # times as long as a look took, so that asking takes a tenth of the time
_SHORTEST, _LONGEST = 0.4, 10.0  # wall seconds between two looks
_ROUGH = 2.0  # seconds by which two clocks may differ that both count whole seconds


@dataclass(frozen=True)
class Snapshot:
    """What was seen at one look."""

    executions: tuple[Execution, ...]
    """Those that carry the commit, oldest first; empty until one does."""
    canary: Canary | None
    at: datetime
    """The cloud's time."""
    wall: float
    """Seconds since following began."""
    pace: float
    """The cloud's seconds in one of the wall's, by the dates of its answers: 1 on AWS."""
    unseen: str = ""
    """Why an environment's shift of traffic cannot be seen, where it cannot."""
    moving: str = ""
    """The environment whose traffic still moves although the execution has ended; else empty."""
    is_first: bool = False
    """Nothing is known of the pace yet: that takes two looks."""
    outcome: Outcome | None = None
    """Set in the last snapshot, and in no other."""

    def took(self, stage: Stage) -> str:
        """How long a stage has taken by the wall's clock, in words; empty at the first look."""
        return "" if self.is_first else duration(stage.seconds(self.at) / self.pace)


def history(aws: Aws) -> list[Execution]:
    """The pipeline's newest executions, oldest first, without their stages.

    Raises:
        ConsoleError: there is no such pipeline.
    """
    codepipeline = aws.client("codepipeline")
    try:
        answer = codepipeline.list_pipeline_executions(pipelineName=PIPELINE, maxResults=50)
    except codepipeline.exceptions.PipelineNotFoundException as error:
        raise ConsoleError(
            f"there is no pipeline {PIPELINE} yet; pithead up deploys it to the local cloud, "
            "the README's steps to AWS"
        ) from error
    return model.executions(answer["pipelineExecutionSummaries"])


def in_detail(aws: Aws, execution: Execution) -> Execution:
    """An execution with its stages."""
    codepipeline = aws.client("codepipeline")
    wanted = {"pipelineName": PIPELINE, "filter": {"pipelineExecutionId": execution.id}}
    return model.with_stages(
        execution,
        _all("actionExecutionDetails", codepipeline.list_action_executions, wanted),
        codepipeline.get_pipeline_state(name=PIPELINE),
        codepipeline.get_pipeline(name=PIPELINE)["pipeline"],
    )


def _all(
    key: str, operation: Callable[..., dict[str, Any]], wanted: dict[str, Any]
) -> list[dict[str, Any]]:
    """What an operation lists, of all its pages."""
    answer = operation(**wanted)
    found: list[dict[str, Any]] = answer[key]
    while answer.get("nextToken"):
        answer = operation(**wanted, nextToken=answer["nextToken"])
        found = found + answer[key]
    return found


def answers_in(aws: Aws, execution: Execution) -> tuple[Answer, ...]:
    """What the gates of an execution answered, by the logs of their builds."""
    return tuple(
        answer
        for stage in execution.stages
        for action in stage.actions
        if action.provider == "CodeBuild" and action.external_id and action.status != "InProgress"
        for answer in answers_of_build(aws, action.external_id)
    )


def follow(
    aws: Aws,
    environments: Mapping[str, Place],
    lineage: Lineage,
    commit: str,
    *,
    ignore: frozenset[str] = frozenset(),
    rest: Callable[[float], None] = time.sleep,
) -> Iterator[Snapshot]:
    """Yield snapshots of a release; the last one, and no other, has the outcome.

    The outcome is read from what serves the last environment, and only once no traffic moves any
    more. The executions in `ignore` are not the release's: they were there before it was started
    again. `rest` is called with the seconds to wait between two snapshots.

    Raises:
        ConsoleError: no execution carries the commit, or AWS cannot be asked.
    """
    follower = _Follower(aws, environments, lineage, commit, ignore)
    while True:
        began = time.monotonic()
        snapshot = follower.look()
        took = time.monotonic() - began
        yield snapshot
        if snapshot.outcome:
            return
        rest(min(_LONGEST, max(_SHORTEST, _REST * took)))


class _Follower:
    def __init__(
        self,
        aws: Aws,
        environments: Mapping[str, Place],
        lineage: Lineage,
        commit: str,
        ignore: frozenset[str],
    ) -> None:
        self._aws = aws
        self._environments = environments
        self._contains = lambda later: lineage.contains(later, commit)
        self._lineage = lineage
        self._commit = commit
        self._ignore = ignore
        self._began = time.monotonic()
        self._began_at: datetime | None = None
        self._done: dict[str, Execution] = {}
        self._watches: dict[tuple[str, str, bool], CanaryWatch] = {}
        self._canary: Canary | None = None
        self._moving = ""
        self._unseen = ""
        self._waiting: tuple[str, float] = ("", 0.0)

    def look(self) -> Snapshot:
        listed = [each for each in history(self._aws) if each.id not in self._ignore]
        chain = model.carrying(listed, self._commit, self._contains)
        if not chain and not self._may_come("the first execution", _PATIENCE):
            raise ConsoleError(
                f"no execution of the pipeline {PIPELINE} carries {self._commit[:7]} after "
                f"{_PATIENCE:.0f} s; is its connection available, and does it follow this branch?"
            )
        followed = tuple(self._detailed(each) for each in chain)
        replacement = None
        if followed:
            self._watch(followed[-1])
            replacement = model.replacement(listed, followed[-1], self._contains)
        snapshot = self._snapshot(followed)
        if followed and (replacement or self._over(followed[-1])):
            outcome = read_outcome(
                self._aws,
                self._lineage,
                self._environments,
                self._commit,
                snapshot,
                later=[each for each in listed if each.started > followed[-1].started],
                replacement=replacement,
                answers=answers_in(self._aws, followed[-1]),
            )
            return replace(snapshot, outcome=outcome)
        return snapshot

    def _snapshot(self, followed: tuple[Execution, ...]) -> Snapshot:
        state = self._aws.client("codepipeline").get_pipeline_state(name=PIPELINE)
        at, wall = answered_at(state), time.monotonic() - self._began
        is_first = self._began_at is None
        self._began_at = self._began_at or at
        passed = (at - self._began_at).total_seconds()
        return Snapshot(
            executions=followed,
            canary=self._canary,
            at=at,
            wall=wall,
            pace=passed / wall if abs(passed - wall) > _ROUGH and wall > 0 else 1.0,
            unseen=self._unseen,
            moving=self._moving,
            is_first=is_first,
        )

    def _detailed(self, execution: Execution) -> Execution:
        found = self._done.get(execution.id) or in_detail(self._aws, execution)
        # What is listed as ended has told all its actions.
        if execution.ended:
            self._done[execution.id] = found
        return found

    def _watch(self, execution: Execution) -> None:
        """Read the shift of traffic in the environment that the execution is in."""
        inside = [
            each for each in execution.stages if each.name in self._environments and each.started
        ]
        if not inside:
            return
        try:
            self._moving = self._shifting(execution, inside[-1])
            self._unseen = ""
        except ConsoleError as error:
            self._moving, self._unseen = "", str(error)

    def _shifting(self, execution: Execution, stage: Stage) -> str:
        """Read a stage's shift; returns the stage if the shift outlives the execution."""
        key = (execution.id, stage.name, stage.abandoned)
        updating = False
        if key not in self._watches or stage.abandoned:
            what = deployed(self._aws, stage.name, self._environments[stage.name])
            if what is None or stage.started is None:
                return ""
            # What was abandoned may begin its shift after the stage has ended.
            updating = stage.abandoned and what.stack_status.endswith("_IN_PROGRESS")
            until = None if stage.abandoned else stage.ended
            watch = CanaryWatch(self._aws, what, stage.started, until)
            self._watches.setdefault(key, watch)
        watch = self._watches[key]
        self._canary = watch.read_final() if execution.ended else watch.read()
        shifting = self._canary is not None and not self._canary.ended
        return stage.name if execution.ended and (shifting or updating) else ""

    def _over(self, last: Execution) -> bool:
        if not last.ended or self._moving:
            return False
        if last.status in {"Superseded", "Cancelled"}:
            return not self._may_come(f"the one after {last.id}", _PATIENCE)
        return True

    def _may_come(self, what: str, patience: float) -> bool:
        """Whether an execution that AWS begins by itself may still come."""
        now = time.monotonic()
        if self._waiting[0] != what:
            self._waiting = (what, now)
        return now - self._waiting[1] < patience
