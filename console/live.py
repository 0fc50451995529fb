"""A display on the terminal that is refreshed while work is in progress."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.live import Live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

_REFRESHES_PER_SECOND = 8


@contextmanager
def live(console: Console, render: Callable[[], RenderableType]) -> Iterator[None]:
    """Show what `render` returns while the block runs, then erase it.

    Shows nothing if the console is not a terminal.
    """
    if not console.is_terminal:
        yield
        return
    with Live(
        console=console,
        get_renderable=render,
        refresh_per_second=_REFRESHES_PER_SECOND,
        transient=True,
    ):
        yield
