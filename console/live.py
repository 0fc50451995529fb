"""What is shown while it goes on, on a terminal; elsewhere its lines have to tell."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.live import Live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType


@contextmanager
def live(console: Console, render: Callable[[], RenderableType]) -> Iterator[None]:
    """Show what `render` makes, eight times a second, while the block runs; then wipe it out.

    Where the console is no terminal, nothing is shown.
    """
    if not console.is_terminal:
        yield
        return
    with Live(console=console, get_renderable=render, refresh_per_second=8, transient=True):
        yield
