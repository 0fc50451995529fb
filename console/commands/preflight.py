"""`pithead preflight`."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from console.aws.account import connect
from console.aws.quotas import quotas
from console.checkout import Checkout


@click.command("preflight")
def command() -> int:
    """Compare the accounts' quotas with what a release needs.

    Run it before the first release, after the accounts are bootstrapped. It reads the quotas of
    CodeBuild and Lambda. For each quota that is too small, it prints the command that requests an
    increase.

    \b
    Exit codes:
      0  every quota suffices
      1  a quota is too small, or an account cannot be read
      2  wrong usage
    """  # noqa: D301  # \b is click's own sign
    checkout = Checkout.here()
    home, environments = checkout.home(), checkout.environments()
    aws, target = connect(checkout)
    click.echo(target, err=True)
    found = quotas(aws, home, environments)
    table = Table("account", "region", "quota", "applied", "needed", "", box=None, pad_edge=False)
    for each in found:
        table.add_row(
            each.place.account,
            each.place.region,
            each.quota.name,
            str(each.applied),
            str(each.needed),
            "" if each.suffices else "too small",
        )
    Console().print(table)
    small = [each for each in found if not each.suffices]
    for each in small:
        click.echo(
            f"\n{each.quota.name} of account {each.place.account}: found {each.applied}; needed "
            f"are {each.needed}, because {each.why}. With credentials of that account, run\n"
            f"  {each.command}"
        )
    return 1 if small else 0
