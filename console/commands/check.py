"""`pithead check`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from console.checkout import Checkout
from console.errors import ConsoleError
from environments.schema import NAMES, EnvironmentFileError, load, load_all, load_home, unread
from pipeline.gates.report import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@click.command("check")
def command() -> None:
    """Check the environment files and the pipeline's home, as synthesis does.

    Prints one line for each error: file, key, what was found and what is allowed. Errors include a
    file in environments/ that nothing reads, and an attested gate that does not exist.
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
    wrong += _unread(folder)
    wrong += _unknown_gates(root)
    wrong = list(dict.fromkeys(wrong))
    if wrong:
        raise ConsoleError("\npithead: ".join(wrong))
    click.echo(f"{', '.join(NAMES)} and the pipeline's home are valid")


def _unread(folder: Path) -> list[str]:
    files = ", ".join(f"{name}.toml" for name in NAMES)
    return [
        f"environments/{path.relative_to(folder).as_posix()}: found a file that nothing reads; "
        f"allowed are {files}. Rename it to one of them, or remove it"
        for path in unread(folder)
    ]


def _unknown_gates(root: Path) -> list[str]:
    """Errors for attested gates that are not in the catalogue."""
    try:
        attested = load_home(root).supply_chain.attested_gates
    except EnvironmentFileError:
        return []  # which is one of the lines already
    return [
        f"pyproject.toml: tool.pithead.supply-chain.attested_gates: found {each!r}; allowed are "
        f"{', '.join(catalogue.NAMES)}. Correct the name, or add the gate to "
        "pipeline/gates/report/catalogue.py"
        for each in attested
        if each not in catalogue.NAMES
    ]
