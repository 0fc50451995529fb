"""The screen of `pithead gates`: live or a line per gate, then a table."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from console.live import live
from console.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from console.local.gates import GateRun
    from pipeline.gates.report.catalogue import Gate

_MARKS = {
    "to come": "[dim]·[/]",
    "passed": "[green]✓[/]",
    "refused": "[red]✗[/]",
    "not run": "[yellow]![/]",
}

_NEEDS = {
    "URL": "give URL=…, an address that pithead status shows",
    "AWS": "it needs AWS, or a local cloud: pithead up --detach",
    "release": "it needs a release's artifacts: pithead release runs it",
}


class GatesScreen:
    """Shows the runs of gates on stderr."""

    def __init__(self, runs: Sequence[GateRun], console: Console | None = None) -> None:
        self._runs = runs
        self._console = console or Console(stderr=True)
        self._spinner = Spinner("dots", style="yellow")
        self._told: set[str] = set()

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show the runs while the block runs."""
        with live(self._console, self._render):
            yield

    def show(self) -> None:
        """Print the runs that have ended since the last call; do nothing on a terminal."""
        if self._console.is_terminal:
            return
        for run in self._runs:
            if run.ended and run.gate.name not in self._told:
                self._told.add(run.gate.name)
                self._console.print(
                    f"{_MARKS[run.status]} {run.gate.name} {run.status} after "
                    f"{duration(run.seconds)}",
                    highlight=False,
                )

    def _render(self) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        for run in self._runs:
            running = run.status == "running"
            passed = time.monotonic() - run.began if running else run.seconds
            grid.add_row(
                self._spinner if running else Text.from_markup(_MARKS[run.status]),
                run.gate.name,
                Text(duration(passed) if passed else "", "dim"),
            )
        return grid


def summary(runs: Sequence[GateRun], wall: float, left: Sequence[Gate]) -> Group:
    """Return the summary: a table with a row per gate, and the longest durations."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("", "gate"):
        table.add_column(name, no_wrap=True)
    for name in ("took", "findings", "waived"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("says")
    for run in runs:
        found = run.report
        table.add_row(
            _MARKS[run.status],
            run.gate.name,
            duration(run.seconds),
            str(found.findings) if found else "",
            str(found.waived) if found else "",
            escape(run.sentence),
        )
    for gate in left:
        table.add_row("[dim]·[/]", gate.name, "", "", "", f"[dim]not run: {_NEEDS[gate.needs]}[/]")
    return Group(table, Text(_time(runs, wall), "dim"))


def _time(runs: Sequence[GateRun], wall: float) -> str:
    slowest = max(runs, key=lambda run: run.seconds)
    told = f"{duration(wall)} in all, {duration(slowest.seconds)} of it {slowest.gate.name}"
    parts = sorted(
        ((seconds, f"{run.gate.name}/{tool}") for run in runs if run.report
         for tool, seconds in run.report.tools.items()), reverse=True,
    )  # fmt: skip
    longest = ", ".join(f"{name} {duration(seconds)}" for seconds, name in parts[:4])
    return f"{told}; the longest parts: {longest}" if longest else told
