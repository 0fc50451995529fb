"""`pithead env`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from console.checkout import Checkout
from console.errors import ConsoleError
from console.local import local_cloud


@click.command("env")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="State folder of the local cloud; default: the checkout's own, or its rehearsal's.",
)
def command(state: Path | None) -> None:
    """Print the exports that point any AWS client at the local cloud.

    \b
    To use them in a shell:
      eval "$(pithead env)"

    The access key is the number of the pipeline's account; an account's twelve digits are the
    access key of its administrator. The secret key is random for each state folder; keep it
    private.
    """  # noqa: D301  # \b is click's own sign
    checkout = Checkout.here()
    home = checkout.home()
    running = local_cloud.find(*([state.resolve()] if state else checkout.states))
    if running is None:
        raise ConsoleError("no local cloud runs here; start one by pithead up --detach")
    variables = running.variables(home.account, home.region)
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    unset = (name for name in local_cloud.foreign(os.environ) if name not in variables)
    click.echo(f"unset {' '.join(map(shlex.quote, unset))}")
