from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from environments.schema import EnvironmentFileError
from pipeline.gates.findings import Finding
from pipeline.gates.gate import CouldNotRunError, Outcome, run

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

HOLE = Finding("bandit", "B307", "eval is\nbad", "service/hole.py", 2, subject="eval(text)")
SMELL = Finding("deptry", "DEP002", "unused", "pyproject.toml", severity="warning", subject="boto3")


def _report(reports: Path, kind: str = "json") -> Any:
    return json.loads((reports / f"some.{kind}").read_text())


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome("passed", "all was well", {"lines": 3}), 0),
        (Outcome("refused", "one was bad"), 1),
        (Outcome("not run", "let by"), 0),
    ],
)
def test_a_gate_answers_by_code_sentence_and_report(
    reports: Path, capsys: pytest.CaptureFixture[str], outcome: Outcome, code: int
) -> None:
    reports.rmdir()  # as in a fresh checkout
    assert run("some", lambda: outcome) == code
    assert capsys.readouterr().out == f"gate some: {outcome.status}: {outcome.sentence}\n"
    report = _report(reports)
    assert report.pop("seconds") >= 0
    assert report == {
        "gate": "some",
        "status": outcome.status,
        "sentence": outcome.sentence,
        "details": outcome.details,
        "findings": 0,
        "waived": 0,
    }
    assert not (reports / "some.sarif").exists()


@pytest.mark.parametrize("error", [CouldNotRunError("it\nbroke"), EnvironmentFileError("it broke")])
def test_a_gate_that_could_not_run_has_refused(
    reports: Path, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def judge() -> Outcome:
        raise error

    assert run("some", judge) == 2
    sentence = "could not run, which refuses: it broke"
    assert capsys.readouterr().out == f"gate some: refused: {sentence}\n"
    report = _report(reports)
    assert (report["status"], report["sentence"]) == ("refused", sentence)


def test_a_bug_of_a_gate_refuses_and_leaves_no_report_of_an_earlier_run(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def judge() -> Outcome:
        raise KeyError("results")

    for kind in ("json", "sarif"):
        (reports / f"some.{kind}").write_text("{}")
    assert run("some", judge) == 2
    said = capsys.readouterr()
    assert "this is a bug of the gate: KeyError: 'results'" in said.out
    assert "Traceback" in said.err
    assert _report(reports)["status"] == "refused"
    assert not (reports / "some.sarif").exists()


def test_an_error_refuses_and_the_sentence_names_the_first_on_one_line(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Finding("bandit", "B602", "a shell", "service/z.py", 9)
    assert run("some", lambda: Outcome.of_findings([other, SMELL, HOLE], "clean")) == 1
    assert capsys.readouterr().out.splitlines() == [
        "service/hole.py:2: error: bandit B307: eval is bad",
        "service/z.py:9: error: bandit B602: a shell",
        "pyproject.toml: warning: deptry DEP002: unused",
        "gate some: refused: 2 findings, the first bandit B307 at service/hole.py:2: eval is bad",
    ]
    assert _report(reports)["findings"] == 3
    found = {run["tool"]["driver"]["name"]: run["results"] for run in _sarif(reports)}
    assert {tool: len(results) for tool, results in found.items()} == {"bandit": 2, "deptry": 1}


def _sarif(reports: Path) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = _report(reports, "sarif")["runs"]
    return runs


def test_a_warning_is_reported_and_refuses_nothing(reports: Path) -> None:
    assert run("some", lambda: Outcome.of_findings([SMELL], "clean")) == 0
    report = _report(reports)
    assert (report["status"], report["sentence"], report["findings"]) == ("passed", "clean", 1)


@pytest.mark.parametrize("status", ["passed", "not run"])
def test_findings_refuse_also_where_a_gate_has_let_by(
    reports: Path, status: Literal["passed", "not run"]
) -> None:
    assert run("some", lambda: Outcome(status, "fine", findings=(HOLE,))) == 1
    assert "B307" in _report(reports)["sentence"]


def test_a_tool_that_found_nothing_has_a_run(reports: Path) -> None:
    assert run("some", lambda: Outcome.of_findings([], "clean", tools=("bandit",))) == 0
    (only,) = _sarif(reports)
    assert (only["tool"]["driver"]["name"], only["results"]) == ("bandit", [])


def test_a_log_shows_the_first_findings_and_the_report_has_all(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [replace(HOLE, line=n, subject=str(n)) for n in range(200)]
    assert run("some", lambda: Outcome.of_findings(many, "clean")) == 1
    assert len(capsys.readouterr().out.splitlines()) == 51
    (only,) = _sarif(reports)
    assert len(only["results"]) == _report(reports)["findings"] == 200


def test_a_look_at_a_part_leaves_no_report_and_the_whole_ones_stay(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (reports / "some.json").write_text("the whole one")
    assert run("some", lambda: Outcome.of_findings([HOLE], "clean"), whole=False) == 1
    assert "gate some: refused: 1 finding bandit B307" in capsys.readouterr().out
    assert [each.name for each in reports.iterdir()] == ["some.json"]
    assert (reports / "some.json").read_text() == "the whole one"
