"""Measure the judge with late metrics: `python -m benchmarks.delays` prints a table.

Each release is a canary of 10 % for 8 minutes at 20 requests a second, as in prod. Each row delays
the metrics of one source, or of all, by 0 to 180 seconds more than AWS does
(`benchmarks.arrivals`). Good releases fail 0.1 % of the requests, like the stable version; bad ones
crash in 7.5 % of them, which only Lambda and API Gateway count, or fail in 3 %, which the service
counts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.arrivals import SOURCES, Behaviour, SimulatedRelease, play
from benchmarks.measure import interval
from benchmarks.page import PAGE, write_section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.arrivals import Outcome
    from pipeline.judge.arrival import Source

SEED = 20261130
RELEASES = 400
SECONDS = (0, 60, 75, 120, 180)
FALSE_ROLLBACK_RATE = 0.01
KINDS = {
    "good": Behaviour(),
    "crashes": Behaviour(crashes=(0.0, 0.075)),
    "fails": Behaviour(failures=(0.001, 0.03)),
}


@dataclass(frozen=True)
class Row:
    """The outcomes of releases with delayed metrics, by kind of release."""

    source: str
    seconds: float
    outcomes: Mapping[str, Sequence[Outcome]]

    @property
    def false_rollbacks(self) -> int:
        """Return the number of good releases that were stopped."""
        return sum(each.stopped_by is not None for each in self.outcomes["good"])


def played(release: tuple[str, Mapping[Source, float], int]) -> Outcome:
    """Simulate one release."""
    kind, late, seed = release
    return play(SimulatedRelease(KINDS[kind], late, seed))


def rows(releases: int, seconds: Sequence[float], processes: int = 1) -> list[Row]:
    """Run the benchmark; the same arguments simulate the same releases."""
    found = []
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for source in (*SOURCES, "all"):
            for delay in seconds if source == "all" else [each for each in seconds if each]:
                late = {each: float(delay) for each in SOURCES if source in {each, "all"}}
                outcomes = {}
                for kind in KINDS:
                    chosen = [(kind, late, SEED + number) for number in range(releases)]
                    outcomes[kind] = pool.map(played, chosen, chunksize=10)
                found.append(Row(source, delay, outcomes))
    return found


def table(found: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| late | by | good: rolled back | promoted after | crashes: found | after | hurt "
        "| fails: found | after | hurt |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found:
        good = row.outcomes["good"]
        low, high = interval(row.false_rollbacks, len(good))
        promoted = [each for each in good if each.stopped_by is None]
        lines.append(
            f"| {row.source} | {row.seconds:.0f} s "
            f"| {row.false_rollbacks / len(good):.2%} ({low:.2%} to {high:.2%}) "
            f"| {_mean([each.minutes for each in promoted]):.1f} min "
            f"| {_found(row.outcomes['crashes'])} | {_found(row.outcomes['fails'])} |"
        )
    return "\n".join(lines)


def _found(outcomes: Sequence[Outcome]) -> str:
    found = [each for each in outcomes if each.stopped_by is not None]
    return (
        f"{len(found) / len(outcomes):.1%} | {_mean([each.minutes for each in found]):.1f} min "
        f"| {_mean([each.hurt for each in outcomes]):.0f}"
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if the rate of false rollbacks is significantly exceeded."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delays", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the table to {PAGE.name}")
    parser.add_argument(
        "--releases",
        type=int,
        default=RELEASES,
        help="releases of each kind in a row (default: %(default)s)",
    )
    parser.add_argument(
        "--processes", type=int, default=2, help="number of processes (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    found = rows(options.releases, SECONDS, options.processes)
    text = table(found)
    if options.write:
        write_section("delays", text)
    sys.stdout.write(f"{text}\n")
    over = [
        row
        for row in found
        if interval(row.false_rollbacks, options.releases)[0] > FALSE_ROLLBACK_RATE
    ]
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
