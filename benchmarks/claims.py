"""Check the claims about our judge against the results, and list the exceptions to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.judge import FALSE_ROLLBACK_RATE
from benchmarks.measure import interval
from benchmarks.rules import ORACLE, OTHERS, OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.cells import Cell, Scenario
    from benchmarks.measure import Result, RuleResult

USABLE = 0.05
"""Largest share of false rollbacks with which a rule is compared in a setting."""
RIVALS = tuple(rule.name for rule in OTHERS if rule.name != ORACLE)


@dataclass(frozen=True)
class Wrong:
    """The false rollbacks of a rule in a healthy cell."""

    cell: Cell
    rule: str
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Ratio:
    """A cell with a findable regression, and our mean canary requests."""

    cell: Cell
    limit: float
    bar: float
    mean: float
    told: float | None
    """The mean of a judge that knows the fault."""

    @property
    def periods(self) -> float:
        """Return the limit in periods."""
        return self.limit / (self.cell.canary * self.cell.requests_per_period)


@dataclass(frozen=True)
class Hurt:
    """A faulty cell in which a usable rule served fewer bad responses than ours."""

    cell: Cell
    rule: str
    ours: float
    theirs: float


def wrong(results: Iterable[Result], rule: str) -> list[Wrong]:
    """Return the false rollbacks of a rule in each healthy cell that it judges."""
    found = []
    for result in results:
        measured = result.of_rule(rule)
        if result.cell.is_healthy and measured is not None:
            of = result.cell.releases
            low, high = interval(measured.rolled_back, of)
            found.append(Wrong(result.cell, rule, measured.rolled_back / of, low, high))
    return found


def over_alpha(results: Iterable[Result]) -> list[Wrong]:
    """Return healthy cells in which our judge rolled back more often than alpha."""
    return [each for each in wrong(results, OURS) if each.share > FALSE_ROLLBACK_RATE]


def ratios(results: Iterable[Result]) -> list[Ratio]:
    """Return our mean and the limit in each cell with a findable regression."""
    return [
        Ratio(cell, cell.limit, cell.bar, result.unlimited.requests, result.unlimited.told)
        for result in results
        for cell in (result.cell,)
        if result.unlimited and cell.limit and cell.bar
    ]


def over_bar(results: Iterable[Result]) -> list[Ratio]:
    """Return cells in which our judge needs more than 1.5 times the limit and one period."""
    return [each for each in ratios(results) if each.mean > each.bar]


Setting = tuple[bool, int, float, float]
"""What a team knows of its service: slow requests or failures, traffic, canary share, base rate."""


def setting(cell: Cell) -> Setting:
    """Return the setting of a cell."""
    return cell.scenario == "latency", cell.requests_per_second, cell.canary, cell.base


def settings(results: Iterable[Result], rule: str) -> set[Setting]:
    """Return the settings in which a rule was measured."""
    return {setting(each.cell) for each in wrong(results, rule)}


def unusable(results: Iterable[Result], rule: str, *, calm: bool = False) -> set[Setting]:
    """Return settings in which a rule rolls back 5 % or more of healthy releases in a scenario.

    With `calm` only scenarios without incident, drift and bursts count.
    """
    scenarios: tuple[Scenario, ...] = ("healthy", "latency")
    return {
        setting(each.cell)
        for each in wrong(results, rule)
        if each.share >= USABLE and (not calm or each.cell.scenario in scenarios)
    }


def more_hurt(results: Sequence[Result], *, calm: bool = False) -> list[Hurt]:
    """Return faulty cells in which our judge hurts more users than a rule usable there."""
    return [
        Hurt(cell, rule, ours.hurt, theirs.hurt)
        for rule in RIVALS
        for cell, ours, theirs in usable_pairs(results, rule, calm=calm)
        if theirs.hurt < ours.hurt
    ]


def compared(results: Sequence[Result], rule: str, *, calm: bool = False) -> int:
    """Return the number of faulty cells in which a rule is usable."""
    return len(usable_pairs(results, rule, calm=calm))


def usable_pairs(
    results: Sequence[Result], rule: str, *, calm: bool
) -> list[tuple[Cell, RuleResult, RuleResult]]:
    """Return faulty cells in which a rule is usable, with our result and the rule's."""
    never = unusable(results, rule, calm=calm)
    pairs = []
    for result in results:
        ours, theirs = result.of_rule(OURS), result.of_rule(rule)
        if result.cell.is_healthy or setting(result.cell) in never or not ours or not theirs:
            continue
        pairs.append((result.cell, ours, theirs))
    return pairs
