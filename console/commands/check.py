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
    """Validate the environment files and the pipeline's settings.

    The files are environments/*.toml and [tool.pithead] of pyproject.toml; synthesis validates
    them in the same way. Prints one line for each error: file, key, what was found and what is
    allowed. A file in environments/ that nothing reads is an error, and so is an attested gate
    that does not exist.

    \b
    Exit codes:
      0  valid
      1  error
      2  wrong usage
    """  # noqa: D301  # \b is click's own sign
    root = Checkout.here().root
    folder = root / "environments"
    errors: list[str] = []
    reads: list[Callable[[], object]] = [
        *(partial(load, name, folder) for name in NAMES),
        partial(load_home, root),
        partial(load_all, folder),
    ]
    for read in reads:
        try:
            read()
        except EnvironmentFileError as error:
            errors.append(str(error))
    errors += _unread_files(folder)
    errors += _unknown_gates(root)
    errors = list(dict.fromkeys(errors))
    if errors:
        raise ConsoleError("\npithead: ".join(errors))
    click.echo(f"{', '.join(NAMES)} and the pipeline's settings are valid")


def _unread_files(folder: Path) -> list[str]:
    """Return an error for each file of a folder that nothing reads."""
    files = ", ".join(f"{name}.toml" for name in NAMES)
    return [
        f"environments/{path.relative_to(folder).as_posix()}: found a file that nothing reads; "
        f"allowed are {files}. Rename it to one of them, or remove it"
        for path in unread(folder)
    ]


def _unknown_gates(root: Path) -> list[str]:
    """Return an error for each attested gate that is not in the catalogue."""
    try:
        attested = load_home(root).supply_chain.attested_gates
    except EnvironmentFileError:
        return []  # reported already
    return [
        f"pyproject.toml: tool.pithead.supply-chain.attested_gates: found {each!r}; allowed are "
        f"{', '.join(catalogue.NAMES)}. Correct the name, or add the gate to "
        "pipeline/gates/report/catalogue.py"
        for each in attested
        if each not in catalogue.NAMES
    ]
