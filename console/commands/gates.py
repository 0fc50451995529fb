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

_REFUSED = 4
_WIDTH = 120  # characters of a table that is no terminal's
_LOOK = 0.2  # seconds


@click.command("gates")
@click.argument("names", metavar="[NAME]…", nargs=-1, type=click.Choice(NAMES))
def command(names: tuple[str, ...]) -> int:
    """Run the gates of this checkout, all at once, as a release would.

    Without names, run all gates that need only the checkout. Also run those that need AWS, if AWS
    or the checkout's local cloud answers, and those that send requests, if URL is set to the
    address of a deployed environment. Each gate writes reports/NAME.json, reports/NAME.sarif with
    its findings, and reports/NAME.log.

    \b
    Exit codes: 0 every gate that was run passed, 1 an error, 2 usage, 4 one refused or could
    not run, 130 interrupted.
    """  # noqa: D301  # \b is click's own sign
    checkout = Checkout.here()
    gates, left = possible(dict(os.environ), aws=_connected(checkout))
    if names:
        gates, left = [each for each in GATES if each.name in names], []
    # Where a gate synthesises, it does so by the CLI that the pipeline has.
    cdk = toolchain.install(checkout.root / ".cache" / "cdk")
    began = time.monotonic()
    environment = {**os.environ, "PATH": cdk.path}
    with LocalGates(checkout.root, gates, environment) as running:
        screen = GatesScreen(running.runs)
        with screen.showing():
            while not running.wait(_LOOK):
                screen.show()
            screen.show()
    out = Console()
    (out if out.is_terminal else Console(width=_WIDTH)).print(
        summary(running.runs, time.monotonic() - began, left)
    )
    refused = [run.gate.name for run in running.runs if run.status == "refused"]
    for name in refused:
        click.echo(f"what {name} wrote: {running.log(name).relative_to(checkout.root)}")
    return _REFUSED if refused else 0


def _connected(checkout: Checkout) -> bool:
    """Connect this process to AWS or the local cloud; return whether it answers."""
    try:
        _, whom = connect(checkout)
    except (ConsoleError, BotoCoreError, ClientError) as error:
        click.echo(f"note: gates that need AWS are skipped: {error}", err=True)
        return False
    click.echo(whom, err=True)
    return True
