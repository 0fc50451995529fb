"""`pithead judge` and its commands replay, plan and backtest."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape

from console.aws.account import connect
from console.aws.speed import announced_speed, rate_here
from console.checkout import Checkout
from console.errors import ConsoleError
from console.judge import tables
from console.judge.backtest import Policy, Release, backtest, document
from console.judge.picture import svg
from console.judge.plans import answer, rail, show, source
from console.judge.records import (
    from_file,
    from_folder,
    is_deployment,
    newest_of_environment,
    of_deployment,
    of_environment,
)
from console.judge.replay import heading, replay_record
from console.judge.screen import drawn, say
from console.judge.traffic import counted
from environments.schema import NAMES
from pipeline.planning.forecast import forecast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.judge.traffic import Counted
    from environments.schema import Environment
    from pipeline.judge.statistics.record import Record


class _FiniteRange(click.FloatRange):
    """A range of numbers that rejects NaN and infinity."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"found {value!r}; allowed are finite numbers", param, ctx)
        return number


_SHARE = _FiniteRange(min=0, max=1, min_open=True, max_open=True)


@click.group("judge")
def command() -> None:
    """Replay, plan and backtest the canary judge's decisions.

    \b
      pithead judge replay prod          recompute the newest release's verdict, and draw it
      pithead judge replay d-ABCDEF123   recompute the verdict of an earlier release
      pithead judge plan prod            which regressions the canary detects, and how soon
      pithead judge backtest prod        what another rule would have done with past releases
    """  # noqa: D301  # \b is click's own sign


@command.command("replay")
@click.argument("record", metavar="ENVIRONMENT|DEPLOYMENT_ID|FILE")
@click.option(
    "--svg",
    "picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="SVG file to write the picture to; default: only the terminal's.",
)
def replay(record: str, picture: Path | None) -> int:
    """Recompute a release's verdict from its record, and draw it.

    ENVIRONMENT (dev, staging or prod) selects the newest judged release there, DEPLOYMENT_ID any
    other, and FILE a decision record on disk. This checkout's code computes everything again from
    the record's counts and parameters, and compares the results with the record.

    \b
    Exit codes:
      0  every result is the same
      1  a result differs, or the record cannot be read
      2  wrong usage
    """  # noqa: D301  # \b is click's own sign
    result = replay_record(_record(record))
    console = Console()
    colour = "green" if result.same else "red"
    say(console, f"[bold]{escape(heading(result.record))}[/]")
    say(console, escape(result.record.sentence))
    console.print(tables.checks(result))
    if result.record.periods:
        console.print(drawn(result.course))
    if picture:
        _write(picture, svg(result.course))
    words = "the same" if result.same else "NOT the same"
    say(console, f"Replayed: [{colour}]{words}[/].")
    return 0 if result.same else 1


@command.command("plan")
@click.argument("environment", metavar="[ENVIRONMENT]", type=click.Choice(NAMES), default="prod")
@click.option(
    "--requests-per-second",
    type=_FiniteRange(min=0, min_open=True),
    metavar="RATE",
    help="Requests per second of the cloud's clock; default: measured in the last three hours, "
    "else the environment file's.",
)
@click.option(
    "--failure-share",
    type=_SHARE,
    metavar="SHARE",
    help="Share of the stable version's requests that fail, such as 0.001; default: measured in "
    "the last three hours, else the environment file's.",
)
@click.option(
    "--certainty",
    type=_SHARE,
    metavar="SHARE",
    default=0.95,
    show_default=True,
    help="Probability of detecting the regression.",
)
@click.option(
    "--regression",
    type=_FiniteRange(min=1, min_open=True),
    metavar="FACTOR",
    default=5.0,
    show_default=True,
    help="Failure-rate multiplier to detect.",
)
def plan(
    environment: str,
    requests_per_second: float | None,
    failure_share: float | None,
    certainty: float,
    regression: float,
) -> None:
    """Show which regressions a canary detects, and how soon.

    ENVIRONMENT is dev, staging or prod (the default). Its file sets the canary and the rule. The
    command also shows how many bad requests each regression costs before it is detected.
    """
    checkout = Checkout.here()
    wanted = checkout.environments()[environment]
    if wanted.judge is None:
        raise ConsoleError(
            f"environments/{environment}.toml: shift.type: found {wanted.shift.type!r}; a judge "
            "needs a canary or a linear shift. Name another environment"
        )
    measured = None
    if requests_per_second is None or failure_share is None:
        measured = _measured(checkout, environment, wanted)
    traffic = source(environment, wanted.judge, measured, requests_per_second, failure_share)
    prediction = forecast(wanted, traffic.traffic)
    assert prediction is not None  # noqa: S101  # the environment has a judge
    console = Console()
    show(prediction, traffic.words, wanted.judge, console)
    rail(prediction, wanted, console)
    answer(prediction, certainty, regression, console)
    rate = traffic.traffic.requests_per_second
    scaled = rate_here(rate, announced_speed(checkout.states))
    if scaled:
        say(console, f"[dim]Minutes and rates are the cloud's: {rate:.3g} requests a second are "
            f"{scaled}.[/]")  # fmt: skip


