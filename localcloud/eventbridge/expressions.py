"""Parse schedule expressions: `rate(…)`, AWS's `cron(…)`, and Scheduler's `at(…)`.

Source: "Schedule expressions" in the EventBridge user guide. Times are cloud time in seconds since
the epoch.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = {name: number for number, name in enumerate(
    ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), 1
)}  # fmt: skip
_DAYS = {name: number for number, name in enumerate(
    ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1
)}  # fmt: skip
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_FIELDS = 6


class ExpressionError(ValueError):
    """AWS would reject the expression."""


class Expression(Protocol):
    """A series of due times."""

    def after(self, time: float) -> float | None:
        """Return the first due time after `time`; None if there is none."""
        ...


@dataclass(frozen=True)
class Rate:
    """Due every `seconds` after `origin`, but not at `origin` itself."""

    seconds: int
    origin: float

    def after(self, time: float) -> float:
        """See `Expression.after`."""
        passed = max(0, int((time - self.origin) // self.seconds))
        due = self.origin + (passed + 1) * self.seconds
        return due if due > time else due + self.seconds


@dataclass(frozen=True)
class At:
    """Due once."""

    time: float

    def after(self, time: float) -> float | None:
        """See `Expression.after`."""
        return self.time if self.time > time else None


class Cron:
    """Due at the minutes of six cron fields, in a time zone.

    A local time that a change of daylight saving time skips is not due, and a repeated one is due
    once.
    """

    def __init__(self, text: str, zone: tzinfo = UTC) -> None:
        fields = text.split()
        if len(fields) != _FIELDS:
            raise ExpressionError(f"cron has {len(fields)} fields, not six")
        minutes, hours, days, months, weekdays, years = fields
        if (days == "?") == (weekdays == "?"):
            raise ExpressionError("one of day-of-month and day-of-week must be ?")
        self._zone = zone
        self._minutes = _values(minutes, 0, 59)
        self._hours = _values(hours, 0, 23)
        self._months = _values(months, 1, 12, _MONTHS)
        self._years = _values(years, _FIRST_YEAR, _LAST_YEAR)
        self._days = _days(days) if weekdays == "?" else _weekdays(weekdays)

    def after(self, time: float) -> float | None:
        """See `Expression.after`."""
        local = datetime.fromtimestamp(time, self._zone).replace(tzinfo=None)
        # When the clock goes back an hour, local times repeat.
        for moment in self._moments(local - timedelta(hours=2)):
            aware = moment.replace(tzinfo=self._zone)
            due = aware.timestamp()
            shown = datetime.fromtimestamp(due, self._zone).replace(tzinfo=None)
            if due > time and shown == moment:
                return due
        return None

    def _moments(self, start: datetime) -> Iterator[datetime]:
        for day in self._dates(start.date()):
            for hour in self._hours:
                for minute in self._minutes:
                    moment = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001  # in the zone of the schedule
                    if moment > start:
                        yield moment

    def _dates(self, start: date) -> Iterator[date]:
        for year in self._years:
            if year < start.year:
                continue
            for month in self._months:
                if (year, month) < (start.year, start.month):
                    continue
                for day in self._days(year, month):
                    found = date(year, month, day)
                    if found >= start:
                        yield found


def parse(text: str, origin: float = 0.0, zone: tzinfo | None = None) -> Expression:
    """Parse an expression.

    `origin` is the start of a rate. `at` is only valid with a `zone`.

    Raises:
        ExpressionError: AWS would reject the expression.
    """
    found = re.fullmatch(r"(rate|cron|at)\((.+)\)", text)
    if found is None:
        raise ExpressionError("it is not rate(…), cron(…) or at(…)")
    kind, inner = found.groups()
    if kind == "rate":
        return _rate(inner, origin)
    if kind == "cron":
        return Cron(inner, zone or UTC)
    if zone is None:
        raise ExpressionError("a rule cannot have at(…); use Scheduler")
    try:
        moment = datetime.strptime(inner, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone)
    except ValueError as error:
        raise ExpressionError("at(…) takes yyyy-mm-ddThh:mm:ss") from error
    return At(moment.timestamp())


def _rate(text: str, origin: float) -> Rate:
    found = re.fullmatch(r"(\d+) (minute|hour|day)(s?)", text)
    if found is None or int(found[1]) < 1:
        raise ExpressionError("rate(…) takes a positive number and minutes, hours or days")
    if (int(found[1]) == 1) == bool(found[3]):
        raise ExpressionError("the unit is singular for 1, and plural otherwise")
    return Rate(int(found[1]) * _UNITS[found[2]], origin)


def _values(text: str, low: int, high: int, names: dict[str, int] | None = None) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and (not step.isdigit() or int(step) < 1):
            raise ExpressionError(f"{part} has no step")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = low, high
        else:
            begin = _number(first, names or {})
            end = _number(last, names or {}) if dash else (high if slash else begin)
        if not low <= begin <= end <= high:
            raise ExpressionError(f"{part} is not within {low} to {high}")
        found.update(range(begin, end + 1, int(step or 1)))
    return tuple(sorted(found))


def _number(text: str, names: dict[str, int]) -> int:
    if text.isdigit():
        return int(text)
    if text.upper() in names:
        return names[text.upper()]
    raise ExpressionError(f"{text or 'nothing'} is not a valid value")


def _days(text: str) -> Callable[[int, int], list[int]]:
    """Return a function of the due days of a month, by day-of-month."""
    if text == "L":
        return lambda year, month: [_length(year, month)]
    if text == "LW":
        return lambda year, month: [_nearest(year, month, _length(year, month))]
    near = re.fullmatch(r"(\d{1,2})W", text)
    if near:
        [wanted] = _values(near[1], 1, 31)
        return lambda year, month: (
            [_nearest(year, month, wanted)] if wanted <= _length(year, month) else []
        )
    values = _values(text, 1, 31)
    return lambda year, month: [day for day in values if day <= _length(year, month)]


def _weekdays(text: str) -> Callable[[int, int], list[int]]:
    """Return a function of the due days of a month, by day-of-week (1 is Sunday)."""
    last = re.fullmatch(r"(\w+)L", text)
    if last:
        [wanted] = _values(last[1], 1, 7, _DAYS)
        return lambda year, month: [_days_on(year, month, {wanted})[-1]]
    which = re.fullmatch(r"(\w+)#([1-5])", text)
    if which:
        [wanted] = _values(which[1], 1, 7, _DAYS)
        place = int(which[2]) - 1
        return lambda year, month: _days_on(year, month, {wanted})[place : place + 1]
    # L alone is the last day of the week.
    values = set(_values("7" if text == "L" else text, 1, 7, _DAYS))
    return lambda year, month: _days_on(year, month, values)


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _days_on(year: int, month: int, weekdays: set[int]) -> list[int]:
    days = range(1, _length(year, month) + 1)
    return [day for day in days if date(year, month, day).isoweekday() % 7 + 1 in weekdays]


def _nearest(year: int, month: int, day: int) -> int:
    """Return the weekday nearest to a day, in the same month."""
    weekday = date(year, month, day).isoweekday()
    if weekday == 6:  # noqa: PLR2004  # Saturday
        return day - 1 if day > 1 else day + 2
    if weekday == 7:  # noqa: PLR2004  # Sunday
        return day + 1 if day < _length(year, month) else day - 2
    return day
