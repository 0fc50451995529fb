"""`pithead down`."""

from __future__ import annotations

from pathlib import Path

import click

from console import local_cloud
from console.checkout import Checkout
from console.errors import ConsoleError
from console.progress import Steps


@click.command("down")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Of the local cloud to stop; the checkout's own, or its rehearsal's, unless given.",
)
def command(state: Path | None) -> None:
    """Stop the local cloud; what it holds is kept for the next start."""
    states = (state.resolve(),) if state else Checkout.here().states
    running = local_cloud.find(*states)
    if running is None:
        raise ConsoleError(f"no local cloud of {states[0]} runs; nothing is to be stopped")
    with Steps().step("stopping the local cloud"):
        local_cloud.stop(running)
