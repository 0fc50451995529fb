"""All rules of the benchmark with their settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import judge, sprt, thresholds
from benchmarks.kayenta import kayenta
from benchmarks.pipecd import pipecd

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.traffic import Traffic

    Stops = NDArray[np.int64]

OURS = "pithead"
HALF = "pithead-half"
ORACLE = "oracle"


@dataclass(frozen=True)
class Rule:
    """A rule of another system.

    `decide` returns the period of each release's rollback (from 1; 0 if there is none).
    """

    name: str
    label: str
    setting: str
    decide: Callable[[Traffic], Stops]
    judges_slow_requests: bool
    """Whether it applies to slow requests, too; a fixed limit on failures does not."""


LABELS = {
    OURS: "**Pithead**, one objective",
    HALF: "**Pithead**, two objectives",
}
SETTINGS = {
    OURS: "`false_rollback_rate` 1 %, `tolerance` 1, every minute",
    HALF: "the same, each with half of the 1 %, when only one of them is hit",
}

OTHERS = (
    Rule(
        "flagger",
        "Flagger",
        "success rate ≥ 99 %, every minute, `threshold: 5`",
        thresholds.flagger,
        judges_slow_requests=False,
    ),
    Rule(
        "argo",
        "Argo Rollouts",
        "success rate ≥ 95 %, every 5 minutes, `failureLimit: 3`",
        thresholds.argo,
        judges_slow_requests=False,
    ),
    Rule(
        "pipecd",
        "PipeCD",
        "`CANARY_BASELINE`, `deviation: HIGH`, `interval: 5m`, `failureLimit: 0`",
        pipecd,
        judges_slow_requests=True,
    ),
    Rule(
        "pipecd-1",
        "PipeCD, one failure allowed",
        "the same with `failureLimit: 1`",
        partial(pipecd, failure_limit=1),
        judges_slow_requests=True,
    ),
    Rule(
        "kayenta",
        "Kayenta",
        "NetflixACAJudge, `direction: increase`, 60 points, judged once at the end",
        kayenta,
        judges_slow_requests=True,
    ),
    Rule(
        "alias-alarm",
        "Alarm on the alias",
        "more than 1 % of the alias' requests fail in a minute",
        thresholds.alias_alarm,
        judges_slow_requests=False,
    ),
    Rule(
        "errors-alarm",
        "Alarm on the version",
        "`Errors` ≥ 1 in a minute",
        thresholds.errors_alarm,
        judges_slow_requests=False,
    ),
    Rule(
        ORACLE,
        "Wald's SPRT, the oracle",
        "1 % likewise; knows each minute's true base rate and the fault's size",
        sprt.oracle,
        judges_slow_requests=True,
    ),
)

RULES = (OURS, HALF, *(rule.name for rule in OTHERS))


def verdicts(traffic: Traffic, periods: int) -> tuple[dict[str, Stops], Stops]:
    """Return the stops of each rule within the canary, and ours with longer traffic."""
    ours, canary = judge.stops(traffic), traffic.until(periods)
    found = {OURS: _within(ours, periods)}
    if not traffic.cell.is_healthy:  # The same test at another rate has the same proof.
        found[HALF] = judge.stops(canary, judge.FALSE_ROLLBACK_RATE / 2)
    for rule in OTHERS:
        if rule.judges_slow_requests or traffic.cell.scenario != "latency":
            found[rule.name] = rule.decide(canary)
    return found, ours


def _within(stops: Stops, periods: int) -> Stops:
    kept: Stops = stops * (stops <= periods)
    return kept
