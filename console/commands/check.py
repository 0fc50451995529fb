"""`pithead check`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from console.checkout import Checkout
from console.errors import ConsoleError
from environments.schema import NAMES, EnvironmentFileError, load, load_all, load_home

if TYPE_CHECKING:
    from collections.abc import Callable


@click.command("check")
def command() -> None:
    """Check the environment files and the pipeline's home, as synthesis does.

    Of every file that is wrong one line says which key, what was found and what is allowed.
    """
    root = Checkout.here().root
    folder = root / "environments"
    wrong: list[str] = []
    reads: list[Callable[[], object]] = [
        *(partial(load, name, folder) for name in NAMES),
        partial(load_home, root),
        partial(load_all, folder),
    ]
    for read in reads:
        try:
            read()
        except EnvironmentFileError as error:
            wrong.append(str(error))
    wrong = list(dict.fromkeys(wrong))
    if wrong:
        raise ConsoleError("\npithead: ".join(wrong))
    click.echo(f"{', '.join(NAMES)} and the pipeline's home are valid")
