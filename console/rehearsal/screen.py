"""The screen of the rehearsal: acts, progress and traffic, then a table."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from console.live import live
from console.release.screen import Lines, progress
from console.words import ENDINGS, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import RenderableType

    from console.rehearsal.acts import Act
    from console.rehearsal.result import Rehearsal, Result
    from console.rehearsal.traffic import Served
    from console.release.snapshot import Snapshot

_MARKS = {True: "[green]✓[/]", False: "[red]✗[/]"}


class RehearsalScreen:
    """Shows the acts: live on a terminal, one line per change elsewhere."""

    def __init__(self, acts: Sequence[Act], console: Console) -> None:
        self._to_come = [act.name for act in acts]
        self._console = console
        self._lines = Lines(console)
        self._title = ""
        self._snapshot: Snapshot | None = None
        self._served: Callable[[], Served] | None = None

    @contextmanager
    def opening(self, title: str) -> Iterator[None]:
        """Show the opening release while the block runs."""
        self._title = title
        self._lines.print(title)
        with live(self._console, self._render):
            yield

    @contextmanager
    def playing(self, act: Act, commit: str, served: Callable[[], Served]) -> Iterator[None]:
        """Show an act and its traffic while the block runs."""
        self._to_come.remove(act.name)
        title = f"{act.name}: {commit[:7]} {act.message}"
        self._title, self._served, self._snapshot = title, served, None
        self._lines.print(title)
        with live(self._console, self._render):
            yield

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot of the release."""
        self._snapshot = snapshot
        self._lines.print_changes(snapshot)

    def played(self, result: Result) -> None:
        """Print the result of an act."""
        words, colour = ENDINGS[result.outcome.ending]
        self._console.print(
            f"{_MARKS[not result.problems]} [bold]{result.act.name}[/] [{colour}]{words}[/] "
            f"[dim]after {duration(result.outcome.wall)}[/]: {escape(result.outcome.sentence)}",
            highlight=False,
        )
        for problem in result.problems:
            self._console.print(f"  [red]{escape(problem)}[/]", highlight=False)

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = [
            Text.from_markup(f"[bold]{escape(self._title)}[/]  [dim]{self._lines.passed}[/]")
        ]
        if self._snapshot:
            parts.append(progress(self._snapshot))
        if self._served:
            served = self._served()
            parts.append(
                Text.from_markup(
                    f"  [dim]customers of prod: {served.requests} requests, "
                    f"{served.failures} failed[/]"
                )
            )
        if self._to_come:
            parts.append(Text(f"  to come: {', '.join(self._to_come)}", "dim"))
        return Group(*parts)


def summary(rehearsal: Rehearsal) -> Group:
    """Return the summary: a table with a row per act, and the verdict below."""
    table = Table(box=box.SIMPLE_HEAD, title="The rehearsal", title_justify="left")
    table.title_style = "bold"
    for name in ("", "act", "outcome", "prod's version", "on the canary"):
        table.add_column(name, no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    for result in rehearsal.results:
        words, colour = ENDINGS[result.outcome.ending]
        table.add_row(
            _MARKS[not result.problems],
            f"[bold]{result.act.name}[/]",
            Text(words, colour),
            f"{result.before.version} → {result.after.version}",
            _canary(result),
            duration(result.outcome.wall),
        )
    parts: list[RenderableType] = [table]
    for result in rehearsal.results:
        why = "; ".join(result.problems) or _short(result)
        parts.append(Text.from_markup(f"[dim]{result.act.name}:[/] {escape(why)}."))
    if rehearsal.audit_not_run:
        parts.append(
            Text.from_markup(
                "[yellow]Not run: pip-audit, permitted by an override that expires[/]: "
                f"{escape(rehearsal.audit_not_run)}."
            )
        )
    took, words = duration(rehearsal.seconds), "ended as it should"
    if rehearsal.as_expected:
        parts.append(Text.from_markup(f"\n[bold green]Every act {words}[/], in {took}."))
    else:
        parts.append(Text.from_markup(f"\n[bold red]Not every act {words}[/], in {took}."))
    return Group(*parts)


def _short(result: Result) -> str:
    """Return a short reason, without the details in other columns."""
    outcome, reason = result.outcome, result.reason
    if outcome.ending == "rolled_back" and "verdict" in reason:
        return f"stopped by the judge's verdict {reason['verdict']}"
    if outcome.ending == "rolled_back" and reason["alarm"]:
        return f"stopped by the alarm {reason['alarm']}"
    if outcome.ending == "refused":
        by = f" by {', '.join(reason['rules'])}" if reason["rules"] else ""
        return f"the gate {reason['gate']} refused it{by}"
    if outcome.ending == "promoted":
        judged = f"the judge's verdict is {reason['verdict']}"
        changed = "the pipeline changed itself, restarted and ran its new step; "
        return f"{changed if outcome.self_mutated else ''}{judged}"
    return outcome.sentence


def _canary(result: Result) -> str:
    canary = result.outcome.canary
    if canary is None or canary.environment != "prod":
        return "—"
    traffic = canary.traffic
    share = f"{traffic.canary_requests} of {traffic.requests} requests"
    return f"{share}, {traffic.canary_failures} failed"
