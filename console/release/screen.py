"""The display of a release's progress: live on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from console.live import live
from console.words import duration, mark
from pipeline.judge.statistics import judging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from console.release.canary import Canary
    from console.release.executions import Execution, Stage
    from console.release.snapshot import Snapshot
    from pipeline.judge.statistics.judging import Verdict
    from pipeline.judge.statistics.record import Record

_VERDICT_COLOURS: dict[Verdict, str] = {
    "rollback": "red",
    "inconsistent": "red",
    "better": "green",
    "good": "green",
    "undecided": "yellow",
}
_BAR_CHARACTERS = 20


class Lines:
    """Lines for a file or a pipe, with the time since the begin; none for a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._printed: set[str] = set()

    @property
    def passed(self) -> str:
        """The time since the begin, as text."""
        return duration(time.monotonic() - self._began)

    def print(self, line: str) -> None:
        """Print a line, unless the console is a terminal."""
        if not self._console.is_terminal:
            text = f"{self.passed:>10}  {escape(line)}"
            self._console.print(text, highlight=False, soft_wrap=True)

    def print_changes(self, snapshot: Snapshot) -> None:
        """Print each fact of a snapshot that was not printed before."""
        for key, line in facts(snapshot):
            if key not in self._printed:
                self._printed.add(key)
                self.print(line)


class ReleaseScreen:
    """Shows snapshots of a release on stderr."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._title = title
        self._console = console or Console(stderr=True)
        self._lines = Lines(self._console)
        self._snapshot: Snapshot | None = None

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show snapshots while the block runs; the last one stays on the terminal."""
        self._lines.print(self._title)
        try:
            with live(self._console, self._render):
                yield
        finally:
            if self._console.is_terminal and self._snapshot:
                self._console.print(self._render())

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        self._snapshot = snapshot
        self._lines.print_changes(snapshot)

    def _render(self) -> RenderableType:
        title = Text(self._title, "bold", no_wrap=True, overflow="ellipsis")
        head = Table.grid(padding=(0, 2))
        head.add_row(title, Text(self._lines.passed, "dim"))
        snapshot = self._snapshot
        if snapshot is None:
            return head
        return Group(head, progress(snapshot))


def progress(snapshot: Snapshot) -> RenderableType:
    """Return a view of the current execution's stages and its shift of traffic."""
    parts: list[RenderableType] = []
    for each in snapshot.executions[:-1]:
        text = escape(_earlier_execution(each))
        parts.append(Text.from_markup(f"  {mark(each.status)} [dim]{text}[/]"))
    if not snapshot.executions:
        return Text("  waiting for the pipeline to start an execution of the commit", "dim")
    parts.append(_stages(snapshot.executions[-1], snapshot))
    if snapshot.canary and snapshot.canary.weights:
        parts.append(_shift(snapshot.canary))
        if snapshot.canary.baking:
            parts.append(Text("  bake: watching the alarms", "dim"))
        if snapshot.canary.record:
            parts.append(_evidence_bar(snapshot.canary.record))
    if snapshot.canary and snapshot.canary.refused:
        parts.append(Text(f"  {_refusal(snapshot.canary)}", "red"))
    if snapshot.moving:
        parts.append(Text(f"  {_shift_after_end(snapshot)}", "yellow"))
    if snapshot.unseen:
        parts.append(Text(f"  {snapshot.unseen}", "yellow"))
    return Group(*parts)


def _refusal(canary: Canary) -> str:
    return (
        f"{canary.environment}: the judge refused version {canary.target_version}, which it "
        "condemned before"
    )


def _shift_after_end(snapshot: Snapshot) -> str:
    return (
        f"the execution has ended, but traffic in {snapshot.moving} still shifts; following the "
        "shift to its end"
    )


def _earlier_execution(execution: Execution) -> str:
    """Return why an execution of the release was followed by another."""
    short = execution.id[:8]
    if execution.status == "Cancelled":
        return f"{short} updated the pipeline, which restarted with the same commit"
    if execution.status == "Superseded":
        return f"{short} was superseded by a later commit, which contains this one"
    return f"{short} {execution.status}"


