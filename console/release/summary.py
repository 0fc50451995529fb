"""Print the end of a release: outcome, durations, serving versions, next steps."""

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
    from console.release.promotion import Outcome
    from console.steps import Step


def explain(
    outcome: Outcome, console: Console, *, addresses: Iterable[Address], steps: Sequence[Step]
) -> None:
    """Print the outcome, its reason, the durations, what serves, and the next steps."""

    def line(markup: str) -> None:
        """Print a sentence; a file or a pipe gets it as one line."""
        console.print(markup, highlight=False, soft_wrap=not console.is_terminal)

    words, colour = ENDINGS[outcome.ending]
    line("")
    line(f"[bold {colour}]{outcome.commit[:7]} {words}[/]: {escape(outcome.sentence)}.")
    for answer in outcome.answers:
        if answer.status == "not run":
            line(f"[yellow]The gate {answer.gate} did not run[/]: {escape(answer.sentence)}")
    if outcome.ending == "promoted" and outcome.canary and outcome.canary.record:
        line(f"The judge: {escape(outcome.canary.record.sentence)}")
    if outcome.canary and outcome.canary.stopped:
        line(_stopped(outcome.canary))
    if outcome.self_mutated and outcome.canary and outcome.canary.bake_began:
        line(
            f"The release changed the pipeline. Its bake in {outcome.canary.environment} was "
            "CodeDeploy's, which moves traffic back whatever the pipeline is."
        )
    line("")
    console.print(_where_the_time_went(outcome))
    if outcome.pace > 1:
        line(
            f"[dim]By the cloud's clock, {outcome.pace:.0f} times the wall's, that was "
            f"{duration(outcome.seconds)}.[/]"
        )
    line("")
    for markup in (*_serving(addresses, outcome.canary), *_next(steps)):
        console.print(markup, highlight=False, soft_wrap=True)  # to be copied as it stands


def _serving(addresses: Iterable[Address], shift: Canary | None) -> Iterator[str]:
    """Yield a line for each environment: its address, what serves there, its shift."""
    for each in addresses:
        at = f"{escape(each.url)}  " if each.url else ""
        is_shifted = shift and shift.environment == each.environment
        id_ = f", shift {shift.deployment_id}" if shift and is_shifted else ""
        yield f"[bold]{each.environment:<8}[/] {at}[dim]{escape(each.serves)}{id_}[/]"


def _next(steps: Sequence[Step]) -> Iterator[str]:
    if steps:
        yield "\nNext steps"
    for step in steps:
        yield f"  {escape(step.command)}  [dim]# {escape(step.purpose)}[/]"


def _stopped(canary: Canary) -> str:
    """Describe who stopped a shift and when, and the requests that it served until then."""
    at = f" at {canary.completed:%Y-%m-%d %H:%M:%S} UTC" if canary.completed else ""
    shift = f"Shift {canary.deployment_id} of version {canary.target_version}"
    if canary.refused:
        return f"{shift} was refused by the judge{at}; the new version got no traffic."
    traffic = canary.traffic
    return (
        f"{shift} was stopped by {escape(canary.stopper)}{at}; the new version had served "
        f"{traffic.canary_requests} requests, of which {traffic.canary_failures} failed."
    )


def _where_the_time_went(outcome: Outcome) -> Table:
    total = outcome.seconds / outcome.pace
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Where the time went")
    # A release that had ended before it was followed has no pace: it is measured by following.
    unit = "seconds by the cloud's clock" if outcome.pace == 1 else "seconds"
    table.add_column(unit, justify="right")
    table.add_column("share", justify="right")

    def row(name: str, seconds: float, style: str = "") -> None:
        share = f"{seconds / total:.0%}" if total else ""
        table.add_row(Text(name, style), f"{seconds:.1f}", share, style=style)

    before = (outcome.executions[-1].started - outcome.executions[0].started).total_seconds()
    accounted = before / outcome.pace
    if accounted:
        row("until the pipeline had changed itself", accounted)
    for stage in outcome.stages:
        seconds = outcome.wall_seconds(stage)
        accounted += seconds
        row(stage.name, seconds)
        parts = list(_parts(stage, outcome.canary))
        for name, part in parts if len(parts) > 1 else []:
            row(f"  {name}", part / outcome.pace, "dim")
    row("between the stages", max(0.0, total - accounted))
    table.add_row("all", f"{total:.1f}", "", style="bold")
    return table


def _parts(stage: Stage, canary: Canary | None) -> Iterator[tuple[str, float]]:
    """Yield the actions and how long each took; the bake apart from the action that waited."""
    for action in stage.actions:
        seconds = (action.updated - action.started).total_seconds()
        baked = _baked(stage, action, canary)
        yield action.name, seconds - baked
        if baked:
            yield "bake", baked


def _baked(stage: Stage, action: Action, canary: Canary | None) -> float:
    """Return the seconds of an action in which its deployment baked."""
    if canary is None or canary.environment != stage.name or canary.bake_began is None:
        return 0.0
    if canary.completed is None or not action.started <= canary.bake_began <= action.updated:
        return 0.0
    return (canary.completed - canary.bake_began).total_seconds()
