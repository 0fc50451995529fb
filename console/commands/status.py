"""`pithead status`."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from console.aws.account import answered_at, connect
from console.aws.connections import repository_url
from console.aws.customers import LATE_MINUTES, MINUTES
from console.checkout import Checkout
from console.lineage import CheckoutLineage
from console.release.state import look
from console.words import ENDINGS, duration, mark
from pipeline.judge.statistics.judging import line
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from datetime import datetime

    from console.aws.customers import Responses
    from console.release.executions import Execution
    from console.release.state import EnvironmentState, State
    from pipeline.judge.statistics.record import Record


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def command(as_json: bool) -> None:
    """Show each environment's version and health, and the pipeline's state.

    Each environment is shown with its address, the version and commit that serve, the weights
    during a shift, the outcome of its last release, and its health. It is healthy if /health and
    /ready answer, none of its alarms is red, and in the last five minutes API Gateway answered at
    most guard.max_failure_share of the requests with 5xx.
    """
    checkout = Checkout.here()
    environments = checkout.environments()
    aws, whom = connect(checkout)
    click.echo(whom, err=True)
    now = answered_at(aws.client("sts").get_caller_identity())
    home = checkout.home()
    lineage = CheckoutLineage(
        checkout, lambda: repository_url(aws, checkout, home.repository), home.branch
    )
    state = look(aws, environments, lineage, now)
    if as_json:
        click.echo(json.dumps(document(state, now), indent=2))
    else:
        _show(state, now, Console())


def document(state: State, now: datetime) -> dict[str, Any]:
    """The state as JSON.

    ```json
    {"schema": 1, "endpoint": "http://127.0.0.1:4566", "time": "2026-01-01T12:00:00+00:00",
     "environments": [
       {"name": "prod", "account": "444444444444", "region": "eu-west-1", "url": "http://…/prod/",
        "version": "2", "commit": "…", "weights": {"2": 0.9, "3": 0.1},
        "healthy": false, "problems": ["12% of requests fail", "1 red alarm", "not ready"],
        "health": {"alive": true, "ready": false, "reason": "…/ready: 503"}, "unseen": null,
        "responses": {"minutes": 5, "requests": 600, "failures": 72, "client_errors": 3},
        "alarms": [{"name": "files-prod-new-version-failures", "since": "…", "reason": "…"}],
        "deployment": "d-…",
        "outcome": {"ending": "rolled_back", "sentence": "…", "time": "…", "execution": "…"},
        "judge": {"deployment": "d-…", "version": "3", "evidence": 1.32, "line": 2.0,
          "verdict": "undecided", "incident": false, "outcome": "in progress",
          "sentence": "…"}}],
     "pipeline": {"name": "pithead", "execution": "…", "status": "InProgress", "commit": "…",
       "started": "…", "stages": [{"name": "prod", "status": "InProgress", "seconds": 12.5}]}}
    ```

    `endpoint` is null on AWS. `version`, `commit`, `weights`, `url`, `healthy`, `health` and
    `responses` are null if nothing is deployed, or if `unseen` says why the account cannot be
    read; `outcome` if no execution has ended, `pipeline.execution` and what follows it before
    the first; `deployment`, CodeDeploy's id of the newest shift of traffic, before the first;
    `judge` if no judge has reported on that shift. `weights` are shares by version. `responses` are
    API Gateway's in the last `minutes`, `failures` those with status 5xx and `client_errors`
    those with 4xx. `alarms` are the environment's red alarms. `healthy` says whether
    `problems` is empty. `ending` is promoted, rolled_back, refused or error. Seconds and times
    are the cloud's.
    """
    return {
        "schema": 1,
        "endpoint": os.environ.get("AWS_ENDPOINT_URL"),
        "time": now.isoformat(),
        "environments": [_environment(each) for each in state.environments],
        "pipeline": {"name": PIPELINE} | _execution(state.execution, now),
    }


def _responses(found: Responses) -> dict[str, Any]:
    until = found.until.isoformat() if found.until else None
    return {"minutes": MINUTES} | vars(found) | {"until": until}


def _environment(state: EnvironmentState) -> dict[str, Any]:
    serving, health, outcome = state.serving, state.health, state.outcome
    return {
        "name": state.name,
        "account": state.account,
        "region": state.region,
        "url": state.url,
        "version": serving.version if serving else None,
        "commit": serving.commit if serving else None,
        "weights": serving.weights if serving else None,
        "healthy": not state.problems if serving else None,
        "problems": list(state.problems),
        "health": vars(health) if health else None,
        "responses": _responses(state.responses) if state.responses else None,
        "alarms": [vars(each) | {"since": each.since.isoformat()} for each in state.alarms],
        "deployment": state.shift.deployment_id if state.shift else None,
        "unseen": state.unseen or None,
        "outcome": {
            "ending": outcome.ending,
            "sentence": outcome.sentence,
            "time": outcome.when.isoformat(),
            "execution": outcome.execution,
        }
        if outcome
        else None,
        "judge": _judge(state.judged) if state.judged else None,
    }


def _judge(record: Record) -> dict[str, Any]:
    return {
        "deployment": record.deployment_id,
        "version": record.canary,
        "evidence": record.evidence[-1] if record.evidence else None,
        "line": line(record.parameters),
        "verdict": record.verdict,
        "incident": record.incident,
        "outcome": record.outcome,
        "sentence": record.sentence,
    }


def _execution(execution: Execution | None, now: datetime) -> dict[str, Any]:
    if execution is None:
        return dict.fromkeys(("execution", "status", "commit", "started", "stages"))
    return {
        "execution": execution.id,
        "status": execution.status,
        "commit": execution.commit,
        "started": execution.started.isoformat(),
        "stages": [
            {"name": each.name, "status": each.status, "seconds": each.seconds(now)}
            for each in execution.stages
        ],
    }


def _show(state: State, now: datetime, console: Console) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("environment", "version", "commit", "traffic", "health", "last release"):
        table.add_column(name)
    for each in state.environments:
        serving = each.serving
        if serving is None:
            nothing = "cannot be read" if each.unseen else "nothing deployed"
            table.add_row(
                f"[bold]{each.name}[/]", f"[dim]{nothing}[/]", "", "", "", _last(each, now)
            )
            continue
        table.add_row(
            f"[bold]{each.name}[/]",
            serving.version,
            (serving.commit or "unknown")[:7],
            ", ".join(f"{share:.0%} → {version}" for version, share in serving.weights.items()),
            _health(each),
            _last(each, now),
        )
    console.print(table)
    for each in state.environments:
        _detail(each, console)
    execution = state.execution
    if execution is None:
        console.print("The pipeline has not run yet.")
        return
    kind = "rollback" if execution.rollback else "execution"
    console.print(
        f"{mark(execution.status)} {kind} {execution.id[:8]} of "
        f"{(execution.commit or 'a commit not yet known')[:7]}: {execution.status}",
        highlight=False,
    )
    if execution.ended and execution.status != "Succeeded":
        why = f"{execution.summary.rstrip('.')}. " if execution.summary else ""
        console.print(
            f"  {escape(why)}Next: pithead release explains it, or starts it again",
            highlight=False,
            soft_wrap=not console.is_terminal,
        )
    console.print(
        "  " + "  ".join(f"{mark(each.status)} {escape(each.name)}" for each in execution.stages),
        highlight=False,
    )


def _detail(state: EnvironmentState, console: Console) -> None:
    """Print an environment's address, and the reasons for its problems."""
    if state.url:
        shift = f"  [dim]last shift {state.shift.deployment_id}[/]" if state.shift else ""
        line = f"[bold]{state.name}[/]  {escape(state.url)}  [dim]{_answered(state)}[/]{shift}"
        console.print(line, highlight=False, soft_wrap=True)
    for alarm in state.alarms:
        line = f"  [red]red: {alarm.name}[/] since {alarm.since:%H:%M:%S}: {escape(alarm.reason)}"
        console.print(line, highlight=False, soft_wrap=not console.is_terminal)
    told = (
        state.unseen,
        state.health.reason if state.health else "",
        f"{state.outcome.sentence} (last release)"
        if state.outcome and state.outcome.sentence
        else "",
        _said(state.judged) if state.judged else "",
    )
    for sentence in filter(None, told):
        line = (
            f"  [dim]{escape(sentence)}[/]"
            if state.url
            else f"[dim]{state.name}: {escape(sentence)}[/]"
        )
        console.print(line, highlight=False, soft_wrap=not console.is_terminal)


def _answered(state: EnvironmentState) -> str:
    """Describe the responses that customers got."""
    found = state.responses
    if found is None or not found.requests:
        return f"no request in the last {MINUTES + LATE_MINUTES} min"
    rejected = f", {found.client_errors} answered 4xx" if found.client_errors else ""
    when = f"in the {MINUTES} min to {found.until:%H:%M}" if found.until else ""
    return f"{found.failures} of {found.requests} requests failed {when}{rejected}"


def _said(record: Record) -> str:
    return f"the judge of version {record.canary} ({record.outcome}): {record.sentence}"


def _health(state: EnvironmentState) -> str:
    if state.health is None:
        return "[yellow]no URL[/]"
    if not state.problems:
        return "[green]healthy[/]"
    colour = "yellow" if state.problems == ("not ready",) else "red"
    return f"[{colour}]{', '.join(state.problems)}[/]"


def _last(state: EnvironmentState, now: datetime) -> str:
    if state.outcome is None:
        return "[dim]none[/]"
    words, colour = ENDINGS[state.outcome.ending]
    ago = duration(max(0.0, (now - state.outcome.when).total_seconds()))
    return f"[{colour}]{words}[/] [dim]{ago} ago[/]"
