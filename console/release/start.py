"""The start of a release: a push, a new execution, or an existing release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.aws.connections import repository_url, source_of
from console.errors import ConsoleError
from console.lineage import CheckoutLineage
from console.release.executions import last_run
from console.release.follower import follow
from console.release.history import history
from console.release.rerelease import permit_rerelease
from console.words import ENDINGS
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from console.aws.account import Aws, Place
    from console.checkout import Checkout
    from console.lineage import Lineage
    from console.release.executions import Execution
    from console.release.promotion import Outcome
    from environments.schema import Home


@dataclass(frozen=True)
class Start:
    """The release to follow."""

    ignore: frozenset[str]
    """Ids of earlier executions that do not belong to the release."""
    lineage: Lineage


@dataclass(frozen=True)
class _Branch:
    """The branch that the pipeline releases."""

    url: str
    name: str
    tip: str | None
    """Its newest commit; None if the branch does not exist."""


def start(
    aws: Aws,
    checkout: Checkout,
    environments: Mapping[str, Place],
    commit: str,
    *,
    again: str | None = None,
    say: Callable[[str], None],
) -> Start:
    """Start a release of a commit, unless one runs or ended in prod.

    Args:
        aws: a source of clients.
        checkout: its repository has the commit.
        environments: account and region by name, in the order of promotion.
        commit: the commit's id.
        again: the reason to release a rolled back commit again; None without --again.
        say: prints a note to the user.

    Raises:
        ConsoleError: the commit cannot be released; the message names the next step.
    """
    home = checkout.home()
    before = history(aws)
    url = repository_url(aws, checkout, home.repository)
    lineage = CheckoutLineage(checkout, lambda: url, home.branch)
    run = last_run(before, commit, lambda later: lineage.contains(later, commit))
    if run and not run[-1].ended:
        _reject_again(again, f"execution {run[-1].id[:8]} of {commit[:7]} is running")
        return Start(_others(before, run), lineage)
    branch = _branch(aws, checkout, home, url, commit, before)
    if branch.tip != commit:
        _reject_again(again, f"branch {branch.name} is not at {commit[:7]}")
        _push(checkout, lineage, branch, commit, before)
        return Start(frozenset(each.id for each in before), lineage)
    outcome = _outcome(aws, environments, lineage, commit, before, run) if run else None
    if outcome and outcome.ending == "rolled_back" and again:
        permit_rerelease(aws, environments, outcome, again)
        say(f"releasing {commit[:7]} again: {again}")
    else:
        _reject_again(again, f"{commit[:7]} was not rolled back")
        if outcome and outcome.ending in {"promoted", "rolled_back"}:
            return Start(_others(before, run), lineage)
        say(
            f"branch {branch.name} is at {commit[:7]} already, and {_last_ending(run, outcome)}; "
            "starting a new execution"
        )
    aws.client("codepipeline").start_pipeline_execution(name=PIPELINE)
    return Start(frozenset(each.id for each in before), lineage)


def _others(before: list[Execution], run: list[Execution]) -> frozenset[str]:
    """Return the ids of earlier executions that do not belong to a run."""
    own = {each.id for each in run}
    return frozenset(
        each.id for each in before if each.id not in own and each.started < run[-1].started
    )


def _branch(
    aws: Aws, checkout: Checkout, home: Home, url: str, commit: str, before: list[Execution]
) -> _Branch:
    """Return the branch that pyproject.toml names and the deployed pipeline releases.

    If these differ, returns the deployed pipeline's branch, provided that it is at the commit:
    the commit was then pushed there to move the pipeline.

    Raises:
        ConsoleError: the branches differ, or the branch does not exist any more.
    """
    source = source_of(aws)
    wanted = f"branch {home.branch} of {home.repository}"
    if source and (source.repository, source.branch) != (home.repository, home.branch):
        followed = repository_url(aws, checkout, source.repository)
        tip = checkout.tip(followed, source.branch)
        if tip == commit:
            return _Branch(followed, source.branch, tip)
        raise ConsoleError(
            f"pyproject.toml: tool.pithead: found {wanted}; the deployed pipeline releases "
            f"branch {source.branch} of {source.repository}. To move the pipeline, push the commit "
            f"to both (git push {url} {commit}:refs/heads/{home.branch} && git push {followed} "
            f"{commit}:refs/heads/{source.branch}) and run pithead release. To keep it, set "
            f'branch = "{source.branch}"'
        )
    tip = checkout.tip(url, home.branch)
    if tip is None and any(each.commit for each in before):
        raise ConsoleError(
            f"{home.repository}: found no branch {home.branch}, which the pipeline has released "
            f"before. If it was renamed, create it again (git push {url} "
            f"{commit}:refs/heads/{home.branch}), then set tool.pithead.branch of pyproject.toml "
            "and run pithead release"
        )
    return _Branch(url, home.branch, tip)


def _push(
    checkout: Checkout, lineage: Lineage, branch: _Branch, commit: str, before: list[Execution]
) -> None:
    """Push the commit to the branch, fast-forward only.

    Raises:
        ConsoleError: the branch contains the commit already, or git rejects the push.
    """
    if branch.tip and lineage.contains(branch.tip, commit):
        raise ConsoleError(_earlier_commit(branch, branch.tip, commit, before))
    checkout.push(branch.url, commit, branch.name)


def _earlier_commit(branch: _Branch, tip: str, commit: str, before: list[Execution]) -> str:
    """Return the error for an earlier commit of the branch, with the ways back to it."""
    sentence = (
        f"{commit[:7]} is an earlier commit of branch {branch.name}, which is at {tip[:7]}; a "
        "release only moves forward. To undo the later commits, run git revert --no-edit "
        f"{commit[:7]}..{tip[:7]} and pithead release"
    )
    succeeded = [each for each in before if each.commit == commit and each.status == "Succeeded"]
    if not succeeded:
        return sentence
    return (
        f"{sentence}. To move prod back at once, if the pipeline has not changed since, run aws "
        f"codepipeline rollback-stage --pipeline-name {PIPELINE} --stage-name prod "
        f"--target-pipeline-execution-id {succeeded[-1].id}"
    )


def _outcome(
    aws: Aws,
    environments: Mapping[str, Place],
    lineage: Lineage,
    commit: str,
    before: list[Execution],
    run: list[Execution],
) -> Outcome | None:
    """Return the outcome of an ended run; None if another execution may continue it."""
    snapshots = follow(aws, environments, lineage, commit, ignore=_others(before, run))
    return next(snapshots).outcome


def _last_ending(run: list[Execution], outcome: Outcome | None) -> str:
    """Return how the last release of the commit ended, in words."""
    if outcome:
        was = "was " if outcome.ending == "refused" else ""
        return f"its last release {was}{ENDINGS[outcome.ending][0]}"
    return f"its last execution is {run[-1].status}" if run else "no execution carries it"


def _reject_again(again: str | None, found: str) -> None:
    """Raise an error if --again was given for a commit that was not rolled back."""
    if again is not None:
        raise ConsoleError(
            f"--again: {found}; allowed only for a commit that was rolled back. Run pithead "
            "release without it"
        )
