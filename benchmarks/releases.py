"""Measure whole releases that are no worse: `python -m benchmarks.releases [--write]`.

The benchmark of the rules (`benchmarks.canary`) measures the judge alone. Here every cause that can
stop a release is applied to the same traffic: evidence and guard rails, which share the
false-rollback rate, and journeys, heartbeat and the two policies, which have no share. A release is
prod's: 10 % for 8 minutes, then a bake of 4. In an incident both versions fail alike, or are slow
alike, from before the shift until after the bake: a quarter of an hour. `--write` writes the tables
to docs/canary.md; it takes some minutes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import causes, outages
from benchmarks.judge import FALSE_ROLLBACK_RATE
from benchmarks.measure import interval
from benchmarks.page import PAGE, write_section
from benchmarks.release_traffic import Incident, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 20261201
RELEASES = 4_000
_WITH_VERDICT = 1_000
"""Most releases to which the policy `undecided` is applied, by the judge's own code."""
_FAILING = (0.001, 0.005, 0.05, 0.08, 0.09, 0.15)
_SLOW = 0.2
_LIMIT = causes.PARAMETERS.limits["failures"]


@dataclass(frozen=True)
class Result:
    """The number of releases that each cause alone would stop."""

    incident: Incident
    releases: int
    raw_rails: int
    """By the guard rails as they were before they got a share of the rate."""
    rails: int
    evidence: int
    by_chance: int
    """By evidence or rails."""
    journeys: int
    silence: int
    with_incident_policy: int
    undecided: int
    with_verdict: int
    """The number of releases to which the policy `undecided` was applied."""


def incidents() -> list[Incident]:
    """Return the rows of the benchmark."""
    return [
        incident
        for rps in (10, 20, 100, 1000)
        for incident in (
            *(Incident(rps, failing) for failing in _FAILING),
            Incident(rps, _FAILING[0], _SLOW),
        )
    ]


def play(incident: Incident, releases: int, seed: int) -> Result:
    """Simulate releases of one kind, and apply each cause to all of them."""
    chance = np.random.default_rng([seed, *repr(incident).encode()])
    played = simulate(incident, releases, chance)
    evidence, rails = causes.evidence(played), causes.rails(played, chance)
    with_verdict = min(releases, _WITH_VERDICT)
    return Result(
        incident=incident,
        releases=releases,
        raw_rails=int(causes.raw_rails(played, chance).sum()),
        rails=int(rails.sum()),
        evidence=int(evidence.sum()),
        by_chance=int((evidence | rails).sum()),
        journeys=int(causes.failed_journeys(played, incident.failing, chance).sum()),
        silence=int(causes.silence(played, chance).sum()),
        with_incident_policy=int(causes.incident_policy(played).sum()),
        undecided=int(causes.undecided_policy(played, with_verdict).sum()),
        with_verdict=with_verdict,
    )


def over(results: Sequence[Result]) -> list[Result]:
    """Return the rows within the promise's assumption that significantly exceed the rate."""
    return [
        each
        for each in results
        if each.incident.failing <= _LIMIT
        and interval(each.by_chance, each.releases)[0] > FALSE_ROLLBACK_RATE
    ]


def table(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| requests a second | both versions | rails, before | **evidence and rails** | evidence "
        '| rails | journeys | heartbeat | `incident = "stop"` | `undecided = "rollback"` |',
        "| ---: | --- |" + " ---: |" * 8,
    ]
    for each in results:
        low, high = interval(each.by_chance, each.releases)
        alone = (each.evidence, each.rails, each.journeys, each.silence, each.with_incident_policy)
        lines.append(
            f"| {each.incident.requests_per_second:,} | {_described(each.incident)} "
            f"| {each.raw_rails / each.releases:.2%} "
            f"| **{each.by_chance / each.releases:.2%}** ({low:.2%} to {high:.2%}) | "
            + " | ".join(f"{count / each.releases:.2%}" for count in alone)
            + f" | {each.undecided / each.with_verdict:.1%} |"
        )
    return "\n".join(lines)


def _described(incident: Incident) -> str:
    if incident.slow == _SLOW:
        return f"{incident.slow:.0%} slow"
    beyond = ", beyond the limit" if incident.failing > _LIMIT else ""
    return f"{incident.failing:.1%} fail{beyond}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if the rate is significantly exceeded in any row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.releases", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the tables to {PAGE.name}")
    parser.add_argument(
        "--releases", type=int, default=RELEASES, help="releases in a row (default: %(default)s)"
    )
    parser.add_argument(
        "--processes", type=int, default=2, help="number of processes (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        one = partial(play, releases=options.releases, seed=SEED)
        results = pool.map(one, incidents(), chunksize=1)
    text = f"{table(results)}\n\n{outages.table()}"
    if options.write:
        write_section("releases", text)
    sys.stdout.write(f"{text}\n")
    return 1 if over(results) else 0


if __name__ == "__main__":
    sys.exit(main())
