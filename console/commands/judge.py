"""`pithead judge`: replay, plan, backtest."""

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
from console.judge import planning, tables
from console.judge.backtest import Policy, Release, backtest, document
from console.judge.picture import svg
from console.judge.records import (
    from_file,
    from_folder,
    is_deployment,
    newest_of_environment,
    of_deployment,
    of_environment,
)
from console.judge.replaying import heading, replayed
from console.judge.screen import drawn, say
from console.judge.traffic import counted
from environments.schema import NAMES
from pipeline.planning.forecast import forecast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.judge.traffic import Counted
    from environments.schema import Environment
    from pipeline.judge.statistics.record import Record


class _Number(click.FloatRange):
    """A range that NaN is not in."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number", param, ctx)
        return number


_SHARE = _Number(min=0, max=1, min_open=True, max_open=True)


@click.group("judge")
def command() -> None:
    """Read the canary judge: what it decided, what it will find, what another rule would do.

    \b
      pithead judge replay prod          recompute the newest release's verdict, and draw it
      pithead judge replay d-ABCDEF123   do the same for an earlier release
      pithead judge plan prod            which regressions the canary finds, and how soon
      pithead judge backtest prod        hold another rule against the past releases
    """  # noqa: D301  # \b is click's own sign


@command.command("replay")
@click.argument("record", metavar="ENVIRONMENT|DEPLOYMENT_ID|FILE")
@click.option("--svg", "picture", type=click.Path(dir_okay=False, path_type=Path),
              help="SVG file to write the picture to.")  # fmt: skip
def replay(record: str, picture: Path | None) -> int:
    """Recompute the verdict of a release from its decision record, and draw it.

    ENVIRONMENT (dev, staging or prod) selects its newest judged release. The record is read from
    the bucket of that environment's judge, or from FILE. This checkout's code computes everything
    again from the record's counts and parameters, and compares it line by line.

    \b
    Exit codes: 0 the same, 1 something differs, or the record cannot be read.
    """  # noqa: D301  # \b is click's own sign
    again = replayed(_record(record))
    console = Console()
    colour = "green" if again.same else "red"
    say(console, f"[bold]{escape(heading(again.record))}[/]")
    say(console, escape(again.record.sentence))
    console.print(tables.checks(again))
    if again.record.periods:
        console.print(drawn(again.course))
    if picture:
        _write(picture, svg(again.course))
    said = "the same" if again.same else "NOT the same"
    say(console, f"Replayed: [{colour}]{said}[/].")
    return 0 if again.same else 1


@command.command("plan")
@click.argument("environment", metavar="ENVIRONMENT", type=click.Choice(NAMES), default="prod")
@click.option("--requests-per-second", type=_Number(min=0, min_open=True),
              help="Traffic to plan for; default: measured, or from the file.")  # fmt: skip
@click.option("--failure-share", type=_SHARE,
              help="Share of the stable version's requests that fail, such as 0.001.")  # fmt: skip
@click.option("--certainty", type=_SHARE, default=0.95, show_default=True,
              help="Probability of detecting the regression.")  # fmt: skip
@click.option("--regression", type=_Number(min=1, min_open=True), default=5.0,
              show_default=True, help="Failure-rate multiplier to detect.")  # fmt: skip
def plan(
    environment: str,
    requests_per_second: float | None,
    failure_share: float | None,
    certainty: float,
    regression: float,
) -> None:
    """Say which regressions an environment's canary finds, how surely, how soon, at whose cost.

    The traffic is what was counted in the environment in the last three hours, else what its
    file expects; the canary and the rule are the file's.
    """
    checkout = Checkout.here()
    wanted = checkout.environments()[environment]
    if wanted.judge is None:
        raise ConsoleError(
            f"environments/{environment}.toml: shift.type: found {wanted.shift.type!r}; "
            "only a canary or a linear shift is judged"
        )
    seen = None
    if requests_per_second is None or failure_share is None:
        seen = _counted(checkout, environment, wanted)
    traffic = planning.source(environment, wanted.judge, seen, requests_per_second, failure_share)
    made = forecast(wanted, traffic.traffic)
    assert made is not None  # noqa: S101  # it has a judge
    console = Console()
    planning.show(made, traffic.words, wanted.judge, console)
    planning.answer(made, certainty, regression, console)
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
    help="Share of releases that are no worse which may be rolled back.",
)
@click.option(
    "--tolerance",
    type=_Number(min=1),
    help="Odds of a bad request, new to stable, that are no worse.",
)
@click.option("--objective", "objectives", metavar="NAME=SHARE", multiple=True,
              help="Share of the evidence; more than once, together 1.")  # fmt: skip
@click.option("--minutes", type=click.IntRange(min=1), help="Judge only a shift's first minutes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def past(
    releases: str,
    false_rollback_rate: float | None,
    tolerance: float | None,
    objectives: tuple[str, ...],
    minutes: int | None,
    as_json: bool,
) -> int:
    """Hold a rule against past releases: would it have fired, when, and at what cost.

    The releases are a folder's decision records (*.json), or all those of an environment. What
    no option changes is as each record has it. Of a release that ended before the rule had a
    verdict nobody knows what it would have cost; it is shown as open.

    \b
    Exit codes: 0 done, 1 an error, or a record that cannot be read (told; the others count).
    """  # noqa: D301  # \b is click's own sign
    policy = Policy(false_rollback_rate, tolerance, _objectives(objectives), minutes)
    tested, unread = _tested(policy, _past(releases))
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
    click.echo(f"drawn into {path}", err=True)


def _record(name: str) -> Record:
    if Path(name).exists() or not (name in NAMES or is_deployment(name)):
        return from_file(Path(name))
    checkout = Checkout.here()
    environments = checkout.environments()
    aws, whom = connect(checkout)
    click.echo(whom, err=True)
    if name in NAMES:
        return newest_of_environment(aws, name, environments[name])
    return of_deployment(aws, environments, name)


def _past(name: str) -> Iterable[Record | ConsoleError]:
    if name not in NAMES:
        return from_folder(Path(name))
    checkout = Checkout.here()
    environment = checkout.environments()[name]
    aws, whom = connect(checkout)
    click.echo(whom, err=True)
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
        raise ConsoleError("there is no decision record of a past release there yet")
    return sorted(tested, key=lambda each: each.record.began), unread


def _objectives(given: tuple[str, ...]) -> dict[str, float] | None:
    shares: dict[str, float] = {}
    for each in given:
        name, _, share = each.partition("=")
        try:
            shares[name] = float(share)
        except ValueError as error:
            raise click.BadParameter(f"{each!r} is no NAME=SHARE such as failures=0.5") from error
    if shares and not (min(shares.values()) > 0 and math.isclose(sum(shares.values()), 1)):
        raise click.BadParameter(f"found {' '.join(given)}; the shares must be above 0, together 1")
    return shares or None


def _counted(checkout: Checkout, name: str, environment: Environment) -> Counted | None:
    """What was counted there; a canary can be planned without anybody to ask."""
    try:
        aws, whom = connect(checkout)
        click.echo(whom, err=True)
        return counted(aws, name, environment)
    except ConsoleError as error:
        click.echo(f"note: the traffic was not counted: {error}", err=True)
        return None
