"""The canary benchmark: `python -m benchmarks.canary` runs it and writes docs/canary*.

It takes some minutes on two cores. `--quick` runs a few cells, and writes nothing without `--into`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import plots, report, tables
from benchmarks.cells import Cell, faulty_cells, healthy_cells, slow_cells
from benchmarks.measure import Result, play

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 20261124
HEALTHY_RELEASES = {1: 40_000, 10: 40_000, 100: 20_000, 1000: 10_000}
"""Releases by requests per second: with few failures, false rollbacks are closest to alpha."""
FAULTY_RELEASES = 2_000
DOCS = Path(__file__).parents[1] / "docs"


def run(cells: Sequence[Cell], seed: int, processes: int) -> list[Result]:
    """Run cells; the results are in their order, whatever the number of processes is."""
    # Each process computes on one core; more threads in each would be slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pool.map(partial(play, seed=seed), cells, chunksize=4)


def every_cell() -> list[Cell]:
    """Return all cells of the benchmark."""
    faulty = [*faulty_cells(FAULTY_RELEASES), *slow_cells(FAULTY_RELEASES)]
    return [
        cell
        for rps, releases in HEALTHY_RELEASES.items()
        for cell in healthy_cells(releases)
        if cell.requests_per_second == rps
    ] + faulty


def quick_cells() -> list[Cell]:
    """Return the cells of two settings, with few releases."""
    settings = {(10, 0.1, 0.005), (10, 0.1, 0.1)}
    return [
        cell
        for cell in (*healthy_cells(200), *faulty_cells(100), *slow_cells(100))
        if (cell.requests_per_second, cell.canary, cell.base) in settings
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, and print a summary."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canary", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=SEED, help="seed of the simulation (default: %(default)s)"
    )
    parser.add_argument(
        "--processes", type=int, default=2, help="number of processes (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="run a few cells with few releases")
    parser.add_argument("--into", type=Path, help=f"folder to write to (default: {DOCS.name})")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    cells = quick_cells() if options.quick else every_cell()
    results = run(cells, options.seed, options.processes)
    into = options.into or (None if options.quick else DOCS)
    if into is not None:
        results = report.write(results, into)
        plots.write(results, into)
    took = f"{len(results)} cells in {time.monotonic() - began:.0f} s"
    sys.stdout.write(f"{tables.claimed(results)}\n\n{took}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