def _stages(execution: Execution, snapshot: Snapshot) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=4, justify="right")
    table.add_column(width=26)
    table.add_column(width=10, justify="right")
    table.add_column()
    for stage in execution.stages:
        if stage.started is None:
            table.add_row(mark("NotStarted"), Text(stage.name, "dim"))
            continue
        took = snapshot.took(stage)
        table.add_row(mark(stage.status), stage.name, took, Text(_actions(stage), "dim"))
    return table


def _actions(stage: Stage) -> str:
    """Return the names of a failed stage's failed actions, else of the running ones."""
    status = "Failed" if stage.status == "Failed" else "InProgress"
    return ", ".join(each.name for each in stage.actions if each.status == status)


def _bar(share: float, colour: str) -> str:
    """Return a bar that is filled to a share, 0 to 1, in rich's markup."""
    filled = round(_BAR_CHARACTERS * share)
    return f"[{colour}]{'━' * filled}[/][dim]{'━' * (_BAR_CHARACTERS - filled)}[/]"


def _shift(canary: Canary) -> Text:
    traffic = canary.traffic
    line = (
        f"  [dim]{canary.environment}[/] version {canary.current_version} → "
        f"{canary.target_version} {_bar(canary.percent / 100, 'cyan')} {canary.percent:g} %"
    )
    if traffic.requests:
        line += (
            f"  [dim]requests {traffic.requests}, on the new version {traffic.canary_requests}"
            f" ({traffic.canary_failures} failed)[/]"
        )
    if canary.stopped:
        line += f"  [red]stopped by {escape(canary.stopper)}[/]"
    return Text.from_markup(line)


def _evidence_bar(record: Record) -> Text:
    """Return the judge's evidence as a share of its limit, and the verdict."""
    evidence, limit = _evidence(record), judging.line(record.parameters)
    colour = _VERDICT_COLOURS[record.verdict]
    text = (
        f"  [dim]judge   evidence[/] {_bar(min(1.0, max(0.0, evidence / limit)), colour)} "
        f"{evidence:z.2f} of {limit:.2f}  [{colour}]{record.verdict}[/]"
    )
    if record.incident:
        text += "  [yellow]both versions fail alike[/]"
    return Text.from_markup(text)


def _evidence(record: Record) -> float:
    """Return the newest evidence; 0 if there is none yet."""
    return record.evidence[-1] if record.evidence else 0.0


def facts(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Yield a line for each fact of a snapshot, with a key to print it only once."""
    for execution in snapshot.executions:
        yield f"{execution.id} {execution.status}", f"execution {execution.id}: {execution.status}"
        for stage in execution.stages:
            if stage.started is None:
                continue
            took = snapshot.took(stage) if stage.ended else ""
            line = f"{stage.name}: {stage.status}{f' after {took}' if took else ''}"
            yield f"{execution.id} {stage.name} {stage.status}", line
    canary = snapshot.canary
    if canary and canary.weights:
        yield (
            f"{canary.deployment_id} {canary.percent}",
            f"{canary.environment}: version {canary.target_version} has {canary.percent:g} % "
            f"of the traffic ({canary.deployment_id})",
        )
    if canary and canary.baking:
        yield f"{canary.deployment_id} bakes", f"{canary.environment}: bake: watching the alarms"
    if canary and canary.record and canary.record.periods:
        record = canary.record
        minutes = len(record.periods)
        yield (
            f"{record.deployment_id} {minutes} minutes",
            f"{canary.environment}: judged {minutes} min: evidence {_evidence(record):z.2f} of "
            f"{judging.line(record.parameters):.2f}, {record.verdict}"
            f"{', both versions fail alike' if record.incident else ''}",
        )
    if canary and canary.refused:
        yield f"{canary.deployment_id} refused", _refusal(canary)
    if snapshot.moving:
        yield f"moving {snapshot.moving}", _shift_after_end(snapshot)
    if snapshot.unseen:
        yield snapshot.unseen, snapshot.unseen
