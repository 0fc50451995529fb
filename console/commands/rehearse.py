"""`pithead rehearse`."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import click
from rich.console import Console

from console.aws.speed import environment_here
from console.checkout import Checkout
from console.commands.options import iam_option
from console.errors import ConsoleError
from console.local import local_cloud
from console.progress import Steps
from console.rehearsal.acts import ACTS
from console.rehearsal.playing import rehearse
from console.rehearsal.screen import RehearsalScreen, summary
from console.release.permissions import sentence

_WIDTH = 100  # characters


@click.command("rehearse")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds of the cloud's clock per second of yours: at 60, 20 requests per second in an "
    "environment file are 1,200 of yours.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file to write the result of each act to.",
)
@iam_option
@click.option("--keep", is_flag=True, help="Leave the local cloud running at the end.")
def command(speed: float, report: Path | None, iam: str, keep: bool) -> int:
    """Play a release, a rollback, a pipeline change and a refusal, from nothing.

    HEAD is cloned, and installed by its own pipeline in a local cloud of its own; customers
    begin to use production; then four commits are pushed, and each is followed to its end. Your
    checkout, its branches and its own local cloud are not touched.

    \b
    Exit codes: 0 every act ended as it should, 1 one did not, or the rehearsal could not begin,
    2 usage, 130 interrupted.
    """  # noqa: D301  # \b is click's own sign
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: the local cloud has to end, too
        signal.signal(number, signal.default_int_handler)
    checkout = Checkout.here()
    console = Console(stderr=True)
    steps = Steps(console)
    state = checkout.rehearsal
    if local_cloud.find(state):
        raise ConsoleError("a rehearsal runs already; wait for it, or stop it by pithead down")
    shutil.rmtree(state, ignore_errors=True)
    uncommitted = checkout.uncommitted()
    if uncommitted:
        steps.say(f"note: {uncommitted} files are not committed, and not rehearsed")
    meaning = environment_here("prod", checkout.environments()["prod"], speed)
    if meaning:
        steps.say(meaning)
    screen = RehearsalScreen(ACTS, console)
    as_expected = False
    try:
        rehearsal = rehearse(
            checkout, state=state, speed=speed, iam=iam, screen=screen, steps=steps
        )
        if report:
            rehearsal.write(report)
        out = Console()
        # A file or a pipe has no width; the table has one that it needs.
        (out if out.is_terminal else Console(width=_WIDTH)).print(summary(rehearsal))
        if sentence(iam):
            out.print(sentence(iam), soft_wrap=True)
        as_expected = rehearsal.as_expected
    finally:
        _leave(state, steps, keep=keep, clean=as_expected)
    return 0 if as_expected else 1


def _leave(state: Path, steps: Steps, *, keep: bool, clean: bool) -> None:
    """Stop the local cloud and clean up after it; what went wrong stays to be looked at."""
    running = local_cloud.find(state)
    if keep and running:
        steps.say(f"The local cloud is left running at {running.endpoint}; pithead down stops it.")
        return
    if running:
        local_cloud.stop(running)
    if clean:
        shutil.rmtree(state, ignore_errors=True)
    else:
        steps.say(f"What the local cloud remembers of it is in {state}.")
