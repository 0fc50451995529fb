from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from environments.schema import EnvironmentFileError
from pipeline.gates.gate import main
from pipeline.gates.report.catalogue import GATES, Gate, gate
from pipeline.gates.report.findings import Finding
from pipeline.gates.report.gate_report import GateReport, parse, parse_exported
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.report.waivers import WaiversError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

HOLE = Finding("bandit", "B307", "eval is\nbad", "service/hole.py", 2, subject="eval(text)")
SMELL = Finding("deptry", "DEP002", "unused", "pyproject.toml", severity="warning", subject="boto3")


def _report(reports: Path, kind: str = "json") -> Any:
    return json.loads((reports / f"security.{kind}").read_text())


@pytest.mark.parametrize(
    ("outcome", "code", "next_step"),
    [
        (GateResult("passed", "all was well", {"lines": 3}), 0, None),
        (GateResult("not run", "let by"), 0, None),
        (GateResult("refused", "one was bad."), 1, gate("security").next_if_refused),
        (GateResult("refused", "one was bad", next_step="run `true`"), 1, "run `true`"),
    ],
)
def test_a_gate_returns_an_exit_code_a_sentence_and_a_report(
    reports: Path,
    capsys: pytest.CaptureFixture[str],
    outcome: GateResult,
    code: int,
    next_step: str | None,
) -> None:
    reports.rmdir()  # as in a fresh checkout
    assert main("security", lambda: outcome) == code
    told = f"one was bad. Next: {next_step}" if next_step else outcome.sentence
    assert capsys.readouterr().out == f"gate security: {outcome.status}: {told}\n"
    report = parse((reports / "security.json").read_bytes())
    assert report.seconds >= 0
    assert report == GateReport(
        "security", outcome.status, outcome.sentence, next_step,
        seconds=report.seconds, details=outcome.details,
    )  # fmt: skip
    exported = (reports / "security.exported").read_text()
    assert parse_exported(exported) == (replace(report, details={}),)
    assert {each.name for each in reports.iterdir()} == {"security.json", "security.exported"}


@pytest.mark.parametrize(
    ("error", "next_step"),
    [
        (CouldNotRunError("it\nbroke"), gate("security").next_if_not_run),
        (CouldNotRunError("it broke", next_step="run `true`"), "run `true`"),
        (EnvironmentFileError("it broke"), "fix the file and run `pithead check`"),
        (
            WaiversError("it broke"),
            "edit pipeline/waivers.toml (docs/gates.md, Waivers) and commit",
        ),
    ],
)
def test_a_gate_that_could_not_run_refuses_with_a_next_step(
    reports: Path, capsys: pytest.CaptureFixture[str], error: Exception, next_step: str
) -> None:
    def run() -> GateResult:
        raise error

    assert main("security", run) == 2
    sentence = "could not run, which refuses: it broke"
    said = capsys.readouterr().out
    assert said == f"gate security: refused: {sentence}. Next: {next_step}\n"
    report = _report(reports)
    assert (report["status"], report["sentence"]) == ("refused", sentence)
    assert report["next"] == next_step


def test_a_reason_with_a_rule_has_it_in_the_report(reports: Path) -> None:
    def run() -> GateResult:
        raise CouldNotRunError("throttled", rule="throttled")

    assert main("security", run) == 2
    assert _report(reports)["rules"] == ["throttled"]


@pytest.mark.parametrize("each", GATES, ids=lambda each: each.name)
def test_each_gates_next_step_names_a_command_or_a_file(each: Gate) -> None:
    """For every reason of a refusal."""
    for step in (each.next_if_refused, each.next_if_not_run):
        assert re.search(r"`(pithead|make) |\.toml", step), step


def test_a_gate_outside_the_catalogue_needs_its_own_next_step(reports: Path) -> None:
    with pytest.raises(ValueError, match="gate 'typo' does not exist; the gates are unit, "):
        main("typo", lambda: GateResult("passed", "fine"))
    assert list(reports.iterdir()) == []


