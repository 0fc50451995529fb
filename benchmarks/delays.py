"""The judge with late metrics: `python -m benchmarks.delays` plays releases, and prints a table.

Each release is a canary of 10 % for 8 minutes at 20 requests a second, as prod's. Each row delays
the metrics of one source, or of all, by 0 to 180 seconds more than AWS does
(`benchmarks.arrivals`). Good releases fail 0.1 % of the requests, as the version before; bad ones
crash in 7.5 % of them, which only Lambda and API Gateway see, or fail in 3 %, which the service
counts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.arrivals import SOURCES, Behaviour, World, play
from benchmarks.measure import interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.arrivals import Ending
    from pipeline.judge.arrival import Source

SEED = 20261130
RELEASES = 400
SECONDS = (0, 60, 75, 120, 180)
PAGE = Path(__file__).parents[1] / "docs" / "canary.md"
FALSE_ROLLBACK_RATE = 0.01
KINDS = {
    "good": Behaviour(),
    "crashes": Behaviour(crashes=(0.0, 0.075)),
    "fails": Behaviour(failures=(0.001, 0.03)),
}


@dataclass(frozen=True)
class Row:
    """What became of the releases whose metrics come so late, by kind of release."""

    source: str
    seconds: float
    endings: Mapping[str, Sequence[Ending]]

    @property
    def false_rollbacks(self) -> int:
        """Good releases that were stopped."""
        return sum(each.stopped_by is not None for each in self.endings["good"])


def played(release: tuple[str, Mapping[Source, float], int]) -> Ending:
    """Play one release."""
    kind, late, seed = release
    return play(World(KINDS[kind], late, seed))


def rows(releases: int, seconds: Sequence[float], processes: int = 1) -> list[Row]:
    """Play the benchmark; the same numbers play the same releases."""
    found = []
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for source in (*SOURCES, "all"):
            for delay in seconds if source == "all" else [each for each in seconds if each]:
                late = {each: float(delay) for each in SOURCES if source in {each, "all"}}
                endings = {}
                for kind in KINDS:
                    chosen = [(kind, late, SEED + number) for number in range(releases)]
                    endings[kind] = pool.map(played, chosen, chunksize=10)
                found.append(Row(source, delay, endings))
    return found


def table(found: Sequence[Row]) -> str:
    """As Markdown."""
    lines = [
        "| late | by | good: rolled back | promoted after | crashes: found | after | hurt "
        "| fails: found | after | hurt |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found:
        good = row.endings["good"]
        low, high = interval(row.false_rollbacks, len(good))
        promoted = [each for each in good if each.stopped_by is None]
        lines.append(
            f"| {row.source} | {row.seconds:.0f} s "
            f"| {row.false_rollbacks / len(good):.2%} ({low:.2%} to {high:.2%}) "
            f"| {_mean([each.minutes for each in promoted]):.1f} min "
            f"| {_found(row.endings['crashes'])} | {_found(row.endings['fails'])} |"
        )
    return "\n".join(lines)


def _found(endings: Sequence[Ending]) -> str:
    found = [each for each in endings if each.stopped_by is not None]
    return (
        f"{len(found) / len(endings):.1%} | {_mean([each.minutes for each in found]):.1f} min "
        f"| {_mean([each.hurt for each in endings]):.0f}"
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, and print or write; 1 if the rate of false rollbacks is significantly exceeded."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delays", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the table to {PAGE.name}")
    parser.add_argument("--releases", type=int, default=RELEASES, help="of each kind, a row")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    found = rows(options.releases, SECONDS, options.processes)
    text = table(found)
    if options.write:
        begin, end = (f"<!-- written by python -m benchmarks.delays: {at} -->" for at in
                      ("begin", "end"))  # fmt: skip
        section = f"{begin}\n\n{text}\n\n{end}"
        page = PAGE.read_text(encoding="utf-8")
        changed = re.sub(f"{begin}.*{end}", lambda _: section, page, flags=re.DOTALL)
        PAGE.write_text(changed, encoding="utf-8")
    sys.stdout.write(f"{text}\n")
    over = [
        row
        for row in found
        if interval(row.false_rollbacks, options.releases)[0] > FALSE_ROLLBACK_RATE
    ]
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
