from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import pytest

from console import cli
from pipeline.judge.statistics.periods import Discrepancy

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.judge.statistics.record import Record
    from tests.console.judge.conftest import Played


class Pithead(Protocol):
    def __call__(self, *arguments: str) -> int: ...


@pytest.fixture
def judge(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Pithead:
    """Run `pithead judge` in a checkout without a running local cloud."""

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["pithead", "judge", *arguments])
        return cli.main()

    monkeypatch.setenv("COLUMNS", "120")
    return run


@pytest.fixture
def file(folder: Path, bad: Record) -> Path:
    path = folder / "release.json"
    path.write_text(bad.text())
    return path


def test_a_record_is_replayed_and_drawn(
    judge: Pithead, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge("replay", str(file), "--svg", "release.svg") == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("files in prod: version 3 was rolled back\n")
    assert "✓ verdict    rollback" in shown.out
    assert "rollback from 2" in shown.out
    assert shown.out.endswith("Replayed: the same.\n")
    assert shown.err == "wrote release.svg\n"
    assert (file.parent / "release.svg").read_text().startswith("<svg ")


def test_a_rejected_shift_is_replayed_without_a_picture(
    judge: Pithead, file: Path, bad: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "Refused before it got traffic: deployment d-BEFORE condemned this code."
    refused = replace(
        bad,
        outcome="refused as condemned before",
        verdict="undecided",
        decided_at=None,
        periods=(),
        evidence=(),
        sentence=said,
    )
    file.write_text(refused.text())
    assert judge("replay", str(file)) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"files in prod: version 3 was refused as condemned before\n{said}\n")
    assert shown.endswith("Replayed: the same.\n")
    assert judge("replay", str(file), "--svg", "release.svg") == 1
    assert "was refused before it got traffic, and there is nothing to draw" in (
        capsys.readouterr().err
    )


def test_contradicted_counts_are_replayed(
    judge: Pithead, file: Path, good: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    told = replace(
        good,
        outcome="stopped as inconsistent",
        verdict="inconsistent",
        decided_at=None,
        discrepancies=(Discrepancy("5xx responses", None, 0, 45, 7),),
    )
    file.write_text(told.text())
    assert judge("replay", str(file)) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("files in prod: version 3 was stopped as inconsistent\n")
    assert "✓ verdict    inconsistent" in shown
    assert judge("backtest", str(file.parent)) == 0
    assert "Condemned: 1 of 1 release; by the rule, 1 (0 new)" in capsys.readouterr().out


def test_an_unwritable_picture_is_an_error(
    judge: Pithead, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge("replay", str(file), "--svg", "nowhere/release.svg") == 1
    told = "pithead: nowhere/release.svg cannot be written: No such file or directory\n"
    assert capsys.readouterr().err == told


def test_an_altered_record_exits_1(
    judge: Pithead, file: Path, bad: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(replace(bad, verdict="undecided", decided_at=None).text())
    assert judge("replay", str(file)) == 1
    shown = capsys.readouterr().out
    assert "✗ verdict    recorded undecided, recomputed rollback" in shown
    assert shown.endswith("Replayed: NOT the same.\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("replay", "nowhere.json"), "nowhere.json cannot be read: No such file or directory"),
        (("replay", "pyproject.toml"), "pyproject.toml: no JSON"),
        (("replay", "d-ABCDEF123"), "no local cloud of this checkout runs"),
        (("replay", "prod"), "no local cloud of this checkout runs"),
        (("plan", "dev"), "environments/dev.toml: shift.type: found 'all-at-once'"),
        (("backtest", "."), "no decision record"),
        (("backtest", "nowhere"), "nowhere is not a folder"),
        (("backtest", "prod"), "no local cloud of this checkout runs"),
    ],
)
def test_an_error_is_one_sentence(
    arguments: tuple[str, ...], told: str, judge: Pithead, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(*arguments) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("pithead: ")
    assert told in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay",),
        ("plan", "qa"),
        ("plan", "--failure-share", "1"),
        ("plan", "--failure-share", "0"),
        ("plan", "--requests-per-second", "0"),
        ("plan", "--requests-per-second", "nan"),
        ("plan", "--certainty", "1"),
        ("plan", "--regression", "1"),
        ("backtest", "--false-rollback-rate", "0"),
        ("backtest", "--tolerance", "0.5"),
        ("backtest", "--tolerance", "inf"),
        ("backtest", "--minutes", "0"),
        ("backtest", "--objective", "failures"),
        ("backtest", "--objective", "failures=1.5"),
        ("backtest", "--objective", "failures=nan"),
        ("backtest", "--objective", "failures=0.5", "--objective", "slow-requests=0.4"),
    ],
)
def test_wrong_usage_exits_2(
    arguments: tuple[str, ...], judge: Pithead, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(*arguments) == 2
    assert "Error: " in capsys.readouterr().err


def test_a_canary_is_planned_without_aws(
    judge: Pithead, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge("plan", "prod") == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("note: the traffic was not measured: AWS: found no credentials")
    assert "(environments/prod.toml)" in shown.out
    assert judge("plan", "--requests-per-second", "7", "--failure-share", "0.01") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "7 requests a second, 1 % of which fail (as given)" in shown.out


def test_a_folder_is_backtested(
    judge: Pithead,
    folder: Path,
    record: Played,
    bad: Record,
    good: Record,
    capsys: pytest.CaptureFixture[str],
) -> None:
    past = folder / "past"
    past.mkdir()
    for number, each in enumerate((bad, good, replace(bad, outcome="in progress"))):
        (past / f"{number}.json").write_text(each.text())
    assert judge("backtest", "past", "--false-rollback-rate", "0.2") == 0
    shown = capsys.readouterr()
    assert "Condemned: 1 of 2 releases; by the rule, 1 (" in shown.out
    assert shown.err == ""
    (past / "broken.json").write_text("{}")
    assert judge("backtest", "past", "--json") == 1
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert [each["outcome"] for each in told["releases"]] == ["rolled back", good.outcome]
    assert all(each["happened"] == each["policy"] for each in told["releases"])
    assert shown.err.startswith("pithead: past/broken.json: schema: ")
