"""`pithead down`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.aws.account import AwsSession, adopt
from console.checkout import Checkout
from console.errors import ConsoleError
from console.local import local_cloud
from console.progress import Steps
from console.release.history import history, in_detail

if TYPE_CHECKING:
    from console.aws.account import Aws
    from console.release.executions import Execution

_CONSEQUENCES = (
    "Stopping interrupts it: the next start rolls back a traffic shift and a stack update in "
    "progress, so that no environment stays half updated, and marks the execution as interrupted. "
    "pithead release then releases the commit again."
)


@click.command("down")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="State folder of the local cloud to stop; default: .pithead of the checkout, or "
    ".pithead/rehearsal if only a rehearsal runs.",
)
@click.option("--force", is_flag=True, help="Stop without asking, even during a release.")
def command(state: Path | None, force: bool) -> None:
    """Stop the local cloud and keep its state for the next start.

    During a release the command prints the consequences and asks first. If stdin is not a
    terminal, it stops nothing without --force.

    \b
    Exit codes:
      0    stopped
      1    not stopped: a release runs, no local cloud runs, or an error
      2    wrong usage
      130  interrupted
    """  # noqa: D301  # \b is click's own sign
    checkout = Checkout.here()
    states = (state.resolve(),) if state else checkout.states
    cloud = local_cloud.find(*states)
    if cloud is None:
        raise ConsoleError(f"{states[0]}: found no running local cloud. Nothing was stopped")
    if not force:
        home = checkout.home()
        adopt(cloud.variables(home.account, home.region))
        _confirm(running_executions(AwsSession(home)))
    with Steps().step("stopping the local cloud"):
        local_cloud.stop(cloud)


def running_executions(aws: Aws) -> list[Execution]:
    """Return the running executions with their stages; none without a pipeline."""
    try:
        return [in_detail(aws, each) for each in history(aws) if not each.ended]
    except ConsoleError:
        return []


def _confirm(executions: list[Execution]) -> None:
    """Ask whether to interrupt executions; asks nothing if there are none.

    Raises:
        ConsoleError: stdin is not a terminal, or the answer is no.
    """
    if not executions:
        return
    found = "; ".join(_description(each) for each in executions)
    if not sys.stdin.isatty():
        raise ConsoleError(
            f"a release is running: {found}. {_CONSEQUENCES} Next: wait for it with pithead "
            "release, or run pithead down --force"
        )
    click.echo(f"A release is running: {found}.\n{_CONSEQUENCES}", err=True)
    if not click.confirm("Stop the local cloud?", default=False, err=True):
        raise ConsoleError("nothing was stopped. Next: pithead release follows the release")


def _description(execution: Execution) -> str:
    active = [each.name for each in execution.stages if each.status in {"InProgress", "Stopping"}]
    where = f" in stage {', '.join(active)}" if active else ""
    return f"execution {execution.id}, commit {(execution.commit or 'unknown')[:7]}{where}"
