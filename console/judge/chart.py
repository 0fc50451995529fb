"""A line chart for the terminal, drawn with braille dots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

_WIDE, _HIGH = 2, 4  # dots of a cell
# Bit of a braille character by column and row ("Unicode, Braille Patterns").
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE = 0x2800
_LABEL_CHARACTERS = 9  # characters for the y axis's labels
_MAX_WIDTH = 120


@dataclass(frozen=True)
class Series:
    """A line through points (x, y), left to right; a y of None is a gap."""

    points: tuple[tuple[float, float | None], ...]
    style: str


@dataclass(frozen=True)
class Level:
    """A dashed horizontal line."""

    y: float
    style: str


@dataclass(frozen=True)
class Mark:
    """A disc on top of everything else."""

    x: float
    y: float
    style: str


@dataclass(frozen=True)
class Chart:
    """A renderable of rich, as wide as allowed; later series cover earlier ones."""

    title: Text
    series: Sequence[Series]
    ticks: Sequence[float]
    """Ticks of the y axis, ascending, from bottom to top."""
    y_words: Callable[[float], str]
    x_ticks: Sequence[tuple[float, str]] = ()
    """Labels of the x axis by position; labels that would touch are omitted."""
    level: Level | None = None
    mark: Mark | None = None
    height: int = 8

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield title, rows from the top down, x axis and its labels."""
        width = max(20, min(options.max_width, _MAX_WIDTH) - _LABEL_CHARACTERS - 2)
        cells = self._cells(width)
        words = {self._row(y): self.y_words(y) for y in self.ticks}
        yield self.title
        for row in range(self.height):
            axis = f"{words.get(row, ''):>{_LABEL_CHARACTERS}} {'┤' if row in words else '│'}"
            yield Segment(axis, Style(dim=True))
            yield from self._line(console, cells, row, width)
            yield Segment.line()
        yield Segment(" " * (_LABEL_CHARACTERS + 1) + "└" + "─" * width, Style(dim=True))
        yield Segment.line()
        if self.x_ticks:
            yield Segment(" " * (_LABEL_CHARACTERS + 2) + self._below(width), Style(dim=True))
            yield Segment.line()

    def _line(
        self, console: Console, cells: dict[tuple[int, int], tuple[int, str]], row: int, width: int
    ) -> Iterator[Segment]:
        mark, level = self.mark, self.level
        marked = (self._column(mark.x, width) // _WIDE, self._row(mark.y)) if mark else None
        for column in range(width):
            bits, style = cells.get((column, row), (0, ""))
            if mark and marked == (column, row):
                yield Segment("●", console.get_style(mark.style))
            elif bits:
                yield Segment(chr(_BRAILLE | bits), console.get_style(style))
            elif level and self._row(level.y) == row:
                yield Segment("╌", console.get_style(level.style))
            else:
                yield Segment(" ")

    def _cells(self, width: int) -> dict[tuple[int, int], tuple[int, str]]:
        """Return bits and style by column and row, for the cells with dots."""
        cells: dict[tuple[int, int], tuple[int, str]] = {}
        for series in self.series:
            for x, y in self._dots(series, width):
                cell = (x // _WIDE, y // _HIGH)
                bits = cells.get(cell, (0, ""))[0] | _BITS[x % _WIDE][y % _HIGH]
                cells[cell] = (bits, series.style)
        return cells

    def _dots(self, series: Series, width: int) -> Iterator[tuple[int, int]]:
        before: tuple[int, int] | None = None
        for x, y in series.points:
            if y is None:
                before = None
                continue
            dot = (self._column(x, width), self._dot(y))
            if before is None:
                yield dot
            else:
                steps = max(abs(dot[0] - before[0]), abs(dot[1] - before[1]), 1)
                for step in range(steps + 1):
                    yield (
                        before[0] + round((dot[0] - before[0]) * step / steps),
                        before[1] + round((dot[1] - before[1]) * step / steps),
                    )
            before = dot

    def _column(self, x: float, width: int) -> int:
        places = [place for series in self.series for place, _ in series.points]
        first, last = min(places), max(places)
        return round((x - first) / ((last - first) or 1) * (_WIDE * width - 1))

    def _dot(self, y: float) -> int:
        up = (y - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])
        return round((1 - up) * (_HIGH * self.height - 1))

    def _row(self, y: float) -> int:
        return self._dot(y) // _HIGH

    def _below(self, width: int) -> str:
        line = [" "] * width
        free = 0
        for x, words in self.x_ticks:
            centred = self._column(x, width) // _WIDE - len(words) // 2
            column = min(max(centred, 0), width - len(words))
            if column < free:
                continue
            line[column : column + len(words)] = words
            free = column + len(words) + 1
        return "".join(line).rstrip()
