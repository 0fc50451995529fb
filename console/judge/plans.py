"""The plan of a canary: which regressions it detects, as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

from console.judge.axes import per_cent
from console.judge.screen import say
from console.judge.traffic import HOURS
from environments.limits import MAX_STEP_MINUTES
from pipeline.judge.causes import evidence_rate, rails_rate
from pipeline.judge.rails import firing_count
from pipeline.judge.shift import MINUTE
from pipeline.planning.forecast import OBJECTIVE, REACTION_MINUTES, Traffic
from pipeline.planning.policy import rails_threshold

if TYPE_CHECKING:
    from rich.console import Console

    from console.judge.traffic import Counted
    from environments.schema import Environment, Judge
    from pipeline.planning.forecast import Forecast

_TIMES = (2, 3, 5, 10, 20, 50)
_HIGH_POWER, _EVEN_POWER = 0.95, 0.5
_MINUTE, _HOUR = 60, 60  # seconds a minute, minutes an hour
_SHORT, _LONG = 10, 600  # minutes


@dataclass(frozen=True)
class Source:
    """A traffic, and the source of its two numbers in words."""

    traffic: Traffic
    words: str


def source(
    name: str,
    judge: Judge,
    counted: Counted | None,
    requests_per_second: float | None,
    failure_share: float | None,
) -> Source:
    """Choose the numbers: the options', the measured, or the environment file's."""
    file = f"environments/{name}.toml"
    rate, of_rate = judge.requests_per_second, file
    share, of_share = judge.failure_share, file
    if counted:
        measured = f"counted in the last {HOURS} hours"
        rate, of_rate = counted.requests / counted.seconds, measured
        # If none of few requests failed, the file is the better estimate.
        if counted.stable_failures:
            share, of_share = counted.stable_failures / counted.stable_requests, measured
    if requests_per_second is not None:
        rate, of_rate = requests_per_second, "as given"
    if failure_share is not None:
        share, of_share = failure_share, "as given"
    first = f" ({of_rate})" if of_rate != of_share else ""
    return Source(
        Traffic(rate, share),
        f"{rate:.3g} requests a second{first}, {per_cent(share)} of which fail ({of_share})",
    )


def show(forecast: Forecast, words: str, judge: Judge, console: Console) -> None:
    """Print the power of the canary by the failure rate of the new version."""
    traffic, canary, rate = forecast.traffic, forecast.canary, judge.false_rollback_rate
    say(
        console,
        f"{_shift(forecast)}, {len(canary.shares)} of which can be compared, at {words}.\n"
        f"At most {per_cent(rate)} of releases that are no worse are rolled back: "
        f"{per_cent(evidence_rate(rate))} by evidence, {per_cent(rails_rate(rate))} by guard rails."
        "\nThe evidence finds the others:",
    )
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("the new version fails", no_wrap=True)
    for name in ("", "found", "after", "users hurt", "no rule before"):
        table.add_column(name, justify="right", no_wrap=True)
    for bad in _rows(traffic):
        prospect = forecast.power.prospect(canary, bad)
        sure, even = prospect.found >= _HIGH_POWER, prospect.found >= _EVEN_POWER
        colour = "green" if sure else "yellow" if even else "red"
        table.add_row(
            times(bad, traffic),
            per_cent(bad),
            f"[{colour}]{_probability(prospect.found)}[/]",
            "" if prospect.minutes is None else minutes(prospect.minutes),
            _users(prospect.hurt),
            minutes(forecast.power.limit(canary, bad)),
        )
    console.print(table)


def answer(forecast: Forecast, certainty: float, regression: float, console: Console) -> None:
    """Print the least detectable regression, and the minutes that a regression needs."""
    traffic, sure = forecast.traffic, f"{certainty:.3g}"
    least = forecast.power.smallest(forecast.canary, certainty)
    found = (
        f"versions that fail {times(least, traffic)} ({per_cent(least)}) or more"
        if least
        else "nothing: not even a version that always fails"
    )
    say(console, f"With probability {sure} the evidence finds {found}.")
    bad = min(1.0, regression * traffic.failure_share)
    needed = forecast.minutes_for(bad, certainty)
    enough = (
        f"shift.minutes must be at least {needed} (it is {forecast.shift.minutes})"
        if needed
        else f"no shift.minutes up to {MAX_STEP_MINUTES:,} is enough: raise shift.percent"
    )
    say(
        console,
        f"To find versions that fail {times(bad, traffic)} ({per_cent(bad)}) with probability "
        f"{sure}, {enough}.",
    )
    say(
        console,
        "[dim]Bounds: the share of false rollbacks, and “no rule before”, the shortest mean time "
        "of any rule with the same rate. All else is estimated. “after” is the mean time to the "
        "minute that condemns a version, if it is found. The rollback follows about "
        f"{REACTION_MINUTES:.1f} minutes later; “users hurt” includes them. The figures are for "
        f"{OBJECTIVE} alone, without the guard rails.[/]",
    )


def rail(forecast: Forecast, environment: Environment, console: Console) -> None:
    """Print how many requests must fail for guard rail `failures` to fire."""
    guard, requests = environment.guard, _MINUTE * forecast.traffic.requests_per_second
    counts = [round(requests * forecast.shift.percent / 100), round(requests)]
    limit = guard.max_failure_share
    threshold = rails_threshold(environment.judge, environment.shift)
    fires = [
        f"{fewest} of {count:,} fail"
        for count in counts
        if count >= guard.min_requests and (fewest := firing_count(count, limit, threshold))
    ]
    least = f"Minutes with fewer than {guard.min_requests} requests are not evaluated."
    if not fires:
        say(console, f"Guard rail “failures” never fires at this traffic. {least}")
        return
    say(
        console,
        f"Guard rail “failures” fires if in a minute of the new version {', or '.join(fires)}. "
        f"{least}",
    )


def times(bad: float, traffic: Traffic) -> str:
    """Format a failure share as a multiple of the stable version's."""
    if bad == 1:
        return "always"
    return f"{float(f'{bad / traffic.failure_share:.2g}'):g} times as often"


def minutes(number: float) -> str:
    """Format minutes; below one as seconds, and many as hours."""
    if number == math.inf:
        return "never"
    if number < 1:
        return f"{number * _MINUTE:.2g} s"
    if number >= _LONG:
        return f"{number / _HOUR:,.0f} h"
    return f"{number:.1f} min" if number < _SHORT else f"{number:.0f} min"


def _rows(traffic: Traffic) -> list[float]:
    shares = [each * traffic.failure_share for each in _TIMES]
    return [each for each in shares if each < 1] + [1.0]


def _shift(forecast: Forecast) -> str:
    shift = forecast.shift
    if shift.linear:
        return f"{shift.percent} % more every {shift.minutes} of {shift.length // MINUTE} minutes"
    return f"{shift.percent} % for {shift.minutes} minutes"


def _probability(found: float) -> str:
    whole = round(100 * found)  # never shown as certain
    return "> 99 %" if whole == 100 else f"{whole} %" if whole else "< 1 %"  # noqa: PLR2004  # all


def _users(hurt: float) -> str:
    return f"{hurt:,.0f}" if round(hurt) else f"{hurt:.1g}"
