"""`pithead release`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console

from console.aws import connect
from console.checkout import Checkout
from console.connections import named_connection, remote
from console.deployed import deployed, serving
from console.errors import ConsoleError
from console.executions import last_run
from console.following import follow, history
from console.looser import looser, show
from console.release_screen import ReleaseScreen, explain
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from console.aws import Aws
    from console.promotion import Outcome
    from environments.schema import Environment, Home

EXIT_CODES = {"promoted": 0, "rolled_back": 3, "refused": 4, "error": 1}
_PROD = "prod"


@click.command("release")
@click.argument("revision", metavar="[REV]", default="HEAD")
def command(revision: str) -> int:
    """Release a commit: push it to the pipeline's branch and follow it to production.

    REV is any revision of this checkout, HEAD unless given; what is not committed is not
    released. The commit is followed through every stage, also when the pipeline changes itself
    and begins again, and also when a later commit overtakes it.

    If the branch is at the commit already, nothing is pushed: a running execution is followed;
    one that reached production is reported; after any other end the commit is released anew.

    \b
    Exit codes: 0 promoted, 3 rolled back, 4 refused by a gate, 1 an error, 2 usage,
    130 interrupted (the release goes on; the same command follows it again).
    """  # noqa: D301  # \b is click's own sign
    checkout = Checkout.here()
    home, environments = checkout.home(), checkout.environments()
    commit = checkout.commit(revision)
    aws, whom = connect(checkout)
    click.echo(whom, err=True)
    uncommitted = checkout.uncommitted()
    if uncommitted:
        click.echo(
            f"note: only commits are released; {uncommitted} changed file(s) here are not",
            err=True,
        )
    ignore = _begin(aws, checkout, home, commit)
    screen = ReleaseScreen(f"release of {commit[:7]} {checkout.subject(commit)}")
    try:
        with screen.showing():
            for snapshot in follow(aws, environments, commit, ignore=ignore):
                screen.show(snapshot)
    except KeyboardInterrupt:
        click.echo(
            "The release goes on without you: pithead release follows it again, "
            "pithead status looks at it.",
            err=True,
        )
        raise
    outcome = snapshot.outcome
    assert outcome is not None  # noqa: S101  # the last snapshot has it
    show(Console(), looser(aws, (each.id for each in outcome.executions)))
    explain(outcome, Console(), now_serves=_now_serves(aws, environments[_PROD], outcome))
    return EXIT_CODES[outcome.ending]


def _begin(aws: Aws, checkout: Checkout, home: Home, commit: str) -> frozenset[str]:
    """Have the commit run; returns the executions that are not this release's."""
    before = history(aws)
    connections = aws.client("codeconnections")
    url = remote(connections, named_connection(connections, home), home.repository)
    if checkout.tip(url, home.branch) != commit:
        checkout.push(url, commit, home.branch)
        return frozenset(each.id for each in before)
    run = last_run(before, commit)
    if run and (not run[-1].ended or run[-1].status == "Succeeded"):
        mine = {each.id for each in run}
        return frozenset(
            each.id for each in before if each.id not in mine and each.started < run[-1].started
        )
    click.echo(
        f"{home.branch} is at {commit[:7]} already, and that is not in production: "
        "it is released anew",
        err=True,
    )
    aws.client("codepipeline").start_pipeline_execution(name=PIPELINE)
    return frozenset(each.id for each in before)


def _now_serves(aws: Aws, prod: Environment, outcome: Outcome) -> str:
    """A sentence about production after a release that did not reach it."""
    if outcome.ending == "promoted":
        return ""
    try:
        what = deployed(aws, _PROD, prod)
        if what is None:
            return "Nothing serves production yet."
        now = serving(aws, what)
    except ConsoleError as error:
        return f"What serves production is not known: {error}."
    return f"Production is served by version {now.version}, commit {(now.commit or 'unknown')[:7]}."
