"""`pithead gates`."""

from __future__ import annotations

import os
import time

import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from console.aws.account import connect
from console.checkout import Checkout
from console.errors import ConsoleError
from console.local import toolchain
from console.local.gates import LocalGates, possible
from console.release.gates_screen import GatesScreen, summary
from pipeline.gates.report.catalogue import GATES, NAMES

_REFUSED_EXIT_CODE = 4
_FILE_WIDTH_CHARACTERS = 120
"""Width of the table if stdout is not a terminal."""
_POLL_INTERVAL_SECONDS = 0.2


@click.command("gates")
@click.argument("names", metavar="[NAME]…", nargs=-1, type=click.Choice(NAMES))
def command(names: tuple[str, ...]) -> int:
    """Run the gates of a release on this checkout, in parallel.

    Without names, the command runs all gates that need only the checkout. It also runs those that
    need AWS, if AWS or the checkout's local cloud answers, and those that send requests, if the
    variable URL is the address of a deployed environment. Each gate writes reports/NAME.json,
    reports/NAME.sarif with its findings, and reports/NAME.log.

    \b
    Exit codes:
      0    every gate that was run passed
      1    error
      2    wrong usage
      4    a gate refused or could not run
      130  interrupted
    """  # noqa: D301  # \b is click's own sign
    checkout = Checkout.here()
    gates, skipped = possible(dict(os.environ), aws=_connect(checkout))
    if names:
        gates, skipped = [each for each in GATES if each.name in names], []
    # A gate that synthesises uses the pipeline's version of the CLI.
    cdk = toolchain.install(checkout.root / ".cache" / "cdk")
    began = time.monotonic()
    variables = {**os.environ, "PATH": cdk.path}
    with LocalGates(checkout.root, gates, variables) as running:
        screen = GatesScreen(running.runs)
        with screen.showing():
            while not running.wait(_POLL_INTERVAL_SECONDS):
                screen.show()
            screen.show()
    out = Console()
    (out if out.is_terminal else Console(width=_FILE_WIDTH_CHARACTERS)).print(
        summary(running.runs, time.monotonic() - began, skipped)
    )
    refused = [run.gate.name for run in running.runs if run.status == "refused"]
    for name in refused:
        click.echo(f"log of {name}: {running.log(name).relative_to(checkout.root)}")
    return _REFUSED_EXIT_CODE if refused else 0


def _connect(checkout: Checkout) -> bool:
    """Connect this process to AWS or the local cloud; return whether that answers."""
    try:
        _, target = connect(checkout)
    except (ConsoleError, BotoCoreError, ClientError) as error:
        click.echo(f"note: gates that need AWS are skipped: {error}", err=True)
        return False
    click.echo(target, err=True)
    return True
