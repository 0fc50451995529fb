"""The course of a release as an SVG for an incident report.

It has its own background, light or dark as the reader's system is, so that it is legible on any
page. It loads nothing and has no script.
"""

from __future__ import annotations

import textwrap
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from console.judge.axes import clock, per_cent, ticks
from console.judge.course import end, share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from console.judge.course import Course

_WIDTH, _LEFT, _RIGHT = 960, 72, 800
_HEADER, _SHARES, _EVIDENCE, _GAP = 66, 130, 190, 48
_SENTENCE_CHARACTERS, _NOTE_CHARACTERS = 110, 125  # characters of a line
_LINE = 18
_CHARACTER_WIDTH = 7  # its approximate width, in a font of 12 px
_TIMES = 10
_STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif }
.head { font-size: 20px; font-weight: 600 } .said { font-size: 14px } .name { font-weight: 600 }
.card { fill: #ffffff; stroke: #d1d9e0 } .ink { fill: #1f2328 } .dim { fill: #59636e }
path, line { fill: none; stroke-width: 2; stroke-linejoin: round }
.grid { stroke: #d1d9e0; stroke-width: 1 } .limit { stroke: #cf222e; stroke-dasharray: 6 4 }
.canary { stroke: #bc4c00 } .stable { stroke: #0969da } .evidence { stroke: #8250df }
.dot { fill: #cf222e } .t-limit { fill: #cf222e } .t-canary { fill: #bc4c00 }
.t-stable { fill: #0969da } .wash { fill: #8250df; opacity: 0.1 } .hit { fill: transparent }
@media (prefers-color-scheme: dark) {
.card { fill: #0d1117; stroke: #3d444d } .ink { fill: #f0f6fc } .dim { fill: #9198a1 }
.grid { stroke: #3d444d } .limit { stroke: #f85149 } .canary { stroke: #f0883e }
.stable { stroke: #58a6ff } .evidence { stroke: #bc8cff } .dot { fill: #f85149 }
.t-limit { fill: #f85149 } .t-canary { fill: #f0883e } .t-stable { fill: #58a6ff }
.wash { fill: #bc8cff } }
"""


def svg(course: Course) -> str:
    """Return the picture as the text of an SVG file."""
    said = textwrap.wrap(course.sentence, _SENTENCE_CHARACTERS)
    notes = [line for note in course.notes for line in textwrap.wrap(note, _NOTE_CHARACTERS)]
    top = _HEADER + _LINE * (len(said) - 1)
    body: list[str] = []
    for objective in course.objectives:
        panel = _Panel(course, top + _GAP, _SHARES, ticks(0.0, course.top_share(objective), 4))
        body += _shares(panel, objective)
        top = panel.bottom
    panel = _Panel(course, top + _GAP, _EVIDENCE, ticks(*course.range, 6))
    body += _evidence(panel)
    body += _times(panel)
    served = list(_served(panel))
    body += served
    top = panel.bottom + (2 if served else 1) * _LINE + 8
    body += _lines(notes, top + _LINE, "dim")
    height = top + _LINE * (len(notes) + 1)
    heading, sentence = escape(course.heading), escape(course.sentence)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img" aria-label="{heading}">',
            f"<title>{heading}</title>",
            f"<desc>{sentence}</desc>",
            f"<style>{_STYLE}</style>",
            f'<rect class="card" x="0.5" y="0.5" rx="8" width="{_WIDTH - 1}" '
            f'height="{height - 1}"/>',
            f'<text class="ink head" x="{_LEFT}" y="40">{heading}</text>',
            *_lines(said, _HEADER, "ink said"),
            *body,
            "</svg>\n",
        )
    )


class _Panel:
    """A rectangle with a horizontal time axis and a vertical scale."""

    def __init__(self, course: Course, top: int, height: int, scale: list[float]) -> None:
        self.course, self.top, self.bottom = course, top, top + height
        self._ticks = scale
        self._first = course.periods[0].start
        self._span = (course.points[-1][0] - self._first).total_seconds()

    def x(self, time: datetime) -> float:
        """Return the x coordinate of a time."""
        passed = (time - self._first).total_seconds()
        return round(_LEFT + (_RIGHT - _LEFT) * passed / self._span, 1)

    def y(self, value: float) -> float:
        """Return the y coordinate of a value."""
        up = (value - self._ticks[0]) / (self._ticks[-1] - self._ticks[0])
        return round(self.bottom - (self.bottom - self.top) * up, 1)

    def scale(self, words: Callable[[float], str]) -> Iterator[str]:
        """Return a thin line and a label for each tick."""
        for value in self._ticks:
            y = self.y(value)
            yield f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}"/>'
            yield _text(_LEFT - 8, y + 4, words(value), "dim", "end")


def _shares(panel: _Panel, objective: str) -> Iterator[str]:
    course = panel.course
    yield _text(_LEFT, panel.top - 12, f"{objective}, share of requests", "ink name")
    yield from panel.scale(per_cent)
    ends: list[tuple[float, str, str]] = []
    for kind, version, index in (("stable", course.stable, 1), ("canary", course.canary, 0)):
        path, last = "", None
        for each in course.periods:
            value = share(each.counts[objective][index])
            if value is None:
                last = None
                continue
            y = panel.y(value)
            path += f"{'M' if last is None else 'L'}{panel.x(each.start)} {y}H{panel.x(end(each))}"
            last = y
        if path:
            yield f'<path class="{kind}" d="{path}"/>'
            ends.append((last or panel.bottom, f"version {version} ({kind})", f"t-{kind}"))
    yield from _ends(ends)
    for each in course.periods:
        canary, stable = each.counts[objective]
        words = (
            f"{clock(each.start)}: canary {canary.failures:,} of {canary.requests:,}, "
            f"stable {stable.failures:,} of {stable.requests:,}"
        )
        yield _tooltip(panel, each.start, end(each), words)


def _ends(ends: list[tuple[float, str, str]]) -> Iterator[str]:
    """Return a label at the end of each line, with space between the labels."""
    ends.sort()
    below = -float(_LINE)
    for y, words, style in ends:
        below = max(y + 4, below + _LINE - 3)
        yield _text(_RIGHT + 8, below, words, f"{style} name")


def _evidence(panel: _Panel) -> Iterator[str]:
    course = panel.course
    yield _text(_LEFT, panel.top - 12, "evidence against the canary, log10", "ink name")
    yield from panel.scale(lambda value: f"{value:g}")
    points = [(panel.x(time), panel.y(value)) for time, value in course.points]
    path = "L".join(f"{x} {y}" for x, y in points)
    zero = panel.y(0)
    yield f'<path class="wash" d="M{points[0][0]} {zero}L{path}L{points[-1][0]} {zero}Z"/>'
    yield f'<path class="evidence" d="M{path}"/>'
    y = panel.y(course.line)
    yield f'<line class="limit" x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}"/>'
    yield _text(_RIGHT + 8, y + 4, f"rollback from {course.line:.3g}", "t-limit name")
    if course.crossed:
        time, value = course.crossed
        yield f'<circle class="dot" cx="{panel.x(time)}" cy="{panel.y(value)}" r="5"/>'
    for (before, _), (time, value) in pairwise(course.points):
        yield _tooltip(panel, before, time, f"{clock(time)}: evidence {value:.2f}")


def _times(panel: _Panel) -> Iterator[str]:
    for time in panel.course.times(_TIMES):
        yield _text(panel.x(time), panel.bottom + _LINE, clock(time), "dim", "middle")


def _served(panel: _Panel) -> Iterator[str]:
    """Yield the canary's failures and requests below the times, if there is space."""
    first = panel.course.objectives[0]
    said = [
        ((panel.x(each.start) + panel.x(end(each))) / 2, each.counts[first].canary)
        for each in panel.course.periods
    ]
    words = [f"{counts.failures:,} of {counts.requests:,}" for _, counts in said]
    if max(map(len, words)) * _CHARACTER_WIDTH > (_RIGHT - _LEFT) / len(words):
        return
    y = panel.bottom + 2 * _LINE
    yield _text(_LEFT - 8, y, "canary", "t-canary", "end")
    for (x, _), each in zip(said, words, strict=True):
        yield _text(round(x, 1), y, each, "t-canary", "middle")


def _lines(lines: Iterable[str], top: float, style: str) -> Iterator[str]:
    for index, line in enumerate(lines):
        yield _text(_LEFT, top + _LINE * index, line, style)


def _text(x: float, y: float, words: str, style: str, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def _tooltip(panel: _Panel, start: datetime, stop: datetime, words: str) -> str:
    left, right = panel.x(start), panel.x(stop)
    size = f'width="{right - left:.1f}" height="{panel.bottom - panel.top}"'
    rect = f'<rect class="hit" x="{left}" y="{panel.top}" {size}>'
    return f"{rect}<title>{escape(words)}</title></rect>"