@command.command("backtest")
@click.argument("releases", metavar="[FOLDER|ENVIRONMENT]", default="prod")
@click.option(
    "--false-rollback-rate",
    type=_SHARE,
    metavar="SHARE",
    help="Largest share of good releases that the evidence may roll back; default: each record's.",
)
@click.option(
    "--tolerance",
    type=_FiniteRange(min=1),
    metavar="RATIO",
    help="Largest odds ratio of a bad request, new version to stable, that counts as no worse; "
    "default: each record's.",
)
@click.option(
    "--objective",
    "objectives",
    metavar="NAME=SHARE",
    multiple=True,
    help="Share of the false-rollback rate for an objective, such as failures=0.5; repeat it for "
    "each objective, with a sum of 1; default: each record's.",
)
@click.option(
    "--minutes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of minutes to judge from the begin of each shift; default: all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, not a table.")
def past(
    releases: str,
    false_rollback_rate: float | None,
    tolerance: float | None,
    objectives: tuple[str, ...],
    minutes: int | None,
    as_json: bool,
) -> int:
    """Show what another rule would have done with past releases.

    FOLDER holds decision records (*.json); ENVIRONMENT selects all records of dev, staging or
    prod (the default). For each release the command shows whether the rule would have rolled it
    back, when, and at what cost. A release that ended before the rule had a verdict is shown as
    open, because its cost is unknown.

    \b
    Exit codes:
      0  done
      1  error, or a record cannot be read (it is logged to stderr and skipped)
      2  wrong usage
    """  # noqa: D301  # \b is click's own sign
    policy = Policy(false_rollback_rate, tolerance, _objectives(objectives), minutes)
    tested, unread = _tested(policy, _records(releases))
    if as_json:
        click.echo(json.dumps(document(policy, tested), indent=2))
    else:
        tables.releases(tested, Console())
    for error in unread:
        click.echo(f"pithead: {error}", err=True)
    return 1 if unread else 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConsoleError(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"wrote {path}", err=True)


def _record(name: str) -> Record:
    if Path(name).exists() or not (name in NAMES or is_deployment(name)):
        return from_file(Path(name))
    checkout = Checkout.here()
    environments = checkout.environments()
    aws, target = connect(checkout)
    click.echo(target, err=True)
    if name in NAMES:
        return newest_of_environment(aws, name, environments[name])
    return of_deployment(aws, environments, name)


def _records(name: str) -> Iterable[Record | ConsoleError]:
    if name not in NAMES:
        return from_folder(Path(name))
    checkout = Checkout.here()
    environment = checkout.environments()[name]
    aws, target = connect(checkout)
    click.echo(target, err=True)
    return of_environment(aws, name, environment)


def _tested(
    policy: Policy, records: Iterable[Record | ConsoleError]
) -> tuple[list[Release], list[ConsoleError]]:
    tested, unread = [], []
    for each in records:
        if isinstance(each, ConsoleError):
            unread.append(each)
        elif each.outcome != "in progress":
            tested.append(backtest(policy, each))
    if not tested and not unread:
        raise ConsoleError("found no decision record of a past release. Run pithead release first")
    return sorted(tested, key=lambda each: each.record.began), unread


def _objectives(given: tuple[str, ...]) -> dict[str, float] | None:
    shares: dict[str, float] = {}
    for each in given:
        name, _, share = each.partition("=")
        try:
            shares[name] = float(share)
        except ValueError as error:
            raise click.BadParameter(
                f"found {each!r}; allowed is NAME=SHARE such as failures=0.5"
            ) from error
    if shares and not (min(shares.values()) > 0 and math.isclose(sum(shares.values()), 1)):
        raise click.BadParameter(
            f"found {' '.join(given)}; allowed are shares above 0 with a sum of 1"
        )
    return shares or None


def _measured(checkout: Checkout, name: str, environment: Environment) -> Counted | None:
    """Return the traffic measured in an environment; None if no cloud answers."""
    try:
        aws, target = connect(checkout)
        click.echo(target, err=True)
        return counted(aws, name, environment)
    except ConsoleError as error:
        click.echo(f"note: the traffic was not measured: {error}", err=True)
        return None
