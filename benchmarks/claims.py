"""What is claimed for our judge, held against the results: each claim with its exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.judge import FALSE_ROLLBACK_RATE
from benchmarks.measure import interval
from benchmarks.rules import ORACLE, OTHERS, OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.cells import Cell, Scenario
    from benchmarks.measure import Outcome, Result

USABLE = 0.05
"""A rule with more false rollbacks than this, in a setting, is not compared there."""
RIVALS = tuple(rule.name for rule in OTHERS if rule.name != ORACLE)


@dataclass(frozen=True)
class Wrong:
    """A healthy cell, and how often a rule rolled back there."""

    cell: Cell
    rule: str
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Ratio:
    """A cell in which the regression can be found, and our mean canary requests there."""

    cell: Cell
    limit: float
    bar: float
    mean: float
    told: float | None
    """The mean of a judge who is told the fault."""

    @property
    def periods(self) -> float:
        """The limit in periods."""
        return self.limit / (self.cell.canary * self.cell.requests_per_period)


@dataclass(frozen=True)
class Hurt:
    """A faulty cell in which a usable rule served fewer bad responses than ours."""

    cell: Cell
    rule: str
    ours: float
    theirs: float


def wrong(results: Iterable[Result], rule: str) -> list[Wrong]:
    """How often a rule rolls back in each healthy cell that it judges."""
    found = []
    for result in results:
        outcome = result.outcome(rule)
        if result.cell.is_healthy and outcome is not None:
            of = result.cell.releases
            low, high = interval(outcome.rolled_back, of)
            found.append(Wrong(result.cell, rule, outcome.rolled_back / of, low, high))
    return found


def over_alpha(results: Iterable[Result]) -> list[Wrong]:
    """Healthy cells in which ours rolled back more often than it may."""
    return [each for each in wrong(results, OURS) if each.share > FALSE_ROLLBACK_RATE]


def ratios(results: Iterable[Result]) -> list[Ratio]:
    """Our mean against the limit, in each cell where the regression can be found."""
    return [
        Ratio(cell, cell.limit, cell.bar, result.unlimited.requests, result.unlimited.told)
        for result in results
        for cell in (result.cell,)
        if result.unlimited and cell.limit and cell.bar
    ]


def over_bar(results: Iterable[Result]) -> list[Ratio]:
    """Cells in which ours needs more than 1.5 times the limit and one period."""
    return [each for each in ratios(results) if each.mean > each.bar]


Setting = tuple[bool, int, float, float]
"""What a team knows of its service: slow requests or failures, traffic, canary share, base rate."""


def setting(cell: Cell) -> Setting:
    """A cell's."""
    return cell.scenario == "latency", cell.requests_per_second, cell.canary, cell.base


def settings(results: Iterable[Result], rule: str) -> set[Setting]:
    """Where a rule has been judged."""
    return {setting(each.cell) for each in wrong(results, rule)}


def unusable(results: Iterable[Result], rule: str, *, calm: bool = False) -> set[Setting]:
    """Where a rule rolls back 5 % or more of healthy releases, in its worst healthy scenario.

    With `calm` only the plain healthy scenario counts, as if there were never an incident.
    """
    scenarios: tuple[Scenario, ...] = ("healthy", "latency")
    return {
        setting(each.cell)
        for each in wrong(results, rule)
        if each.share >= USABLE and (not calm or each.cell.scenario in scenarios)
    }


def more_hurt(results: Sequence[Result], *, calm: bool = False) -> list[Hurt]:
    """Faulty cells in which ours hurts more users than a rule that is usable in that setting."""
    return [
        Hurt(cell, rule, ours.hurt, theirs.hurt)
        for rule in RIVALS
        for cell, ours, theirs in usable_pairs(results, rule, calm=calm)
        if theirs.hurt < ours.hurt
    ]


def compared(results: Sequence[Result], rule: str, *, calm: bool = False) -> int:
    """In how many faulty cells a rule is usable."""
    return len(usable_pairs(results, rule, calm=calm))


def usable_pairs(
    results: Sequence[Result], rule: str, *, calm: bool
) -> list[tuple[Cell, Outcome, Outcome]]:
    never = unusable(results, rule, calm=calm)
    """Faulty cells where a rule is usable: the cell, ours, theirs."""
    pairs = []
    for result in results:
        ours, theirs = result.outcome(OURS), result.outcome(rule)
        if result.cell.is_healthy or setting(result.cell) in never or not ours or not theirs:
            continue
        pairs.append((result.cell, ours, theirs))
    return pairs
