"""`pithead release`."""

from __future__ import annotations

import click
from rich.console import Console

from console.addresses import addresses
from console.aws import connect
from console.checkout import Checkout
from console.following import follow
from console.looser import looser, show
from console.next_steps import next_steps
from console.release_screen import ReleaseScreen
from console.release_summary import explain
from console.starting import start

EXIT_CODES = {"promoted": 0, "rolled_back": 3, "refused": 4, "error": 1}


@click.command("release")
@click.argument("revision", metavar="[REV]", default="HEAD")
@click.option("--again", is_flag=True, help="Release a commit again that was rolled back.")
@click.option(
    "--reason", metavar="TEXT", help="Why it is released again; recorded in the judge's bucket."
)
def command(revision: str, again: bool, reason: str | None) -> int:
    """Release a commit: push it to the pipeline's branch and follow it to production.

    REV is any revision of this checkout, HEAD by default; uncommitted changes are not released.
    The release is followed through every stage, also if the pipeline updates itself and starts
    again, or if a later commit that contains this one supersedes it.

    If the branch is at the commit already, nothing is pushed: a running execution is followed, a
    promotion or a rollback is reported again, and after any other end a new execution starts.
    A commit that was rolled back is released again only with --again and a --reason. That permits
    the version for one more release, also if the judge condemned it; without it the judge refuses
    a condemned version before it gets traffic.

    The outcome is read from what serves production once no traffic moves any more: a commit is
    promoted only if every version that has traffic contains it.

    \b
    Exit codes:
      0    promoted: what serves production contains the commit
      1    an error: nothing was released, or it ended without a verdict
      2    wrong usage
      3    rolled back: by an alarm, the judge, the bake, or by hand afterwards
      4    refused by a gate
      130  interrupted: the release continues; the same command follows it again
    """  # noqa: D301  # \b is click's own sign
    why = _reason(again, reason)
    checkout = Checkout.here()
    environments = checkout.environments()
    commit = checkout.commit(revision)
    # Everything that may turn out to be unreadable is read before anything is pushed.
    title = f"release of {commit[:7]} {checkout.subject(commit)}"
    uncommitted = checkout.uncommitted()
    aws, whom = connect(checkout)
    click.echo(whom, err=True)
    if uncommitted:
        _say(f"note: only commits are released; {uncommitted} changed file(s) here are not")
    begun = start(aws, checkout, environments, commit, again=why, say=_say)
    screen = ReleaseScreen(title)
    try:
        with screen.showing():
            for snapshot in follow(aws, environments, begun.lineage, commit, ignore=begun.ignore):
                screen.show(snapshot)
    except KeyboardInterrupt:
        _say(
            "Detached; the release continues. Run pithead release to follow it again, or "
            "pithead status to see where it is."
        )
        raise
    outcome = snapshot.outcome
    assert outcome is not None  # noqa: S101  # the last snapshot has it
    show(Console(), looser(aws, (each.id for each in outcome.executions)))
    explain(
        outcome,
        Console(),
        addresses=addresses(aws, environments),
        steps=next_steps(aws, outcome),
    )
    return EXIT_CODES[outcome.ending]


def _reason(again: bool, reason: str | None) -> str | None:
    """Return why a commit is released again; None if it is not."""
    if again and not (reason and reason.strip()):
        raise click.UsageError("--again needs --reason TEXT: why is it released again?")
    if reason is not None and not again:
        raise click.UsageError("--reason is for --again; found it alone")
    return reason.strip() if reason else None


def _say(line: str) -> None:
    click.echo(line, err=True)
