"""Measure the judge with three objectives together; takes some minutes.

Run `python -m benchmarks.objectives [--write]`. The benchmark of the rules (`benchmarks.canary`)
simulates one objective at a time. Here a request may fail, be slow or get a 4xx response, as in the
service, and the three objectives share the false-rollback rate. `--write` writes the tables to
docs/canary.md.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.cells import PERIODS, SECONDS
from benchmarks.judge import FALSE_ROLLBACK_RATE, Judge
from benchmarks.measure import interval
from benchmarks.page import PAGE, write_section
from pipeline.judge.statistics.objectives import SHARES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

SEED = 20261130
HEALTHY_RELEASES, FAULTY_RELEASES = 1_000, 200
_FAILURE_SHARE, _SLOW_SHARE = 0.005, 0.01
_INCIDENT_MINUTES = slice(20, 35)
_INCIDENT_FACTOR = 16
_SLOW_SHARE_OF_FAILED = 0.5


@dataclass(frozen=True)
class Scenario:
    """The traffic of both versions, and the fault of the canary."""

    requests_per_second: int
    share: float
    """The canary's share of the requests."""
    client_errors: float
    """Share of requests that both versions answer with 4xx."""
    incident: bool = False
    """Whether both versions fail alike for a quarter of an hour."""
    refused: float = 0.0
    """Share of the other requests that only the canary answers with 403."""


@dataclass(frozen=True)
class Result:
    """The rollbacks of the releases in a scenario."""

    scenario: Scenario
    releases: int
    rolled_back: int
    minutes: float | None
    """Mean time until the rollback; None if there was none."""


def healthy() -> list[Scenario]:
    """Return the scenarios of releases that are no worse."""
    return [
        Scenario(rps, share, client_errors, incident)
        for rps in (1, 10, 100)
        for share in (0.1, 0.5)
        for client_errors in (0.01, 0.1, 0.3)
        for incident in (False, True)
    ]


def faulty() -> list[Scenario]:
    """Return the scenarios of releases that answer 403 to some requests."""
    return [
        Scenario(rps, 0.1, client_errors, refused=refused)
        for rps in (1, 10, 100)
        for client_errors in (0.01, 0.1)
        for refused in (0.02, 0.1, 0.5)
    ]


def play(scenario: Scenario, releases: int, seed: int) -> Result:
    """Simulate releases, and judge each minute of each by the three objectives together."""
    # The published results were drawn when the class was named Traffic.
    name = repr(scenario).replace("Scenario(", "Traffic(", 1)
    chance = np.random.default_rng([seed, *name.encode()])
    judges = {name: Judge(releases, FALSE_ROLLBACK_RATE * share) for name, share in SHARES.items()}
    found = np.zeros(releases, np.int64)
    active = np.arange(releases)
    for minute in range(PERIODS):
        mean = SECONDS * scenario.requests_per_second
        failing = _FAILURE_SHARE
        if scenario.incident and minute in range(*_INCIDENT_MINUTES.indices(PERIODS)):
            failing *= _INCIDENT_FACTOR
        canary = _served(chance, scenario, len(active), scenario.share * mean, failing, canary=True)
        stable = _served(
            chance, scenario, len(active), (1 - scenario.share) * mean, failing, canary=False
        )
        wealth = np.zeros(len(active))
        for name, judge in judges.items():
            judge.observe(canary["requests"], canary[name], stable["requests"], stable[name])
            wealth += SHARES[name] * 10**judge.late_evidence
        fires = wealth >= 1 / FALSE_ROLLBACK_RATE
        found[active[fires]] = minute + 1
        active = active[~fires]
        for judge in judges.values():
            judge.keep(~fires)
    stopped = found[found > 0]
    mean_minutes = float(stopped.mean()) if len(stopped) else None
    return Result(scenario, releases, len(stopped), mean_minutes)


def _served(
    chance: Generator,
    scenario: Scenario,
    releases: int,
    mean: float,
    failing: float,
    *,
    canary: bool,
) -> dict[str, Counts]:
    """Simulate a minute of one version in each release; a failed request is often also slow."""
    requests = chance.poisson(mean, releases)
    failures = chance.binomial(requests, failing)
    refused = chance.binomial(requests - failures, scenario.client_errors)
    if canary:
        refused = refused + chance.binomial(requests - failures - refused, scenario.refused)
    slow = chance.binomial(failures, _SLOW_SHARE_OF_FAILED) + chance.binomial(
        requests - failures, _SLOW_SHARE
    )
    return {
        "requests": requests,
        "failures": failures,
        "slow-requests": slow,
        "error-responses": failures + refused,
    }


def tables(healthy_results: Sequence[Result], faulty_results: Sequence[Result]) -> str:
    """Return the results as Markdown tables."""
    lines = [
        "| no worse: requests a second | canary | 4xx | incident | rolled back |",
        "| ---: | ---: | ---: | --- | ---: |",
    ]
    for each in healthy_results:
        scenario = each.scenario
        low, high = interval(each.rolled_back, each.releases)
        lines.append(
            f"| {scenario.requests_per_second} | {scenario.share:.0%} "
            f"| {scenario.client_errors:.0%} "
            f"| {'yes' if scenario.incident else 'no'} "
            f"| {each.rolled_back / each.releases:.2%} ({low:.2%} to {high:.2%}) |"
        )
    lines += [
        "",
        "| answers 403: requests a second | 4xx | refused | found | after |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in faulty_results:
        scenario = each.scenario
        after = f"{each.minutes:.1f} min" if each.minutes else "-"
        lines.append(
            f"| {scenario.requests_per_second} | {scenario.client_errors:.0%} "
            f"| {scenario.refused:.0%} | {each.rolled_back / each.releases:.1%} | {after} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if the rate of false rollbacks is significantly exceeded."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.objectives", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the tables to {PAGE.name}")
    parser.add_argument(
        "--releases",
        type=int,
        default=HEALTHY_RELEASES,
        help="healthy releases in a row (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    good = [play(each, options.releases, SEED) for each in healthy()]
    bad = [play(each, min(options.releases, FAULTY_RELEASES), SEED) for each in faulty()]
    text = tables(good, bad)
    if options.write:
        write_section("objectives", text)
    sys.stdout.write(f"{text}\n")
    over = [each for each in good if interval(each.rolled_back, each.releases)[0] >
            FALSE_ROLLBACK_RATE]  # fmt: skip
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
