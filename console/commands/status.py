"""`pithead status`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from console.aws.account import connect
from console.aws.connections import repository_url
from console.aws.impact import MAX_METRIC_DELAY_MINUTES, WINDOW_MINUTES
from console.checkout import Checkout
from console.lineage import CheckoutLineage
from console.release.status import read_status
from console.release.status_document import status_document
from console.words import ENDINGS, duration, mark
from pipeline.gates.aws import answered_at

if TYPE_CHECKING:
    from datetime import datetime

    from console.release.executions import Execution
    from console.release.status import EnvironmentStatus, Status
    from pipeline.judge.statistics.record import Record


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, not a table.")
def command(as_json: bool) -> None:
    """Show what each environment serves, and its health.

    The command ends with the pipeline's newest execution.

    For each environment the command shows the address, the version and commit that serve, the
    weights during a shift, the outcome of the last release, and the health. An environment is
    healthy if /health and /ready answer, none of its alarms is red, and in the last five minutes
    API Gateway answered at most guard.max_failure_share of the requests with 5xx.
    """
    checkout = Checkout.here()
    environments = checkout.environments()
    aws, target = connect(checkout)
    click.echo(target, err=True)
    now = answered_at(aws.client("sts").get_caller_identity())
    home = checkout.home()
    lineage = CheckoutLineage(
        checkout, lambda: repository_url(aws, checkout, home.repository), home.branch
    )
    status = read_status(aws, environments, lineage, now)
    if as_json:
        click.echo(json.dumps(status_document(status, now), indent=2))
    else:
        _show(status, now, Console())


def _show(status: Status, now: datetime, console: Console) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("environment", "version", "commit", "traffic", "health", "last release"):
        table.add_column(name)
    for each in status.environments:
        serving = each.serving
        if serving is None:
            nothing = "cannot be read" if each.unreadable else "nothing deployed"
            table.add_row(
                f"[bold]{each.name}[/]", f"[dim]{nothing}[/]", "", "", "", _last_outcome(each, now)
            )
            continue
        table.add_row(
            f"[bold]{each.name}[/]",
            serving.version,
            (serving.commit or "unknown")[:7],
            ", ".join(f"{share:.0%} → {version}" for version, share in serving.weights.items()),
            _health(each),
            _last_outcome(each, now),
        )
    console.print(table)
    for each in status.environments:
        _show_details(each, console)
    if status.execution is None:
        console.print("The pipeline has not run yet. Next: pithead release")
    else:
        _show_execution(status.execution, console)


def _show_execution(execution: Execution, console: Console) -> None:
    """Print the execution's status, the next command if it failed, and its stages."""
    kind = "rollback" if execution.rollback else "execution"
    console.print(
        f"{mark(execution.status)} {kind} {execution.id[:8]} of "
        f"{(execution.commit or 'a commit not yet known')[:7]}: {execution.status}",
        highlight=False,
    )
    if execution.ended and execution.status != "Succeeded":
        reason = f"{execution.summary.rstrip('.')}. " if execution.summary else ""
        console.print(
            f"  {escape(reason)}Next: pithead release explains it, or starts it again",
            highlight=False,
            soft_wrap=not console.is_terminal,
        )
    console.print(
        "  " + "  ".join(f"{mark(each.status)} {escape(each.name)}" for each in execution.stages),
        highlight=False,
    )


def _show_details(status: EnvironmentStatus, console: Console) -> None:
    """Print an environment's address, and the reasons for its problems."""
    if status.url:
        shift = f"  [dim]last shift {status.shift.deployment_id}[/]" if status.shift else ""
        line = f"[bold]{status.name}[/]  {escape(status.url)}  [dim]{_responses(status)}[/]{shift}"
        console.print(line, highlight=False, soft_wrap=True)
    for alarm in status.alarms:
        line = f"  [red]red: {alarm.name}[/] since {alarm.since:%H:%M:%S}: {escape(alarm.reason)}"
        console.print(line, highlight=False, soft_wrap=not console.is_terminal)
    sentences = (
        status.unreadable,
        status.health.reason if status.health else "",
        f"{status.outcome.sentence} (last release)"
        if status.outcome and status.outcome.sentence
        else "",
        _verdict(status.record) if status.record else "",
    )
    for sentence in filter(None, sentences):
        line = (
            f"  [dim]{escape(sentence)}[/]"
            if status.url
            else f"[dim]{status.name}: {escape(sentence)}[/]"
        )
        console.print(line, highlight=False, soft_wrap=not console.is_terminal)


def _responses(status: EnvironmentStatus) -> str:
    """Describe the responses that customers got."""
    found = status.responses
    if found is None or not found.requests:
        return f"no request in the last {WINDOW_MINUTES + MAX_METRIC_DELAY_MINUTES} min"
    rejected = f", {found.client_errors} answered 4xx" if found.client_errors else ""
    window = f"in the {WINDOW_MINUTES} min to {found.until:%H:%M}" if found.until else ""
    return f"{found.failures} of {found.requests} requests failed {window}{rejected}"


def _verdict(record: Record) -> str:
    return f"the judge of version {record.canary} ({record.outcome}): {record.sentence}"


def _health(status: EnvironmentStatus) -> str:
    if status.health is None:
        return "[yellow]no URL[/]"
    if not status.problems:
        return "[green]healthy[/]"
    colour = "yellow" if status.problems == ("not ready",) else "red"
    return f"[{colour}]{', '.join(status.problems)}[/]"


def _last_outcome(status: EnvironmentStatus, now: datetime) -> str:
    if status.outcome is None:
        return "[dim]none[/]"
    words, colour = ENDINGS[status.outcome.ending]
    ago = duration(max(0.0, (now - status.outcome.when).total_seconds()))
    return f"[{colour}]{words}[/] [dim]{ago} ago[/]"
