"""Compare the counts of a shift so far with the platform's, as far as these have arrived."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.judge.arrival import ARRIVAL_BOUND, Arrivals
from pipeline.judge.shift import MINUTE
from pipeline.judge.testimony import BASELINE, WINDOW, Window, contradictions

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.judge.port import Deployment, Port
    from pipeline.judge.statistics.periods import Discrepancy


COMPARISON_DELAY = timedelta(minutes=3)
"""Time after a minute's end before its responses are compared, if all of its counts agree."""


def contradicted(
    port: Port,
    tolerance: float,
    deployment: Deployment,
    shift: tuple[datetime, datetime],
    now: datetime,
) -> tuple[Discrepancy, ...]:
    """Return what the platform contradicts at `now`, in a shift's minutes from its first to last.

    Requests are compared in minutes that ended `ARRIVAL_BOUND` ago: until then a source that
    counts fewer may only be late. Where all sources count the same requests, responses are
    compared sooner.
    """
    began, ends = shift
    found = _found(port, tolerance, deployment, began, min(ends, now - ARRIVAL_BOUND))
    if found:
        return found
    soon = min(ends, now - COMPARISON_DELAY)
    sooner = _found(port, tolerance, deployment, began, soon, without_late=True)
    return tuple(each for each in sooner if each.version is None)


def contradicted_so_far(
    port: Port,
    tolerance: float,
    deployment: Deployment,
    shift: tuple[datetime, datetime],
    now: datetime,
) -> bool:
    """Return whether the counts of a shift differ, be it only because some have not arrived."""
    began, ends = shift
    return bool(_found(port, tolerance, deployment, began, min(ends, now)))


def _found(
    port: Port,
    tolerance: float,
    deployment: Deployment,
    began: datetime,
    until: datetime,
    *,
    without_late: bool = False,
) -> tuple[Discrepancy, ...]:
    """What is contradicted in the minutes of a shift that ended before `until`.

    Minutes from the first one on for which Lambda's counts are lost are left out: what the
    platform does not count contradicts nobody.
    """
    first = began.replace(second=0, microsecond=0)
    end = until.replace(second=0, microsecond=0)
    begin = max(first, end - WINDOW)
    if begin >= end:
        return ()
    both = (deployment.stable, deployment.canary)
    window, before = (
        Window(
            port.seen(both, start - MINUTE, stop + MINUTE),
            port.gateway(start - MINUTE, stop + MINUTE),
            start,
            stop,
        )
        for start, stop in ((begin, end), (first - BASELINE, first))
    )
    arrivals = Arrivals(window.minutes, window.gateway, both)
    minute = begin
    while minute < end and not arrivals.lost(minute):
        if without_late and arrivals.late(minute):
            break
        minute += MINUTE
    known = Window(window.minutes, window.gateway, begin, minute)
    return contradictions(known, before, *both, tolerance) if minute > begin else ()
