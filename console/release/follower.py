"""Follow a release through the pipeline until it has an outcome."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from console.aws.deployed import deployed
from console.errors import ConsoleError
from console.release import executions as model
from console.release.canary_watch import CanaryWatch
from console.release.history import history, in_detail, reports_in
from console.release.outcomes import read_outcome
from console.release.snapshot import Snapshot
from pipeline.gates.aws import answered_at
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from console.aws.account import Aws, Place
    from console.lineage import Lineage
    from console.release.canary import Canary
    from console.release.executions import Execution, Stage

_START_TIMEOUT_SECONDS = 120.0
"""Wall-clock seconds to wait for an expected execution."""
_POLL_PAUSE_FACTOR = 9.0
"""Length of a pause in durations of a poll: polling takes a tenth of the time."""
_MIN_POLL_PAUSE_SECONDS, _MAX_POLL_PAUSE_SECONDS = 0.4, 10.0
_MAX_CLOCK_DIFFERENCE_SECONDS = 2.0
"""Maximum difference of two clocks that count whole seconds."""


def follow(
    aws: Aws,
    environments: Mapping[str, Place],
    lineage: Lineage,
    commit: str,
    *,
    ignore: frozenset[str] = frozenset(),
    rest: Callable[[float], None] = time.sleep,
) -> Iterator[Snapshot]:
    """Yield snapshots of a release; only the last one has the outcome.

    The outcome depends on what serves the last environment, and is read when its traffic no longer
    moves. `ignore` are executions from before the release was started again. `rest` is called with
    the seconds to wait between two snapshots.

    Raises:
        ConsoleError: no execution carries the commit, or AWS cannot be reached.
    """
    follower = _Follower(aws, environments, lineage, commit, ignore)
    while True:
        began = time.monotonic()
        snapshot = follower.look()
        took = time.monotonic() - began
        yield snapshot
        if snapshot.outcome:
            return
        pause = max(_MIN_POLL_PAUSE_SECONDS, _POLL_PAUSE_FACTOR * took)
        rest(min(_MAX_POLL_PAUSE_SECONDS, pause))


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
        if not chain and not self._may_come("the first execution"):
            raise ConsoleError(
                f"no execution of the pipeline {PIPELINE} carries {self._commit[:7]} after "
                f"{_START_TIMEOUT_SECONDS:.0f} s; is its connection available, and does it follow "
                "this branch?"
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
                reports=reports_in(self._aws, followed[-1]),
            )
            return replace(snapshot, outcome=outcome)
        return snapshot

    def _snapshot(self, followed: tuple[Execution, ...]) -> Snapshot:
        state = self._aws.client("codepipeline").get_pipeline_state(name=PIPELINE)
        at, wall = answered_at(state), time.monotonic() - self._began
        is_first = self._began_at is None
        self._began_at = self._began_at or at
        passed = (at - self._began_at).total_seconds()
        differ = abs(passed - wall) > _MAX_CLOCK_DIFFERENCE_SECONDS
        return Snapshot(
            executions=followed,
            canary=self._canary,
            at=at,
            wall=wall,
            pace=passed / wall if differ and passed > 0 and wall > 0 else 1.0,
            unseen=self._unseen,
            moving=self._moving,
            is_first=is_first,
        )

    def _detailed(self, execution: Execution) -> Execution:
        found = self._done.get(execution.id) or in_detail(self._aws, execution)
        # An execution that is listed as ended has its final actions.
        if execution.ended:
            self._done[execution.id] = found
        return found

    def _watch(self, execution: Execution) -> None:
        """Read the traffic shift of the environment that the execution has reached."""
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
        """Read a stage's shift; return the stage if the shift outlives the execution."""
        key = (execution.id, stage.name, stage.abandoned)
        updating = False
        if key not in self._watches or stage.abandoned:
            what = deployed(self._aws, stage.name, self._environments[stage.name])
            if what is None or stage.started is None:
                return ""
            # An abandoned deployment may start its shift after the stage has ended.
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
            return not self._may_come(f"the one after {last.id}")
        return True

    def _may_come(self, what: str) -> bool:
        """Return whether an execution that AWS starts by itself may still come."""
        now = time.monotonic()
        if self._waiting[0] != what:
            self._waiting = (what, now)
        return now - self._waiting[1] < _START_TIMEOUT_SECONDS
