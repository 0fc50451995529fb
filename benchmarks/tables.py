"""Write the results as Markdown, for the benchmark's part of docs/canary.md."""

from __future__ import annotations

from statistics import fmean, median
from typing import TYPE_CHECKING

from benchmarks import claims
from benchmarks.judge import FALSE_ROLLBACK_RATE
from benchmarks.rules import HALF, LABELS, ORACLE, OTHERS, OURS, SETTINGS
from benchmarks.wording import describe, figures, listed, percent, rates, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cells import Cell, Scenario
    from benchmarks.measure import Result, RuleResult

_LABELS = LABELS | {rule.name: rule.label for rule in OTHERS}
_SETTINGS = SETTINGS | {rule.name: rule.setting for rule in OTHERS}
_SCENARIOS: tuple[tuple[Scenario, str], ...] = (
    ("healthy", "calm"),
    ("incident", "incident"),
    ("drift", "drift"),
    ("bursts", "bursts, retries"),
    ("latency", "slow requests"),
)
# Requests per second, base rate and factor of the shown cells, from little to much traffic.
_SHOWN = (
    (1, 0.005, 10.0),
    (1, 0.005, 50.0),
    (10, 0.001, 10.0),
    (10, 0.005, 3.0),
    (10, 0.005, 10.0),
    (100, 0.001, 5.0),
    (100, 0.005, 2.0),
    (1000, 0.0001, 10.0),
    (1000, 0.005, 2.0),
)
_SHOWN_SHARE = 0.1
_MIN_ROUNDED_COUNT = 10
_MIN_LIMIT_PERIODS = 3
"""With a shorter limit the wait for the end of a period dominates the result."""


def render(results: Sequence[Result]) -> str:
    """Return all tables."""
    parts = [
        claimed(results),
        "### Healthy releases rolled back",
        *false_rollbacks(results),
        f"### Bad releases found, canary at {_SHOWN_SHARE:.0%}",
        *found(results),
        "### Against the limit",
        *against_limit(results),
        "### Users hurt",
        *hurt(results),
    ]
    return "\n\n".join(parts)


def claimed(results: Sequence[Result]) -> str:
    """Return the claims about our judge with the numbers of exceptions."""
    healthy, ratios = claims.wrong(results, OURS), claims.ratios(results)
    over = claims.over_alpha(results)
    sure = sum(each.low > FALSE_ROLLBACK_RATE for each in over)
    late = [each for each in ratios if each.cell.onset]
    plain = sum(each.mean > (each.cell.plain_bar or 0) for each in late)
    hurt_ = claims.more_hurt(results)
    lines = (
        f"False rollbacks at most {percent(FALSE_ROLLBACK_RATE)} in every healthy cell:"
        f" counted above it in {len(over)} of {len(healthy)}, significantly (95 %) in {sure}.",
        f"Mean detection within 1.5 times the limit and one period in every findable cell:"
        f" {len(claims.over_bar(results))} exceptions in {len(ratios)}. A late fault is allowed the"
        f" stated cost of lateness; without it {plain} of {len(late)} late ones are over.",
        f"Fewer users hurt than by any rule with under {percent(claims.USABLE)} false rollbacks,"
        f" in every faulty cell: {len({each.cell for each in hurt_})} exceptions in"
        f" {sum(not result.cell.is_healthy for result in results)}, of which"
        f" {len({each.cell for each in hurt_ if each.cell.is_findable})} are findable.",
    )
    return "\n".join(f"{at}. {line}" for at, line in enumerate(lines, 1))


def false_rollbacks(results: Sequence[Result]) -> list[str]:
    """Return the table with each rule's worst cell of each scenario."""
    head = ["Rule", "Setting", *(label for _, label in _SCENARIOS), "under 5 %"]
    rows = [head, ["---"] * 2 + ["---:"] * (len(head) - 2)]
    for rule in (OURS, *(rule.name for rule in OTHERS)):
        wrong = claims.wrong(results, rule)
        worst = []
        for scenario, _ in _SCENARIOS:
            of_scenario = [each for each in wrong if each.cell.scenario == scenario]
            worst.append(_worst(of_scenario) if of_scenario else "-")
        rows.append([_LABELS[rule], _SETTINGS[rule], *worst, _usable(results, rule)])
    ours, over = claims.wrong(results, OURS), claims.over_alpha(results)
    least = min(each.cell.releases for each in ours)
    said = (
        "The worst setting of each scenario, with its 95 % interval; in the last column, in how"
        " many settings a rule stays under 5 % in every scenario. At least"
        f" {least:,} releases in each. Ours rolls back {percent(fmean(w.share for w in ours))} on"
        " the average over all cells."
        + (f" Counted above {percent(FALSE_ROLLBACK_RATE)}:" if over else "")
    )
    above = [f"{describe(w.cell)}: {_worst([w])} of {w.cell.releases:,}" for w in over]
    return [table(rows), said, *listed(above)]


