"""Read the outcome of an ended release from what serves the last environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.aws.in_service import in_service
from console.release.promotion import Outcome, conclude

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.aws.account import Aws, Place
    from console.aws.in_service import InService
    from console.lineage import Lineage
    from console.release.canary import Canary
    from console.release.executions import Execution
    from console.release.following import Snapshot
    from pipeline.gates.report.answer import Answer


def read_outcome(
    aws: Aws,
    lineage: Lineage,
    environments: Mapping[str, Place],
    commit: str,
    snapshot: Snapshot,
    *,
    later: Sequence[Execution],
    replacement: Execution | None,
    answers: tuple[Answer, ...],
) -> Outcome:
    """Read the outcome of the release whose last execution is the snapshot's last.

    `later` are the executions that started after it, `replacement` one that superseded it with
    another branch's commit, and `answers` those of its gates.
    """
    last = snapshot.executions[-1]
    *_, production = environments
    now = in_service(aws, lineage, production, environments[production], commit)
    rollback = None
    if last.status == "Succeeded" and now.contains is False:
        rollback, replacement = _since(later, now)
    conclusion = conclude(
        snapshot.executions,
        in_service=now,
        answers=answers,
        canary=_canary_of(last, snapshot.canary),
        rollback=rollback,
        replacement=replacement,
    )
    return Outcome(
        ending=conclusion.ending,
        sentence=conclusion.sentence,
        gate=conclusion.gate,
        answers=answers,
        commit=commit,
        executions=snapshot.executions,
        canary=snapshot.canary,
        at=snapshot.at,
        wall=snapshot.wall,
        pace=snapshot.pace,
    )


def _since(later: Sequence[Execution], now: InService) -> tuple[Execution | None, Execution | None]:
    """Return which later execution brought what serves now: a rollback, or another release."""
    brought = [each for each in later if each.commit in now.commits]
    rollback = next((each for each in reversed(brought) if each.rollback), None)
    return rollback, next((each for each in brought if not each.rollback), None)


def _canary_of(last: Execution, canary: Canary | None) -> Canary | None:
    """Return the shift if it is in the stage that the execution ended in."""
    reached = [each.name for each in last.stages if each.started]
    return canary if canary and reached and canary.environment == reached[-1] else None
