"""Progress of long steps: a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Iterator


class Steps:
    """Prints steps to stderr, so that stdout holds only results."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a step while its block runs, then how long it took."""
        began = time.monotonic()
        if self._console.is_terminal:
            columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
            with Progress(*columns, console=self._console, transient=True) as progress:
                progress.add_task(title, total=None)
                yield
        else:
            self._console.print(f"  {title} …", highlight=False)
            yield
        took = time.monotonic() - began
        self._console.print(f"[green]✓[/] {title} [dim]{took:.1f} s[/]", highlight=False)

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line, highlight=False, markup=False)