def found(results: Sequence[Result]) -> list[str]:
    """Return the table with a few cells in full."""
    columns = [OURS, HALF, *(rule.name for rule in OTHERS)]
    head = ["Fault", "limit", *(_LABELS[rule] for rule in columns)]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    unusable = {
        (rule, setting) for rule in claims.RIVALS for setting in claims.unusable(results, rule)
    }
    for result in results:
        cell = result.cell
        key = (cell.requests_per_second, cell.base, cell.factor)
        if cell.scenario != "regression" or cell.canary != _SHOWN_SHARE or key not in _SHOWN:
            continue
        limit = "-" if cell.limit is None else f"{cell.limit:,.0f}"
        row = [f"{cell.requests_per_second} rps, {rates(cell)}", limit]
        for rule in columns:
            mark = "†" if (rule, claims.setting(cell)) in unusable else ""
            row.append(_cell(result.of_rule(rule), cell.releases) + mark)
        rows.append(row)
    return [
        table(rows),
        "Share found / mean canary requests until then (median over all releases) / bad responses"
        " served by the canary."
        " † rolls back 5 % or more of the healthy releases in this setting.",
    ]


def against_limit(results: Sequence[Result]) -> list[str]:
    """Return the table of our mean as a multiple of the limit, by the size of the fault."""
    head = [
        "Fault", "findable cells", "over the bar", f"limit ≥ {_MIN_LIMIT_PERIODS} periods",
        "mean ÷ limit", "least", "most", "told the fault ÷ limit",
    ]  # fmt: skip
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    ratios, over = claims.ratios(results), claims.over_bar(results)
    for kind in sorted({_kind(each.cell) for each in ratios}):
        of_kind = [each for each in ratios if _kind(each.cell) == kind]
        long = [each for each in of_kind if each.periods >= _MIN_LIMIT_PERIODS]
        multiples = [each.mean / each.limit for each in long]
        told = [each.told / each.limit for each in long if each.told]
        counts = len(of_kind), sum(_kind(each.cell) == kind for each in over), len(long)
        shown = [median(multiples), min(multiples), max(multiples)] if long else []
        rows.append(
            [
                kind[2],
                *map(str, counts),
                *(f"{value:.2f}" for value in shown),
                *["-"] * (3 - len(shown)),
                f"{median(told):.2f}" if told else "-",
            ]
        )
    said = (
        f"Over all findable cells, and over those whose limit is {_MIN_LIMIT_PERIODS} periods or"
        " more: there the wait for the end of a period says little, and means can be compared"
        " with the limit. (Median, least and most of the cells; the last column is the median for a"
        " judge who is told the fault's size.)"
    )
    beyond = [
        f"{describe(each.cell)}: mean {each.mean:.1f}, bar {each.bar:.1f} canary requests"
        for each in over
    ]
    return [table(rows), said, *listed(beyond)]


def hurt(results: Sequence[Result]) -> list[str]:
    """Return the table of cells in which our judge hurts more users than a usable rule."""
    rows = [
        ["Rule", "usable in", "ours hurts more in", "usable when calm in", "ours hurts more in"],
        ["---", *["---:"] * 4],
    ]
    more, calm = claims.more_hurt(results), claims.more_hurt(results, calm=True)
    rows += [
        [
            _LABELS[rule],
            str(claims.compared(results, rule)),
            str(sum(each.rule == rule for each in more)),
            str(claims.compared(results, rule, calm=True)),
            str(sum(each.rule == rule for each in calm)),
        ]
        for rule in claims.RIVALS
    ]
    faulty = sum(not result.cell.is_healthy for result in results)
    said = (
        f"Of {faulty} faulty cells. Ours hurts more users than a rule usable there in {len(more)};"
        " in brackets what ours and the other's canary served badly."
    )
    return [
        table(rows),
        said,
        *listed(
            [
                f"{describe(each.cell)}: {_LABELS[each.rule]} ({each.ours:.3g}, {each.theirs:.3g})"
                + ("" if each.cell.is_findable else ", not findable")
                for each in more
            ]
        ),
    ]


def _kind(cell: Cell) -> tuple[int, float, str]:
    names = {
        "regression": "as many failures",
        "latency": "as slow",
        "late": "as many failures, after half an hour",
    }
    order = list(names).index(cell.scenario)
    return order, cell.factor, f"{cell.factor:g} times {names[cell.scenario]}"


def _worst(wrong: Sequence[claims.Wrong]) -> str:
    most = max(wrong, key=lambda each: each.share)
    return f"{percent(most.share)} ({figures(most.low)} to {figures(most.high)})"


def _usable(results: Sequence[Result], rule: str) -> str:
    if rule in {OURS, ORACLE}:
        return "-"
    settings = claims.settings(results, rule)
    return f"{len(settings - claims.unusable(results, rule))} of {len(settings)}"


def _cell(result: RuleResult | None, releases: int) -> str:
    if result is None:
        return "-"
    share = percent(result.rolled_back / releases)
    hurt_ = f"{result.hurt:,.0f}" if result.hurt >= _MIN_ROUNDED_COUNT else f"{result.hurt:.2g}"
    if result.requests is None:
        return f"{share} / - / {hurt_}"
    middle = "-" if result.median is None else f"{result.median:,.0f}"
    return f"{share} / {result.requests:,.0f} ({middle}) / {hurt_}"
