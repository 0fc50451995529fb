"""docs/judge.md matches the output of the commands."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, get_args

import pytest

from console import cli
from console.judge.picture import svg
from console.judge.records import from_file
from console.judge.replay import replay_record
from environments.schema import Judge, load
from pipeline.judge.statistics.judging import Outcome, Verdict
from pipeline.judge.statistics.record import code
from pipeline.planning.policy import parameters

if TYPE_CHECKING:
    from tests.console.judge.conftest import Played

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "judge.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n\$ pithead (.*)\n((?:.*\n)*?)```", PAGE)


class Traffic(TypedDict, total=False):
    """The arguments of `record`."""

    seed: int
    minutes: int
    bad: float


RELEASES: tuple[Traffic, ...] = (
    {"seed": 3, "minutes": 12, "bad": 0.012},
    {"bad": 0.5},
    {"minutes": 12, "bad": 0.001},
    {"minutes": 12, "bad": 0.005, "seed": 1},
    {"minutes": 12, "bad": 0.005, "seed": 23},
)


@pytest.fixture
def releases(folder: Path, record: Played) -> None:
    """The folder and the file that the page names."""
    (folder / "docs").mkdir()
    (folder / "docs/judge-release.json").write_bytes((DOCS / "judge-release.json").read_bytes())
    (folder / "releases").mkdir()
    for number, played in enumerate(RELEASES):
        release = record(**played, deployment=f"d-ABCDEF12{number + 3}")
        later = timedelta(days=number)
        release = replace(
            release,
            began=release.began + later,
            periods=tuple(replace(each, start=each.start + later) for each in release.periods),
            decided_at=release.decided_at and release.decided_at + later,
        )
        (folder / f"releases/{number}.json").write_text(release.text())


@pytest.mark.parametrize(("command", "shown"), SHOWN)
def test_the_output_of_each_command_matches_the_page(
    command: str,
    shown: str,
    releases: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "argv", ["pithead", *shlex.split(command)])
    assert cli.main() == 0
    said = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    expected = [line.rstrip() for line in shown.splitlines()]
    if expected[-1] == "…":
        expected.pop()
        said = said[: len(expected)]
    assert said == expected


def test_the_page_shows_each_command() -> None:
    assert [command.split()[1] for command, _ in SHOWN] == ["replay", "plan", "backtest"]


def test_the_pages_release_and_picture_are_reproducible(record: Played) -> None:
    kept = from_file(DOCS / "judge-release.json")
    assert replace(kept, code=code()) == record(**RELEASES[0])
    assert (DOCS / "judge.svg").read_text(encoding="utf-8") == svg(replay_record(kept).course)


def _table(name: str) -> str:
    """Return the page's table whose first column has that name."""
    (found,) = re.findall(rf"^\| {name} \|.*\n(?:\|.*\n)+", PAGE, re.MULTILINE)
    return str(found)


def test_the_page_names_every_outcome_and_every_key() -> None:
    verdicts, outcomes, objectives = (
        set(re.findall(r"^\| `([a-z, -]+)` \|", _table(name), re.MULTILINE))
        for name in ("verdict", "outcome", "objective")
    )
    assert verdicts == set(get_args(Verdict))
    assert outcomes == set(get_args(Outcome)) - {"in progress"}
    prod = load("prod")
    assert prod.judge is not None
    assert objectives == set(parameters(prod, prod.judge).objectives)
    (table,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    judge = tomllib.loads(table)["judge"]
    assert set(judge) == set(Judge.model_fields)
    Judge.model_validate(judge)
