"""The outcome of an ended release, by what serves the last environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.release.containment import containment
from console.release.promotion import Outcome, conclude

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.aws.account import Aws, Place
    from console.lineage import Lineage
    from console.release.canary import Canary
    from console.release.containment import Containment
    from console.release.executions import Execution
    from console.release.snapshot import Snapshot
    from pipeline.gates.report.gate_report import GateReport


def read_outcome(
    aws: Aws,
    lineage: Lineage,
    environments: Mapping[str, Place],
    commit: str,
    snapshot: Snapshot,
    *,
    later: Sequence[Execution],
    replacement: Execution | None,
    reports: tuple[GateReport, ...],
) -> Outcome:
    """Read the outcome of the release in a snapshot.

    Args:
        aws: a source of clients.
        lineage: the order of commits.
        environments: account and region by name, in the order of promotion.
        commit: the released commit.
        snapshot: its last execution has ended.
        later: the executions that started after it.
        replacement: an execution that superseded it with a commit that lacks this one.
        reports: those of its gates.
    """
    last = snapshot.executions[-1]
    *_, production = environments
    now = containment(aws, lineage, production, environments[production], commit)
    rollback = None
    if last.status == "Succeeded" and now.contains is False:
        rollback, replacement = _cause(later, now)
    conclusion = conclude(
        snapshot.executions,
        in_service=now,
        reports=reports,
        canary=_canary_of(last, snapshot.canary),
        rollback=rollback,
        replacement=replacement,
    )
    return Outcome(
        ending=conclusion.ending,
        sentence=conclusion.sentence,
        gate=conclusion.gate,
        reports=reports,
        commit=commit,
        executions=snapshot.executions,
        canary=snapshot.canary,
        at=snapshot.at,
        wall=snapshot.wall,
        pace=snapshot.pace,
    )


def _cause(
    later: Sequence[Execution], now: Containment
) -> tuple[Execution | None, Execution | None]:
    """Return the later execution that released what serves: a rollback or a release."""
    candidates = [each for each in later if each.commit in now.commits]
    rollback = next((each for each in reversed(candidates) if each.rollback), None)
    return rollback, next((each for each in candidates if not each.rollback), None)


def _canary_of(last: Execution, canary: Canary | None) -> Canary | None:
    """Return the shift if it is in the last stage that the execution reached."""
    reached = [each.name for each in last.stages if each.started]
    return canary if canary and reached and canary.environment == reached[-1] else None
