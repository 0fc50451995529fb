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
from console.local.iam_mode import unproved_by
from console.progress import Steps
from console.rehearsal.acts import acts
from console.rehearsal.runner import rehearse
from console.rehearsal.screen import RehearsalScreen, summary

_FILE_WIDTH_CHARACTERS = 100
"""Width of the table if stdout is not a terminal."""


@click.command("rehearse")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    default=60.0,
    show_default=True,
    help="Seconds of the cloud's clock per second of this machine's clock.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file to write the result of each act to; default: none.",
)
@iam_option
@click.option("--keep", is_flag=True, help="Keep the local cloud running at the end.")
def command(speed: float, report: Path | None, iam: str, keep: bool) -> int:
    """Rehearse a release, a rollback, a pipeline change, a refusal.

    The command clones HEAD and releases it with its own pipeline in a new local cloud. It then
    sends customer traffic to production, pushes four commits, and follows each to its outcome.
    Your checkout, its branches and its own local cloud do not change.

    \b
    Exit codes:
      0    every act had the expected outcome
      1    an act had another outcome, or the rehearsal could not begin
      2    wrong usage
      130  interrupted
    """  # noqa: D301  # \b is click's own sign
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C, so that the local cloud is stopped
        signal.signal(number, signal.default_int_handler)
    checkout = Checkout.here()
    console = Console(stderr=True)
    steps = Steps(console)
    state = checkout.rehearsal
    if local_cloud.find(state):
        raise ConsoleError(
            f"{state}: found a running rehearsal. Wait for it, or stop it with pithead down"
        )
    shutil.rmtree(state, ignore_errors=True)
    uncommitted = checkout.uncommitted()
    if uncommitted:
        steps.say(f"note: only commits are rehearsed; {uncommitted} changed file(s) here are not")
    scaled = environment_here("prod", checkout.environments()["prod"], speed)
    if scaled:
        steps.say(scaled)
    screen = RehearsalScreen(acts(), console)
    as_expected = False
    try:
        rehearsal = rehearse(
            checkout, state=state, speed=speed, iam=iam, screen=screen, steps=steps
        )
        if report:
            rehearsal.write(report)
        out = Console()
        (out if out.is_terminal else Console(width=_FILE_WIDTH_CHARACTERS)).print(
            summary(rehearsal)
        )
        if unproved_by(iam):
            out.print(unproved_by(iam), soft_wrap=True)
        as_expected = rehearsal.as_expected
    finally:
        _stop(state, steps, keep=keep, clean=as_expected)
    return 0 if as_expected else 1


def _stop(state: Path, steps: Steps, *, keep: bool, clean: bool) -> None:
    """Stop the local cloud unless `keep`, and remove its state folder if `clean`."""
    cloud = local_cloud.find(state)
    if keep and cloud:
        steps.say(f"The local cloud still runs at {cloud.endpoint}. Stop it with pithead down")
        return
    if cloud:
        local_cloud.stop(cloud)
    if clean:
        shutil.rmtree(state, ignore_errors=True)
    else:
        steps.say(f"The state and the logs of the local cloud are in {state}")