def test_a_crashed_gate_refuses_and_deletes_the_earlier_report(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> GateResult:
        raise KeyError("results")

    for kind in ("json", "exported", "sarif"):
        (reports / f"security.{kind}").write_text("{}")
    assert main("security", run) == 2
    said = capsys.readouterr()
    assert "this is a bug of the gate: KeyError: 'results'" in said.out
    assert "Traceback" in said.err
    assert _report(reports)["status"] == "refused"
    (exported,) = parse_exported((reports / "security.exported").read_text())
    assert exported.status == "refused"
    assert not (reports / "security.sarif").exists()


def test_an_error_refuses_and_the_sentence_names_the_first_on_one_line(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Finding("bandit", "B602", "a shell", "service/z.py", 9)
    again = replace(HOLE, path="service/z.py", line=10)
    found = [other, SMELL, again, HOLE]
    assert main("security", lambda: GateResult.of_findings(found, "clean")) == 1
    sentence = "3 findings, the first bandit B307 at service/hole.py:2: eval is bad"
    next_step = gate("security").next_if_refused
    assert capsys.readouterr().out.splitlines() == [
        "service/hole.py:2: error: bandit B307: eval is bad",
        "service/z.py:9: error: bandit B602: a shell",
        "service/z.py:10: error: bandit B307: eval is bad",
        "pyproject.toml: warning: deptry DEP002: unused",
        f"gate security: refused: {sentence}. Next: {next_step}",
    ]
    assert _report(reports)["findings"] == 4
    assert _report(reports)["rules"] == ["B307", "B602"]
    by_tool = {run["tool"]["driver"]["name"]: run["results"] for run in _sarif(reports)}
    assert {tool: len(results) for tool, results in by_tool.items()} == {"bandit": 3, "deptry": 1}


def _sarif(reports: Path) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = _report(reports, "sarif")["runs"]
    return runs


def test_a_refusal_by_findings_keeps_its_own_next_step(reports: Path) -> None:
    found = replace(GateResult.of_findings([HOLE], "clean"), next_step="run `true`")
    assert main("security", lambda: found) == 1
    assert _report(reports)["next"] == "run `true`"


def test_a_warning_is_reported_and_refuses_nothing(reports: Path) -> None:
    assert main("security", lambda: GateResult.of_findings([SMELL], "clean")) == 0
    report = _report(reports)
    assert (report["status"], report["sentence"], report["findings"]) == ("passed", "clean", 1)


@pytest.mark.parametrize("status", ["passed", "not run"])
def test_findings_refuse_even_with_an_override(
    reports: Path, status: Literal["passed", "not run"]
) -> None:
    assert main("security", lambda: GateResult(status, "fine", findings=(HOLE,))) == 1
    assert "B307" in _report(reports)["sentence"]


def test_a_tool_without_findings_has_a_sarif_run(reports: Path) -> None:
    assert main("security", lambda: GateResult.of_findings([], "clean", tools=("bandit",))) == 0
    (only,) = _sarif(reports)
    assert (only["tool"]["driver"]["name"], only["results"]) == ("bandit", [])


def test_a_log_shows_the_first_findings_and_the_report_has_all(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [replace(HOLE, line=n, subject=str(n)) for n in range(200)]
    assert main("security", lambda: GateResult.of_findings(many, "clean")) == 1
    assert len(capsys.readouterr().out.splitlines()) == 51
    (only,) = _sarif(reports)
    assert len(only["results"]) == _report(reports)["findings"] == 200


def test_a_partial_run_keeps_the_report_of_the_last_full_run(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (reports / "security.json").write_text("the whole one")
    assert main("security", lambda: GateResult.of_findings([HOLE], "clean"), whole=False) == 1
    assert "gate security: refused: 1 finding bandit B307" in capsys.readouterr().out
    assert [each.name for each in reports.iterdir()] == ["security.json"]
    assert (reports / "security.json").read_text() == "the whole one"
