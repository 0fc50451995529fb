"""`pithead override`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.aws.account import connect
from console.aws.speed import announced_speed, duration_here
from console.checkout import Checkout
from console.durations import Duration
from console.release import overrides
from console.release.retries import retry_refused
from pipeline.gates.supply_chain.override import (
    MAX_DURATION,
    MAX_REASON_CHARACTERS,
    MIN_REASON_CHARACTERS,
)

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from console.aws.account import Aws
    from console.release.retries import Retry

_GATE = "supply-chain"


@click.command("override")
@click.argument("gate", metavar="[supply-chain]", type=click.Choice([_GATE]), default=_GATE)
@click.option(
    "--for",
    "lasts",
    type=Duration(MAX_DURATION),
    metavar="DURATION",
    help="Grant an override for this duration of the cloud's clock, such as 90m, 12h or 7d; at "
    "most 7d.",
)
@click.option(
    "--reason",
    metavar="TEXT",
    help=f"Reason to record, {MIN_REASON_CHARACTERS} to {MAX_REASON_CHARACTERS} characters; "
    "required with --for.",
)
@click.option("--withdraw", is_flag=True, help="Delete the override.")
def command(gate: str, lasts: timedelta | None, reason: str | None, withdraw: bool) -> None:
    """Show, grant or withdraw the supply-chain gate's override.

    An override permits a release while pip-audit's advisory service is unreachable: an audit that
    could not run is reported as not run, and does not refuse. It never suppresses a finding.
    Without options the command shows the override.

    If only this gate refused the newest execution, granting an override retries it, and
    `pithead release` follows the retry. The override records git's user.name and the caller's
    identity in AWS.

    \b
      pithead override supply-chain
      pithead override supply-chain --for 7d --reason "the index is down, ticket 4711"
      pithead override supply-chain --withdraw

    At speed 60 a day of a local cloud lasts 24 minutes.

    \b
    Exit codes:
      0  done
      1  error
      2  wrong usage
    """  # noqa: D301  # \b is click's own sign
    reason = _valid_reason(lasts, reason, withdraw=withdraw)
    checkout = Checkout.here()
    aws, target = connect(checkout)
    click.echo(target, err=True)
    speed = announced_speed(checkout.states)
    if withdraw:
        was_set = overrides.withdraw(aws)
        click.echo(f"{gate}: the override is withdrawn" if was_set else f"{gate}: no override")
    elif lasts is None:
        _show(aws, gate, speed)
    else:
        granted = overrides.grant(aws, lasts=lasts, reason=reason, by=checkout.user())
        click.echo(f"{gate}: override until {_left(granted.until, lasts, speed)}")
        click.echo(f"  by {granted.by}: {granted.reason}")
        _print_retry(retry_refused(aws, gate.replace("-", "_")))


def _valid_reason(lasts: timedelta | None, reason: str | None, *, withdraw: bool) -> str:
    """Return the reason with single spaces; raise UsageError for invalid options."""
    if withdraw and (lasts or reason):
        raise click.UsageError(
            "--withdraw: found with --for or --reason; allowed only alone. Remove the others"
        )
    if (lasts is None) != (reason is None):
        raise click.UsageError(
            "--for and --reason: found one of them; an override needs both. Add the other"
        )
    reason = " ".join((reason or "").split())
    if lasts and not MIN_REASON_CHARACTERS <= len(reason) <= MAX_REASON_CHARACTERS:
        raise click.UsageError(
            f"--reason: found {len(reason)} characters; allowed are "
            f"{MIN_REASON_CHARACTERS} to {MAX_REASON_CHARACTERS}"
        )
    return reason


def _show(aws: Aws, gate: str, speed: float) -> None:
    found = overrides.current(aws)
    if found is None:
        click.echo(f"{gate}: no override")
    elif found.override is None or found.problem:
        click.echo(f"{gate}: the override does not apply: it {found.problem}")
        click.echo(f"Next: pithead override {gate} --withdraw")
    else:
        until = found.override.until
        click.echo(f"{gate}: override until {_left(until, until - found.now, speed)}")
        click.echo(f"  by {found.override.by}: {found.override.reason}")


def _left(until: datetime, left: timedelta, speed: float) -> str:
    """Return the end by the cloud's clock, and the time until then by this machine's."""
    scaled = duration_here(left, speed)
    return f"{until:%Y-%m-%d %H:%M} UTC by the cloud's clock" + (f": in {scaled}" if scaled else "")


def _print_retry(retry: Retry) -> None:
    commit = retry.execution.commit if retry.execution else None
    release = f"pithead release {commit[:7]}" if commit else "pithead release"
    if retry.stage:
        click.echo(f"Stage {retry.stage} is retried. Next: {release} follows it")
    else:
        click.echo(f"Nothing is retried: {retry.why_not}. Next: {release}")
