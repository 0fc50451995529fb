"""Tables of replays and backtests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from console.judge.screen import say
from pipeline.judge.statistics.judging import CONDEMNING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from console.judge.backtest import Release
    from console.judge.replay import Replay

_MARKS = {"same": "[green]✓[/]", "explained": "[yellow]![/]", "differs": "[red]✗[/]"}
_VERDICTS = {
    "rollback": "[red]rollback[/]",
    "inconsistent": "[red]inconsistent[/]",
    "better": "[green]better[/]",
    "good": "[green]good[/]",
    "undecided": "[yellow]undecided[/]",
}


def checks(replay: Replay) -> Table:
    """Return the table of compared results."""
    table = Table.grid(padding=(0, 1))
    table.add_column()
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for each in replay.checks:
        table.add_row(_MARKS[each.answer], each.what, escape(each.sentence))
    return table


def releases(tested: Sequence[Release], console: Console) -> None:
    """Print for each release what happened and what the policy would have done."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("began", "deployment", "outcome", "after", "bad", "the rule", "after", "bad"):
        right = name in {"after", "bad"}
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "outcome")
    for each in tested:
        record = each.record
        was, now = (f"{minutes:.3g} min" if minutes else "" for minutes in each.minutes)
        table.add_row(
            f"{record.began:%m-%d %H:%M}",
            record.deployment_id,
            escape(record.outcome),
            was,
            f"{each.happened.bad:,}",
            "[yellow]open[/]" if each.open else _VERDICTS[each.policy.verdict],
            now,
            f"{'≥ ' if each.open else ''}{each.policy.bad:,}",
        )
    console.print(table)
    say(console, _sums(tested))


def _sums(tested: Sequence[Release]) -> str:
    """Return the sums, such as `Condemned: 1 of 3 releases …`."""
    was = [each for each in tested if each.happened.verdict in CONDEMNING]
    now = [each for each in tested if each.policy.verdict in CONDEMNING]
    new = [each for each in now if each not in was]
    left = sum(each.open for each in tested)
    at_least = "at least " if left else ""
    return (
        f"Condemned: {len(was)} of {_count(len(tested), 'release')}; by the rule, {len(now)} "
        f"({len(new)} new), and {left} {'is' if left == 1 else 'are'} open.\n"
        f"Bad requests until then: {sum(each.happened.bad for each in tested):,}; by the rule, "
        f"{at_least}{sum(each.policy.bad for each in tested):,}."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
