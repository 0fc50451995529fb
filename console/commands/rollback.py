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
@click.option("--reason", required=True, metavar="TEXT",
              help="Reason, kept as the alias's description; at least 10 characters.")  # fmt: skip
@click.option("--version", metavar="N",
              help="Version to move to; by default the one before the last promoted "
              "release.")  # fmt: skip
def command(environment: str, reason: str, version: str | None) -> None:
    """Move all traffic of an environment back to the version before, at once.

    For a promoted release that turns out bad after its bake. No gate, freeze, canary or artifact
    stands in the way, and the release may be of any age: versions are kept. The environment's
    stack is updated twice, by CDK's deploy role, so that CloudFormation knows what serves. The
    next release shifts from there as usual.

    \b
      pithead rollback prod --reason "customers cannot upload, ticket 4711"

    \b
    Exit codes: 0 done, 1 an error, 2 usage.
    """  # noqa: D301  # \b is click's own sign
    reason = " ".join(reason.split())
    if len(reason) < _MIN_REASON_CHARACTERS:
        raise click.UsageError(
            f"--reason: found {len(reason)} characters; at least {_MIN_REASON_CHARACTERS} are "
            "required. Say what customers see"
        )
    checkout = Checkout.here()
    place = checkout.environments()[environment]
    aws, whom = connect(checkout)
    click.echo(whom, err=True)
    what = deployed(aws, environment, place)
    if what is None:
        raise ConsoleError(f"{environment}: nothing is deployed. Run pithead release")
    done = roll_back(aws, what, reason, version)
    commit, to_commit = ((each or "unknown")[:7] for each in (done.commit, done.to_commit))
    click.echo(
        f"{environment}: all traffic was moved from version {done.version} of commit {commit} to "
        f"version {done.to_version} of commit {to_commit}"
    )
    click.echo(f"Next: git revert --no-edit {commit} && pithead release")
