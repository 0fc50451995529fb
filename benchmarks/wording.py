"""Format cells, shares and lists as text and Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.cells import Cell

_MAX_TWO_DIGIT_SHARE = 0.1


def describe(cell: Cell) -> str:
    """Return a cell as text."""
    said = f"{cell.scenario}, {cell.requests_per_second} rps, canary {percent(cell.canary)}"
    return f"{said}, {rates(cell)}"


def rates(cell: Cell) -> str:
    """Return the shares of bad requests of the stable version and of the canary."""
    if cell.is_healthy:
        return percent(cell.base)
    slow = ", each slower by that factor" if cell.scenario == "latency" else ""
    return f"{percent(cell.base)} → {percent(cell.worse)} ({cell.factor:g} times{slow})"


def percent(share: float) -> str:
    """Return a share in per cent with two or three digits."""
    return f"{figures(share)} %"


def figures(share: float) -> str:
    """Return a share in per cent without the sign."""
    return f"{100 * share:.{2 if share < _MAX_TWO_DIGIT_SHARE else 3}g}"


def table(rows: list[list[str]]) -> str:
    """Return a Markdown table; the second row contains the alignment of the columns."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def listed(lines: list[str]) -> list[str]:
    """Return a Markdown list, or nothing."""
    return ["\n".join(f"- {line}" for line in lines)] if lines else []
