"""Choose the minutes of a shift whose counts are compared with the platform's."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.judge.arrival import ARRIVAL_BOUND, Arrivals
from pipeline.judge.discrepancies import (
    BASELINE_TIME,
    WINDOW_TIME,
    Window,
    find_discrepancies,
)
from pipeline.judge.shift import MINUTE

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.judge.port import Deployment, Port
    from pipeline.judge.statistics.periods import Discrepancy


COMPARISON_DELAY = timedelta(minutes=3)
"""Time after a minute's end before its responses are compared, if all counts of requests agree."""


def discrepancies_of(
    port: Port,
    tolerance: float,
    deployment: Deployment,
    shift: tuple[datetime, datetime],
    now: datetime,
) -> tuple[Discrepancy, ...]:
    """Return the discrepancies of a shift that are certain at `now`.

    Requests are compared in minutes that ended `ARRIVAL_BOUND` ago: until then, a lower count may
    only be late. Responses are compared after `COMPARISON_DELAY` in minutes in which all sources
    count the same requests.

    Args:
        port: the source of the counts.
        tolerance: see `find_discrepancies`.
        deployment: the deployment whose versions are compared.
        shift: start and end of the shift.
        now: the time by AWS's clock.
    """
    began, ends = shift
    found = _found(port, tolerance, deployment, began, min(ends, now - ARRIVAL_BOUND))
    if found:
        return found
    soon = min(ends, now - COMPARISON_DELAY)
    sooner = _found(port, tolerance, deployment, began, soon, without_late=True)
    return tuple(each for each in sooner if each.version is None)


def has_differences(
    port: Port,
    tolerance: float,
    deployment: Deployment,
    shift: tuple[datetime, datetime],
    now: datetime,
) -> bool:
    """Return whether the counts of a shift differ, even if only because some are late."""
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
    """Return the discrepancies in the minutes of a shift that ended before `until`.

    The comparison ends at the first minute for which Lambda's counts are lost; `without_late`
    ends it at the first late one.
    """
    first = began.replace(second=0, microsecond=0)
    end = until.replace(second=0, microsecond=0)
    begin = max(first, end - WINDOW_TIME)
    if begin >= end:
        return ()
    both = (deployment.stable, deployment.canary)
    window, before = (
        Window(
            port.version_counts(both, start - MINUTE, stop + MINUTE),
            port.stage_counts(start - MINUTE, stop + MINUTE),
            start,
            stop,
        )
        for start, stop in ((begin, end), (first - BASELINE_TIME, first))
    )
    arrivals = Arrivals(window.minutes, window.stage_minutes, both)
    minute = begin
    while minute < end and not arrivals.lost(minute):
        if without_late and arrivals.late(minute):
            break
        minute += MINUTE
    known = Window(window.minutes, window.stage_minutes, begin, minute)
    return find_discrepancies(known, before, *both, tolerance) if minute > begin else ()
