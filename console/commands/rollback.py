"""`pithead rollback`."""

from __future__ import annotations

import click

from console.aws.account import connect
from console.aws.deployed import deployed
from console.checkout import Checkout
from console.errors import ConsoleError
from console.release.rollback import roll_back
from environments.schema import NAMES

_MIN_REASON_CHARACTERS = 10


@click.command("rollback")
@click.argument("environment", type=click.Choice(NAMES))
@click.option(
    "--reason",
    required=True,
    metavar="TEXT",
    help=f"Reason to record in the alias's description; at least {_MIN_REASON_CHARACTERS} "
    "characters.",
)
@click.option(
    "--version",
    metavar="N",
    help="Number of the version to move to; default: the version before the last promoted release.",
)
def command(environment: str, reason: str, version: str | None) -> None:
    """Move an environment's traffic to an earlier version, at once.

    Use it if a promoted release turns out bad after its bake. The release may be of any age,
    because versions are kept, and no gate, freeze or canary delays the command. It updates the
    environment's stack twice, with CDK's deploy role, so that CloudFormation's record of the alias
    stays right. The next release shifts traffic from that version as usual.

    \b
      pithead rollback prod --reason "customers cannot upload, ticket 4711"

    \b
    Exit codes:
      0  done
      1  error
      2  wrong usage
    """  # noqa: D301  # \b is click's own sign
    reason = " ".join(reason.split())
    if len(reason) < _MIN_REASON_CHARACTERS:
        raise click.UsageError(
            f"--reason: found {len(reason)} characters; allowed are {_MIN_REASON_CHARACTERS} or "
            "more. Say what customers see"
        )
    checkout = Checkout.here()
    place = checkout.environments()[environment]
    aws, target = connect(checkout)
    click.echo(target, err=True)
    service = deployed(aws, environment, place)
    if service is None:
        raise ConsoleError(f"{environment}: nothing is deployed yet. Run pithead release")
    done = roll_back(aws, service, reason, version)
    commit, to_commit = ((each or "unknown")[:7] for each in (done.commit, done.to_commit))
    click.echo(
        f"{environment}: all traffic was moved from version {done.version} of commit {commit} to "
        f"version {done.to_version} of commit {to_commit}"
    )
    click.echo(f"Next: git revert --no-edit {commit} && pithead release")
