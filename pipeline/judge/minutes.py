"""Decide which minutes of a shift are complete enough to enter the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.judge.arrival import ARRIVAL_BOUND, SETTLED, Arrivals
from pipeline.judge.period import period_of
from pipeline.judge.port import EvaluationError
from pipeline.judge.shift import MINUTE

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.judge.arrival import Source
    from pipeline.judge.port import Deployment, Port, VersionCounts
    from pipeline.judge.statistics.periods import Parameters, Period


@dataclass(frozen=True)
class NewMinutes:
    """The minutes that the record does not contain yet, by state."""

    complete: tuple[Period, ...] = ()
    """Minutes that enter the evidence now."""
    late: tuple[datetime, ...] = ()
    """Settled minutes whose counts are incomplete."""
    open: tuple[datetime, ...] = ()
    """Minutes that have not settled; and minutes without a request that follow minutes with
    requests, because their metrics may be late."""
    sources: tuple[Source, ...] = ()
    """The sources that the late minutes wait for."""


def new_minutes(
    port: Port,
    parameters: Parameters,
    deployment: Deployment,
    known: tuple[Period, ...],
    minutes: tuple[datetime, ...],
    now: datetime,
) -> NewMinutes:
    """Read the counts of the minutes that are not `known`, and classify these minutes.

    Raises:
        EvaluationError: the clock went backwards, or AWS does not return the counts.
    """
    starts = {each.start for each in known}
    if starts and now < max(starts) + MINUTE:
        raise EvaluationError(
            f"it is {now.isoformat()}, but the minute of {max(starts).isoformat()} is already in "
            "the record: the clock went backwards"
        )
    missing = [each for each in minutes if each not in starts]
    settled = [each for each in missing if each + MINUTE + SETTLED <= now]
    if not settled:
        return NewMinutes(open=tuple(missing))
    both = (deployment.stable, deployment.canary)
    end = now.replace(second=0, microsecond=0)
    counts = port.version_counts(both, settled[0], end)
    arrivals = Arrivals(counts, port.stage_counts(settled[0], end), both)
    late = tuple(
        each
        for each in settled
        if arrivals.lost(each) or (now < each + MINUTE + ARRIVAL_BOUND and arrivals.late(each))
    )
    served = {*starts, *(each for each in settled if arrivals.has_requests(each))}
    empty = [
        each
        for each in settled
        if each not in served
        and now < each + MINUTE + ARRIVAL_BOUND
        and served
        and each > min(served)
    ]
    return NewMinutes(
        tuple(
            period_of(each, counts[each], deployment, parameters)
            for each in settled
            if each not in late and any(map(_has_requests, counts.get(each, {}).values()))
        ),
        late,
        (*(each for each in missing if each not in settled), *empty),
        tuple(sorted({source for each in late for source in arrivals.late(each)})),
    )


def _has_requests(counts: VersionCounts) -> bool:
    return bool(counts.requests or counts.errors)
