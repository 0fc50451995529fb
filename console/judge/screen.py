"""The course of a release in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.text import Text

from console.judge.axes import clock, per_cent, ticks
from console.judge.chart import Chart, Level, Mark, Series
from console.judge.course import end, share

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rich.console import Console, RenderableType

    from console.judge.course import Course

_CANARY, _STABLE, _EVIDENCE, _LINE = "yellow", "cyan", "magenta", "red"
_TIMES = 8


def say(console: Console, markup: str) -> None:
    """Print a sentence: wrapped between words on a terminal, one line elsewhere."""
    console.print(markup, highlight=False, soft_wrap=not console.is_terminal)


def drawn(course: Course) -> RenderableType:
    """Return charts of both versions' shares of bad requests, and of the evidence."""
    return Group(*(_shares(course, each) for each in course.objectives), _evidence(course))


def _shares(course: Course, objective: str) -> Chart:
    title = Text.from_markup(
        f"[bold]{escape(objective)}, share of requests[/]   "
        f"[{_CANARY}]━━ version {escape(course.canary)} (canary)[/]   "
        f"[{_STABLE}]━━ version {escape(course.stable)} (stable)[/]"
    )
    return Chart(
        title=title,
        series=(
            Series(tuple(_steps(course, objective, canary=False)), _STABLE),
            Series(tuple(_steps(course, objective, canary=True)), _CANARY),
        ),
        ticks=ticks(0.0, course.top_share(objective), 4),
        y_words=per_cent,
        height=6,
    )


def _steps(course: Course, objective: str, *, canary: bool) -> Iterator[tuple[float, float | None]]:
    """Return a step line: a share applies to its whole period."""
    for each in course.periods:
        pair = each.counts[objective]
        value = share(pair.canary if canary else pair.stable)
        yield _x(course, each.start), value
        yield _x(course, end(each)), value


def _evidence(course: Course) -> Chart:
    crossed = course.crossed
    return Chart(
        title=Text.from_markup(
            f"[bold]evidence against the canary, log10[/]   "
            f"[{_LINE}]╌╌ rollback from {course.line:.3g}[/]"
        ),
        series=(Series(tuple((_x(course, at), each) for at, each in course.points), _EVIDENCE),),
        ticks=ticks(*course.range, 5),
        y_words=lambda value: f"{value:g}",
        x_ticks=[(_x(course, time), clock(time)) for time in course.times(_TIMES)],
        level=Level(course.line, _LINE),
        mark=Mark(_x(course, crossed[0]), crossed[1], _LINE) if crossed else None,
        height=10,
    )


def _x(course: Course, time: datetime) -> float:
    return (time - course.periods[0].start).total_seconds()
