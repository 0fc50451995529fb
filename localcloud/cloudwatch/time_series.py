"""Time series and functions of one series ("Functions supported for metric math")."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localcloud.cloudwatch.model import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Values = Mapping[int, float]
    """By cloud second, in order of time."""


@dataclass(frozen=True)
class TimeSeries:
    """Values by cloud second in order of time, `period` seconds apart or a multiple."""

    id: str
    label: str
    period: int
    values: Values = field(default_factory=dict)


def repeated(values: Values, grid: Iterable[int]) -> dict[int, float]:
    """Fill each missing value with the last value before it."""
    times = sorted(values)
    places = ((time, bisect_right(times, time)) for time in grid)
    return {time: values[times[place - 1]] for time, place in places if place}


def interpolated(values: Values, grid: Iterable[int]) -> dict[int, float]:
    """Fill missing values by linear interpolation; do not fill at the ends."""
    times = sorted(values)
    result = dict(values)
    for time in grid:
        place = bisect_left(times, time)
        if time not in values and 0 < place < len(times):
            before, after = times[place - 1], times[place]
            rise = (values[after] - values[before]) / (after - before)
            result[time] = values[before] + rise * (time - before)
    return result


def differences(values: Values, compute: Callable[[float, float], float]) -> dict[int, float]:
    """Apply `compute` to each step's difference of values and of seconds."""
    times = sorted(values)
    return {
        time: compute(values[time] - values[before], time - before)
        for before, time in itertools.pairwise(times)
    }


def running_sum(values: Values) -> dict[int, float]:
    """Return the cumulative sums."""
    total = 0.0
    return {time: (total := total + values[time]) for time in sorted(values)}


CALENDAR: dict[str, Callable[[int], float]] = {
    "MINUTE": lambda time: moment(time).minute,
    "HOUR": lambda time: moment(time).hour,
    "DAY": lambda time: moment(time).isoweekday(),
    "DATE": lambda time: moment(time).day,
    "MONTH": lambda time: moment(time).month,
    "YEAR": lambda time: moment(time).year,
    "EPOCH": float,
}
