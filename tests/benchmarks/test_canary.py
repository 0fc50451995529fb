"""The benchmark from its command to the page, and the page in docs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import claims, plots, report, tables
from benchmarks.canary import DOCS, SEED, every_cell, quick_cells
from benchmarks.judge import FALSE_ROLLBACK_RATE
from benchmarks.measure import play

ROOT = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-m", "benchmarks.canary", "--quick")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("docs")
    (into / report.PAGE).write_text(
        f"before\n{report.BEGIN}\nwhat was there\n{report.END}\nafter\n"
    )
    subprocess.run([*_COMMAND, "--into", into], cwd=ROOT, check=True, timeout=110)
    return into


def test_the_results_do_not_depend_on_the_number_of_processes(written: Path) -> None:
    kept = report.read(written)
    assert [result.cell for result in kept] == quick_cells()
    first = play(quick_cells()[0], SEED)
    ours = [(each.rule, each.rolled_back) for each in first.rules]
    assert ours == [(each.rule, each.rolled_back) for each in kept[0].rules]


def test_only_the_generated_part_of_the_page_is_replaced(written: Path) -> None:
    page = (written / report.PAGE).read_text(encoding="utf-8")
    assert page.startswith(f"before\n{report.BEGIN}\n")
    assert page.endswith(f"{report.END}\nafter\n")
    assert "what was there" not in page
    assert tables.render(report.read(written)) in page


def test_charts_are_reproducible(written: Path, tmp_path: Path) -> None:
    plots.write(report.read(written), tmp_path)
    for name in ("false-rollbacks", "detection", "hurt"):
        drawing = f"canary-{name}.svg"
        assert (tmp_path / drawing).read_bytes() == (written / drawing).read_bytes()


def test_the_page_in_docs_matches_its_results() -> None:
    kept = report.read(DOCS)
    assert [result.cell for result in kept] == every_cell()
    assert tables.render(kept) in (DOCS / report.PAGE).read_text(encoding="utf-8")


def test_the_claims_hold_in_the_latest_results() -> None:
    """The whole benchmark is run manually; its results are kept in docs."""
    kept = report.read(DOCS)
    assert not [each for each in claims.over_alpha(kept) if each.low > FALSE_ROLLBACK_RATE]
    assert not claims.over_bar(kept)
    assert not [each for each in claims.more_hurt(kept) if each.cell.is_findable]
