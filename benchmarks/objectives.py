"""Measure the judge with three objectives together; takes some minutes.

Run `python -m benchmarks.objectives [--write]`. The benchmark of the rules (`benchmarks.canary`)
plays one objective at a time. Here each request may fail, be slow and be answered with 4xx, as on
the service, and the three objectives share the false-rollback rate. `--write` puts the tables into
docs/canary.md.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.cells import PERIODS, SECONDS
from benchmarks.judge import FALSE_ROLLBACK_RATE, Judge
from benchmarks.measure import interval
from pipeline.judge.statistics.objectives import SHARES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

SEED = 20261130
HEALTHY_RELEASES, FAULTY_RELEASES = 1_000, 200
PAGE = Path(__file__).parents[1] / "docs" / "canary.md"
_FAILURES, _SLOW = 0.005, 0.01
_INCIDENT = slice(20, 35)
_INCIDENT_FACTOR = 16
_SLOW_IF_FAILED = 0.5


@dataclass(frozen=True)
class Traffic:
    """What both versions are asked, and what the new one does worse."""

    requests_per_second: int
    share: float
    """The canary's share of the requests."""
    client_errors: float
    """The share of requests that is answered with 4xx by either version."""
    incident: bool = False
    """Whether for a quarter of an hour both versions fail alike."""
    refused: float = 0.0
    """The share of the canary's other requests that it alone answers with 403."""


@dataclass(frozen=True)
class Result:
    """How many of the releases were rolled back, and when."""

    traffic: Traffic
    releases: int
    rolled_back: int
    minutes: float | None
    """The mean time until then; None where none was."""


def healthy() -> list[Traffic]:
    """Releases that are no worse."""
    return [
        Traffic(rps, share, client_errors, incident)
        for rps in (1, 10, 100)
        for share in (0.1, 0.5)
        for client_errors in (0.01, 0.1, 0.3)
        for incident in (False, True)
    ]


def faulty() -> list[Traffic]:
    """Releases that answer 403 to some of the requests that the version before answers."""
    return [
        Traffic(rps, 0.1, client_errors, refused=refused)
        for rps in (1, 10, 100)
        for client_errors in (0.01, 0.1)
        for refused in (0.02, 0.1, 0.5)
    ]


def play(traffic: Traffic, releases: int, seed: int) -> Result:
    """Simulate releases, and judge each minute of each by the three objectives together."""
    chance = np.random.default_rng([seed, *repr(traffic).encode()])
    judges = {name: Judge(releases, FALSE_ROLLBACK_RATE * share) for name, share in SHARES.items()}
    found = np.zeros(releases, np.int64)
    active = np.arange(releases)
    for minute in range(PERIODS):
        mean = SECONDS * traffic.requests_per_second
        failing = _FAILURES
        if traffic.incident and minute in range(*_INCIDENT.indices(PERIODS)):
            failing *= _INCIDENT_FACTOR
        canary = _served(chance, traffic, len(active), traffic.share * mean, failing, canary=True)
        stable = _served(
            chance, traffic, len(active), (1 - traffic.share) * mean, failing, canary=False
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
    return Result(traffic, releases, len(stopped), mean_minutes)


def _served(
    chance: Generator,
    traffic: Traffic,
    releases: int,
    mean: float,
    failing: float,
    *,
    canary: bool,
) -> dict[str, Counts]:
    """One version's minute of each release. A failed request is often a slow one as well."""
    requests = chance.poisson(mean, releases)
    failures = chance.binomial(requests, failing)
    refused = chance.binomial(requests - failures, traffic.client_errors)
    if canary:
        refused = refused + chance.binomial(requests - failures - refused, traffic.refused)
    slow = chance.binomial(failures, _SLOW_IF_FAILED) + chance.binomial(requests - failures, _SLOW)
    return {
        "requests": requests,
        "failures": failures,
        "slow-requests": slow,
        "error-responses": failures + refused,
    }


def tables(healthy_results: Sequence[Result], faulty_results: Sequence[Result]) -> str:
    """As Markdown."""
    lines = [
        "| no worse: requests a second | canary | 4xx | incident | rolled back |",
        "| ---: | ---: | ---: | --- | ---: |",
    ]
    for each in healthy_results:
        traffic = each.traffic
        low, high = interval(each.rolled_back, each.releases)
        lines.append(
            f"| {traffic.requests_per_second} | {traffic.share:.0%} | {traffic.client_errors:.0%} "
            f"| {'yes' if traffic.incident else 'no'} "
            f"| {each.rolled_back / each.releases:.2%} ({low:.2%} to {high:.2%}) |"
        )
    lines += [
        "",
        "| answers 403: requests a second | 4xx | refused | found | after |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in faulty_results:
        traffic = each.traffic
        after = f"{each.minutes:.1f} min" if each.minutes else "-"
        lines.append(
            f"| {traffic.requests_per_second} | {traffic.client_errors:.0%} "
            f"| {traffic.refused:.0%} | {each.rolled_back / each.releases:.1%} | {after} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, and print or write; 1 where the rate of false rollbacks is significantly exceeded."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.objectives", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the tables to {PAGE.name}")
    parser.add_argument("--releases", type=int, default=HEALTHY_RELEASES, help="healthy ones a row")
    options = parser.parse_args(arguments)
    good = [play(each, options.releases, SEED) for each in healthy()]
    bad = [play(each, min(options.releases, FAULTY_RELEASES), SEED) for each in faulty()]
    text = tables(good, bad)
    if options.write:
        begin, end = (f"<!-- written by python -m benchmarks.objectives: {at} -->" for at in
                      ("begin", "end"))  # fmt: skip
        page = PAGE.read_text(encoding="utf-8")
        section = f"{begin}\n\n{text}\n\n{end}"
        changed = re.sub(f"{begin}.*{end}", lambda _: section, page, flags=re.DOTALL)
        PAGE.write_text(changed, encoding="utf-8")
    sys.stdout.write(f"{text}\n")
    over = [each for each in good if interval(each.rolled_back, each.releases)[0] >
            FALSE_ROLLBACK_RATE]  # fmt: skip
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
