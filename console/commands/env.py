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
    help="State folder of the local cloud; default: .pithead of the checkout, or "
    ".pithead/rehearsal if only a rehearsal runs.",
)
def command(state: Path | None) -> None:
    """Print the variables that direct AWS clients to the local cloud.

    \b
    To set them in a shell:
      eval "$(pithead env)"

    The access key is the id of the pipeline's account: in the local cloud, an account's id is the
    access key of its administrator. The secret key is random for each state folder; keep it
    private.
    """  # noqa: D301  # \b is click's own sign
    checkout = Checkout.here()
    home = checkout.home()
    states = [state.resolve()] if state else checkout.states
    cloud = local_cloud.find(*states)
    if cloud is None:
        raise ConsoleError(
            f"{states[0]}: found no running local cloud. Start one with pithead up --detach"
        )
    variables = cloud.variables(home.account, home.region)
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    unset = (name for name in local_cloud.aws_variables(os.environ) if name not in variables)
    click.echo(f"unset {' '.join(map(shlex.quote, unset))}")
