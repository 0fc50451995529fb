"""The summary of a release: outcome, durations, serving versions, next steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from console.words import ENDINGS, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console

    from console.aws.addresses import Address
    from console.release.canary import Canary
    from console.release.executions import Action, Stage
    from console.release.next_step import NextStep
    from console.release.promotion import Outcome


def explain(
    outcome: Outcome, console: Console, *, addresses: Iterable[Address], steps: Sequence[NextStep]
) -> None:
    """Print the outcome, its reason, durations, serving versions and next steps."""

    def line(markup: str) -> None:
        """Print a sentence, on one line in a file or a pipe."""
        console.print(markup, highlight=False, soft_wrap=not console.is_terminal)

    words, colour = ENDINGS[outcome.ending]
    line("")
    line(f"[bold {colour}]{outcome.commit[:7]} {words}[/]: {escape(outcome.sentence)}.")
    for report in outcome.reports:
        if report.status == "not run":
            line(f"[yellow]Gate {report.gate} did not run[/]: {escape(report.sentence)}")
    if outcome.ending == "promoted" and outcome.canary and outcome.canary.record:
        line(f"The judge: {escape(outcome.canary.record.sentence)}")
    if outcome.canary and outcome.canary.stopped:
        line(_stopped(outcome.canary))
    if outcome.self_mutated and outcome.canary and outcome.canary.bake_began:
        line(
            f"The release changed the pipeline. Its bake in {outcome.canary.environment} did not "
            "depend on the pipeline: CodeDeploy controls it, and moves traffic back by itself."
        )
    line("")
    console.print(_durations(outcome))
    if outcome.pace > 1:
        line(
            f"[dim]By the cloud's clock, which is {outcome.pace:.0f} times as fast, the release "
            f"took {duration(outcome.seconds)}.[/]"
        )
    line("")
    for markup in (*_serving(addresses, outcome.canary), *_next(steps)):
        console.print(markup, highlight=False, soft_wrap=True)  # so that it can be copied


def _serving(addresses: Iterable[Address], shift: Canary | None) -> Iterator[str]:
    """Yield a line for each environment: its address, version and shift."""
    for each in addresses:
        at = f"{escape(each.url)}  " if each.url else ""
        is_shifted = shift and shift.environment == each.environment
        id_ = f", shift {shift.deployment_id}" if shift and is_shifted else ""
        yield f"[bold]{each.environment:<8}[/] {at}[dim]{escape(each.serves)}{id_}[/]"


def _next(steps: Sequence[NextStep]) -> Iterator[str]:
    if steps:
        yield "\nNext steps"
    for step in steps:
        yield f"  {escape(step.command)}  [dim]# {escape(step.purpose)}[/]"


def _stopped(canary: Canary) -> str:
    """Describe what stopped a shift and when, and the requests served until then."""
    at = f" at {canary.completed:%Y-%m-%d %H:%M:%S} UTC" if canary.completed else ""
    shift = f"Shift {canary.deployment_id} of version {canary.target_version}"
    if canary.refused:
        return f"{shift} was refused by the judge{at}; the new version got no traffic."
    traffic = canary.traffic
    return (
        f"{shift} was stopped by {escape(canary.stopper)}{at}; the new version had served "
        f"{traffic.canary_requests} requests, of which {traffic.canary_failures} failed."
    )


def _durations(outcome: Outcome) -> Table:
    """Return a table with the duration of each stage and action, and its share."""
    total = outcome.seconds / outcome.pace
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("stage or action")
    # The pace is measured during a release; it is 1 for a release that had ended before.
    unit = "seconds by the cloud's clock" if outcome.pace == 1 else "seconds"
    table.add_column(unit, justify="right")
    table.add_column("share", justify="right")

    def row(name: str, seconds: float, style: str = "") -> None:
        share = f"{seconds / total:.0%}" if total else ""
        table.add_row(Text(name, style), f"{seconds:.1f}", share, style=style)

    before = (outcome.executions[-1].started - outcome.executions[0].started).total_seconds()
    accounted = before / outcome.pace
    if accounted:
        row("until the pipeline had updated itself", accounted)
    for stage in outcome.stages:
        seconds = outcome.wall_seconds(stage)
        accounted += seconds
        row(stage.name, seconds)
        parts = list(_parts(stage, outcome.canary))
        for name, part in parts if len(parts) > 1 else []:
            row(f"  {name}", part / outcome.pace, "dim")
    row("between stages", max(0.0, total - accounted))
    table.add_row("release", f"{total:.1f}", "", style="bold")
    return table


def _parts(stage: Stage, canary: Canary | None) -> Iterator[tuple[str, float]]:
    """Yield each action and its seconds, without the bake, which is a part of its own."""
    for action in stage.actions:
        seconds = (action.updated - action.started).total_seconds()
        bake = _bake_seconds(stage, action, canary)
        yield action.name, seconds - bake
        if bake:
            yield "bake", bake


def _bake_seconds(stage: Stage, action: Action, canary: Canary | None) -> float:
    """Return the seconds of the bake in an action."""
    if canary is None or canary.environment != stage.name or canary.bake_began is None:
        return 0.0
    if canary.completed is None or not action.started <= canary.bake_began <= action.updated:
        return 0.0
    return (canary.completed - canary.bake_began).total_seconds()
