"""Draw the results as SVG files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from benchmarks import claims
from benchmarks.judge import FALSE_ROLLBACK_RATE
from benchmarks.rules import HALF, LABELS, OTHERS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benchmarks.measure import Result

_NAMES = {name: label.replace("*", "") for name, label in LABELS.items()} | {
    rule.name: rule.label for rule in OTHERS
}
_SCENARIOS = (
    ("healthy", "calm"),
    ("incident", "incident of both versions"),
    ("drift", "drift"),
    ("bursts", "bursts and retries"),
    ("latency", "slow requests"),
)
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#555555")
_ZERO_POSITION = 2e-5
"""Position of a share of zero on a logarithmic axis."""
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "canary",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}


def write(results: Sequence[Result], into: Path) -> None:
    """Draw all plots; the same results give the same bytes."""
    drawings = {
        "false-rollbacks": _false_rollbacks,
        "detection": _detection,
        "hurt": _hurt,
    }
    with mpl.rc_context(_STYLE):
        for name, draw in drawings.items():
            figure = draw(results)
            figure.savefig(into / f"canary-{name}.svg", metadata={"Date": None})
            plt.close(figure)


def _false_rollbacks(results: Sequence[Result]) -> Figure:
    """Draw for each rule and scenario the range over all settings, its middle half and median."""
    figure, axes = plt.subplots(figsize=(8, 4.8))
    rules = [rule for rule in _NAMES if rule != HALF]
    for at, (scenario, word) in enumerate(_SCENARIOS):
        colour = _COLOURS[at]
        for row, rule in enumerate(rules):
            shares = [
                max(each.share, _ZERO_POSITION)
                for each in claims.wrong(results, rule)
                if each.cell.scenario == scenario
            ]
            if shares:
                low, middle, high = np.quantile(shares, [0.25, 0.5, 0.75])
                height = row + (at - 2) * 0.15
                axes.plot([min(shares), max(shares)], [height] * 2, color=colour, linewidth=1)
                axes.plot([low, high], [height] * 2, color=colour, linewidth=3.5)
                axes.plot(
                    middle, height, "o", color="white", markeredgecolor=colour, markersize=3.5
                )
        axes.plot([], [], color=colour, linewidth=3.5, label=word)
    axes.set_xscale("log")
    axes.set_xticks(
        [_ZERO_POSITION, 1e-4, 1e-3, 1e-2, 1e-1, 1],
        ["none", "0.01 %", "0.1 %", "1 %", "10 %", "100 %"],
    )
    axes.set_xticks([], minor=True)
    for share, word in ((FALSE_ROLLBACK_RATE, "1 %"), (claims.USABLE, "5 %")):
        axes.axvline(share, color="black", linewidth=0.8, linestyle=":")
        axes.text(share * 1.06, -0.75, word, va="center")
    axes.set_ylim(len(rules) - 0.4, -1)
    axes.set_yticks(range(len(rules)), [_NAMES[rule] for rule in rules])
    _title(axes, "Healthy releases rolled back: least, most and middle half of all settings")
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    return figure


def _detection(results: Sequence[Result]) -> Figure:
    """Draw the ratio of our mean to the limit, against the limit in periods."""
    figure, axes = plt.subplots(figsize=(8, 4.6))
    ratios = [each for each in claims.ratios(results) if each.cell.scenario == "regression"]
    for colour, factor in zip(_COLOURS, sorted({r.cell.factor for r in ratios}), strict=False):
        of_factor = [each for each in ratios if each.cell.factor == factor]
        axes.plot(
            [each.periods for each in of_factor],
            [each.mean / each.limit for each in of_factor],
            "o",
            color=colour,
            alpha=0.75,
            markersize=4,
            markeredgewidth=0,
            label=f"{factor:g} times",
        )
    periods = np.geomspace(0.1, 60, 100)
    axes.plot(periods, 1.5 + 1 / periods, color="black", linewidth=1)
    axes.text(0.32, 5.0, "the bar: 1.5 times the limit and one minute")
    axes.axhline(1, color="black", linewidth=0.8, linestyle=":")
    axes.text(60, 0.55, "the limit: no rule is faster", ha="right")
    axes.set_xscale("log")
    axes.set_xticks([0.1, 0.3, 1, 3, 10, 30], ["0.1", "0.3", "1", "3", "10", "30"])
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.1, 65)
    axes.set_ylim(0, 11)
    axes.set_xlabel("the limit, in minutes of this traffic")
    axes.set_ylabel("our mean ÷ the limit")
    _title(axes, "How long Pithead needs to find a failure rate that is so many times as high")
    figure.legend(loc="outside lower center", ncols=6, frameon=False)
    return figure


def _hurt(results: Sequence[Result]) -> Figure:
    """Draw for each rival the distribution of its hurt users relative to ours over its cells."""
    figure, axes = plt.subplots(figsize=(8, 4.2))
    for colour, rule in zip(_COLOURS, claims.RIVALS, strict=True):
        for calm, style in ((False, "-"), (True, ":")):
            pairs = claims.usable_pairs(results, rule, calm=calm)
            times = sorted(theirs.hurt / ours.hurt for _, ours, theirs in pairs if ours.hurt)
            if times:
                parts = np.arange(1, len(times) + 1) / len(times)
                axes.step(times, 100 * parts, style, color=colour, linewidth=1.4, where="post")
        axes.plot([], [], color=colour, label=_NAMES[rule])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(0.3, 70)
    axes.set_xticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    axes.set_xticks([], minor=True)
    axes.set_ylabel("% of the rule's cells")
    axes.set_xlabel(
        "bad responses served, at most so many times Pithead's"
        " (left of the line: fewer than Pithead)\n"
        "dotted: also where it is usable only if there is never an incident, drift or burst"
    )
    _title(axes, "Users hurt by a bad release, by each rule where it is usable")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=10)
