"""Write and read the results: one CSV line for each cell, and the tables in the page."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from benchmarks import tables
from benchmarks.cells import Cell
from benchmarks.measure import Result, RuleResult, Unlimited
from benchmarks.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CSV = "canary-benchmark.csv"
PAGE = "canary.md"
BEGIN = "<!-- written by python -m benchmarks.canary: begin -->"
END = "<!-- written by python -m benchmarks.canary: end -->"
_CELL = ("scenario", "rps", "canary", "base", "factor", "releases")
_UNLIMITED = ("requests", "missed", "told")
_OUTCOME = ("rolled_back", "early", "requests", "median", "hurt")


def write(results: Iterable[Result], into: Path) -> list[Result]:
    """Write the CSV, and write its tables into the page between the markers."""
    into.mkdir(parents=True, exist_ok=True)
    with (into / CSV).open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        names = [f"unlimited {name}" for name in _UNLIMITED]
        lines.writerow([*_CELL, *names, *(f"{rule} {name}" for rule in RULES for name in _OUTCOME)])
        for result in results:
            cell = result.cell
            values: list[float | str | None] = [
                cell.scenario, cell.requests_per_second, cell.canary, cell.base, cell.factor,
                cell.releases,
            ]  # fmt: skip
            values += [getattr(result.unlimited, name, None) for name in _UNLIMITED]
            for rule in RULES:
                found = result.of_rule(rule)
                values += [getattr(found, name, None) for name in _OUTCOME]
            lines.writerow([_written(value) for value in values])
    kept = read(into)
    page = into / PAGE
    text = page.read_text(encoding="utf-8") if page.exists() else f"{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{tables.render(kept)}\n\n{END}{after}", encoding="utf-8")
    return kept


def read(from_folder: Path) -> list[Result]:
    """Read the results that `write` wrote."""
    with (from_folder / CSV).open(newline="", encoding="utf-8") as file:
        return [_result(line) for line in csv.DictReader(file)]


def _result(line: dict[str, str]) -> Result:
    def number(name: str) -> float | None:
        return float(line[name]) if line[name] else None

    cell = Cell(
        line["scenario"],  # type: ignore[arg-type]  # one of the names that were written
        int(line["rps"]),
        float(line["canary"]),
        float(line["base"]),
        float(line["factor"]),
        int(line["releases"]),
    )
    rules = tuple(
        RuleResult(
            rule,
            int(line[f"{rule} rolled_back"]),
            int(line[f"{rule} early"]),
            number(f"{rule} requests"),
            number(f"{rule} median"),
            float(line[f"{rule} hurt"]),
        )
        for rule in RULES
        if line[f"{rule} hurt"]
    )
    requests = number("unlimited requests")
    unlimited = None
    if requests is not None:
        unlimited = Unlimited(requests, int(line["unlimited missed"]), number("unlimited told"))
    return Result(cell, rules, unlimited)


def _written(value: float | str | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
