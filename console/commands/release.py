"""`pithead release`."""

from __future__ import annotations

import click
from rich.console import Console

from console.aws.account import connect
from console.aws.addresses import addresses
from console.checkout import Checkout
from console.local.iam_mode import unproved_permissions
from console.release.follower import follow
from console.release.looser import looser, show
from console.release.next_steps import next_steps
from console.release.screen import ReleaseScreen
from console.release.start import start
from console.release.summary import explain

EXIT_CODES = {"promoted": 0, "rolled_back": 3, "refused": 4, "error": 1}


@click.command("release")
@click.argument("revision", metavar="[REV]", default="HEAD")
@click.option(
    "--again", is_flag=True, help="Release a commit again after a rollback; requires --reason."
)
@click.option(
    "--reason",
    metavar="TEXT",
    help="Reason to record in the judge's bucket; required with --again.",
)
def command(revision: str, again: bool, reason: str | None) -> int:
    """Release a commit and follow it to production.

    The command pushes the commit to the pipeline's branch. REV is any revision of this checkout,
    HEAD by default; uncommitted changes are not released. It follows the release through every
    stage, even if the pipeline updates itself and restarts, or if a later commit that contains
    this one supersedes it.

    If the branch is already at the commit, nothing is pushed. The command then follows a running
    execution, reports a promotion or a rollback again, or starts a new execution after any other
    outcome.

    After a rollback, add --again and a --reason to release the commit again. That permits the
    version for one more release, even if the judge condemned it. Without a permission the judge
    refuses a condemned version before it gets traffic.

    The outcome is read from prod after its traffic shift has ended: a commit is promoted only if
    every version that has traffic contains it.

    \b
    Exit codes:
      0    promoted: every version that serves prod contains the commit
      1    error: nothing was released, or the release ended without a verdict
      2    wrong usage
      3    rolled back: by an alarm, the judge, the bake, or later by hand
      4    refused by a gate
      130  interrupted: the release continues; the same command follows it again
    """  # noqa: D301  # \b is click's own sign
    again_reason = _reason(again, reason)
    checkout = Checkout.here()
    environments = checkout.environments()
    commit = checkout.commit(revision)
    # Git is read before anything is pushed, so that an error leaves nothing half done.
    title = f"release of {commit[:7]} {checkout.subject(commit)}"
    uncommitted = checkout.uncommitted()
    aws, target = connect(checkout)
    click.echo(target, err=True)
    if uncommitted:
        _say(f"note: only commits are released; {uncommitted} changed file(s) here are not")
    release = start(aws, checkout, environments, commit, again=again_reason, say=_say)
    screen = ReleaseScreen(title)
    try:
        with screen.showing():
            for snapshot in follow(
                aws, environments, release.lineage, commit, ignore=release.ignore
            ):
                screen.show(snapshot)
    except KeyboardInterrupt:
        _say(
            "Detached; the release continues. Run pithead release to follow it again, or "
            "pithead status to see where it is"
        )
        raise
    outcome = snapshot.outcome
    assert outcome is not None  # noqa: S101  # the last snapshot has it
    show(Console(), looser(aws, (each.id for each in outcome.executions)))
    explain(
        outcome,
        Console(),
        addresses=addresses(aws, environments),
        steps=next_steps(aws, checkout.home(), environments, outcome),
    )
    note = unproved_permissions(checkout.states)
    if note:
        click.echo(f"\n{note}")
    return EXIT_CODES[outcome.ending]


def _reason(again: bool, reason: str | None) -> str | None:
    """Return the reason for another release; None without --again."""
    if again and not (reason and reason.strip()):
        raise click.UsageError(
            "--again: found without --reason; allowed only with it. Add --reason TEXT"
        )
    if reason is not None and not again:
        raise click.UsageError("--reason: found without --again; allowed only with it. Add --again")
    return reason.strip() if reason else None


def _say(line: str) -> None:
    click.echo(line, err=True)
