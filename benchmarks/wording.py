"""Cells, shares and lists in words and Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.cells import Cell

_FEW = 0.1


def describe(cell: Cell) -> str:
    """A cell in words."""
    said = f"{cell.scenario}, {cell.requests_per_second} rps, canary {percent(cell.canary)}"
    return f"{said}, {rates(cell)}"


def rates(cell: Cell) -> str:
    """How often requests go wrong on the stable version, and on the canary."""
    if cell.is_healthy:
        return percent(cell.base)
    slow = ", each slower by that factor" if cell.scenario == "latency" else ""
    return f"{percent(cell.base)} → {percent(cell.worse)} ({cell.factor:g} times{slow})"


def percent(share: float) -> str:
    """A share, to two or three figures."""
    return f"{figures(share)} %"


def figures(share: float) -> str:
    """A share in percent without the sign."""
    return f"{100 * share:.{2 if share < _FEW else 3}g}"


def table(rows: list[list[str]]) -> str:
    """A Markdown table; the second row says how columns are aligned."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def listed(lines: list[str]) -> list[str]:
    """A Markdown list, or nothing."""
    return ["\n".join(f"- {line}" for line in lines)] if lines else []
