"""A gate's report, in its file and in the variable that its build exports."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.gates.report.catalogue import NAMES
from pipeline.gates.report.gate_report import (
    EXPORT,
    MAX_EXPORTED_BYTES,
    VARIABLE,
    GateReport,
    GateReportError,
    parse,
    parse_exported,
)

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = GateReport(
    "load", "refused", "p50 is 61 ms", "make it faster", ("p50-regression", "rate"), 9.5, 2, 1
)
PASSED = GateReport("unit", "passed", "9 tests", details={"tests": 9})
NOT_RUN = GateReport("audit", "not run", 'the "résumé" of \n a $(false) `false` \\ {} }{')
OUTPUT_VARIABLES_QUOTA_BYTES = 122_880
"""The quota of one action ("Quotas in AWS CodePipeline")."""


@pytest.mark.parametrize("report", [REFUSED, PASSED, NOT_RUN])
def test_a_report_is_read_back_as_it_was_written(reports: Path, report: GateReport) -> None:
    report.write(reports)
    name = report.gate
    assert parse((reports / f"{name}.json").read_bytes()) == report
    (exported,) = parse_exported((reports / f"{name}.exported").read_text())
    assert exported == replace(report, details={})
    assert {each.name for each in reports.iterdir()} == {f"{name}.json", f"{name}.exported"}


def _exported(folder: Path) -> str:
    """Return the variable as CodeBuild's shell stores it."""
    done = subprocess.run(
        ["sh", "-euc", f'{EXPORT}; printf %s "${VARIABLE}"'],
        cwd=folder, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    return done.stdout


def test_a_build_exports_the_reports_of_all_its_gates(reports: Path) -> None:
    for each in (REFUSED, PASSED, NOT_RUN):
        each.write(reports)
    (reports / "killed.exported.partial").write_text('{"gate": "kil')
    found = parse_exported(_exported(reports.parent))
    assert found == tuple(replace(each, details={}) for each in (NOT_RUN, REFUSED, PASSED))


def test_a_build_whose_gates_were_killed_exports_nothing(reports: Path) -> None:
    assert parse_exported(_exported(reports.parent)) == ()
    reports.rmdir()
    assert parse_exported(_exported(reports.parent)) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"status": "fine"}, "status: Input should be 'passed', 'refused' or 'not run'"),
        ({"rules": None}, "rules: Input should be a valid array"),
        ({"rules": [1]}, "rules.0: Input should be a valid string"),
        ({"gate": 1}, "gate: Input should be a valid string"),
    ],
)
def test_a_malformed_report_is_an_error_that_names_the_field(
    change: dict[str, object], told: str
) -> None:
    text = json.dumps(json.loads(REFUSED.exported()) | change)
    for read in (parse, parse_exported):
        with pytest.raises(GateReportError, match=re.escape(told)):
            read(text)


@pytest.mark.parametrize("text", ["[]", "{", "gate load: refused", REFUSED.exported()[:-1]])
def test_a_text_that_is_no_report_is_an_error(text: str) -> None:
    for read in (parse, parse_exported):
        with pytest.raises(GateReportError):
            read(text)


def test_a_later_version_may_have_more_fields() -> None:
    text = json.dumps(json.loads(REFUSED.exported()) | {"more": 1})
    assert parse(text) == REFUSED


@pytest.mark.parametrize("character", ["x", "é", "🚀", "\n"])
def test_a_sentence_is_cut_to_the_limit_and_no_further(character: str) -> None:
    sent = replace(REFUSED, sentence=character * 9000)
    (found,) = parse_exported(sent.exported())
    assert found == replace(sent, sentence=found.sentence)
    assert found.sentence.removesuffix("…") == character * (len(found.sentence) - 1)
    assert MAX_EXPORTED_BYTES - 12 < len(sent.exported()) <= MAX_EXPORTED_BYTES
    assert sent.exported().isascii()


def test_only_the_first_of_many_rules_are_exported() -> None:
    rules = tuple(f"CVE-2026-{number}" for number in range(10_000, 11_000))
    found = parse(replace(REFUSED, rules=rules).exported())
    assert 40 < len(found.rules) < 1000
    assert found == replace(REFUSED, rules=rules[: len(found.rules)])


def test_the_reports_of_all_gates_fit_into_one_action() -> None:
    assert len(NAMES) * MAX_EXPORTED_BYTES < OUTPUT_VARIABLES_QUOTA_BYTES / 2
