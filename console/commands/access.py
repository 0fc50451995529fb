"""`pithead access`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from console.access import execution
from console.access.roles import roles
from console.access.statements import reduced
from console.aws.account import connect
from console.checkout import Checkout
from console.errors import ConsoleError
from environments.schema import NAMES
from pipeline.names import STACK, service_stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.access.roles import Role


@click.command("access")
@click.argument("role", required=False)
@click.option(
    "--policy",
    is_flag=True,
    help="Print ROLE's policy as JSON, reduced to the actions that the role used.",
)
@click.option(
    "--execution",
    "environment",
    type=click.Choice(("home", *NAMES)),
    help="Write the policies that CloudFormation needs to deploy this environment, or the "
    "pipeline (home), as JSON files to the folder --to.",
)
@click.option(
    "--to",
    "folder",
    default="policies",
    show_default=True,
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that --execution writes to.",
)
def command(role: str | None, environment: str | None, folder: Path, *, policy: bool) -> None:
    """List each role's granted, used and unused permissions.

    ROLE is a role's name or a part of it; the default is all roles of the platform. The local
    cloud records every action that a role is allowed. AWS records only management actions (IAM's
    last accessed information), so an action listed as unused there may be in use.

    \b
      pithead access                       all roles
      pithead access AttestRole            each grant of one role
      pithead access AttestRole --policy   its policy, reduced to the actions it used
      pithead access --execution prod      policies for cdk bootstrap, from the deployed stacks

    \b
    Exit codes:
      0  done
      1  error
      2  wrong usage
    """  # noqa: D301  # \b is click's own sign
    checkout = Checkout.here()
    home, environments = checkout.home(), checkout.environments()
    aws, target = connect(checkout)
    click.echo(target, err=True)
    if environment is not None:
        place = home if environment == "home" else environments[environment]
        stack = STACK if environment == "home" else service_stack(environment)
        _write(execution.policies(execution.needed_actions(aws, place, [stack])), folder)
        return
    found = list(roles(aws, home, environments))
    if role is None:
        _print_all(found)
        return
    chosen = [each for each in found if role in each.name]
    if not chosen:
        raise ConsoleError(
            f"ROLE: found {role!r}, which is in no name of the platform's roles. Run pithead "
            "access for a list"
        )
    for each in chosen:
        if policy:
            documents = {**each.policies, **each.managed}
            click.echo(json.dumps(reduced(documents, each.used), indent=2))
        else:
            _print_one(each)


def _write(policies: Sequence[object], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, policy in enumerate(policies, start=1):
        file = folder / f"cloudformation-{number}.json"
        file.write_text(json.dumps(policy, indent=2) + "\n")
        click.echo(str(file))


def _print_all(found: Sequence[Role]) -> None:
    table = Table(box=None, pad_edge=False, expand=True)
    for name, ratio in (("role", 4), ("used", None), ("granted", None), ("unused", 5)):
        table.add_column(name, no_wrap=True, ratio=ratio)
    stack = ""
    for role in found:
        place = f"{role.stack} in {role.account}"
        if place != stack:
            stack = place
            table.add_row(f"[bold]{stack}[/bold]", "", "", "")
        unused = list(dict.fromkeys(each.pattern for each in role.grants if not each.used))
        table.add_row(
            f"  {role.logical_id}",
            str(sum(bool(each.used) for each in role.grants)),
            str(len(role.grants)),
            ", ".join(unused),
        )
    Console().print(table)
    click.echo("\nNext: pithead access ROLE, or pithead access ROLE --policy")


def _print_one(role: Role) -> None:
    click.echo(f"\n{role.arn}\nof stack {role.stack}; ✓ used, ✗ unused")
    place: tuple[str, tuple[str, ...]] = ("", ())
    for grant in role.grants:
        if (grant.policy, grant.resources) != place:
            place = (grant.policy, grant.resources)
            click.echo("\n".join((f"\n{grant.policy} on", *(f"    {x}" for x in grant.resources))))
        used = ", ".join(each for each in grant.used if each != grant.pattern)
        click.echo(f"  {'✓' if grant.used else '✗'} {grant.pattern}{f'  ({used})' if used else ''}")
