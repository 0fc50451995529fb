"""Static analysis of our own code: bandit, findings of medium severity or more."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.gates.findings import Finding
from pipeline.gates.gate import CouldNotRunError
from pipeline.scanners import tool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BANDIT = (sys.executable, "-m", "bandit")
PACKAGES = ("console", "environments", "pipeline", "service")
"""All that is delivered or delivers. The local cloud does neither; `make check` scans it."""


class _Result(tool.Answer):
    filename: str
    line_number: int
    test_id: str
    issue_text: str


class _Unread(tool.Answer):
    filename: str
    reason: str


class _Totals(tool.Answer):
    loc: int
    nosec: int
    skipped_tests: int


class _Metrics(tool.Answer):
    totals: _Totals = Field(alias="_totals")


class _Report(tool.Answer):
    results: list[_Result]
    errors: list[_Unread]
    metrics: _Metrics


def scan(root: Path, paths: Sequence[str] = PACKAGES) -> tool.Scan:
    """Scan folders and files of a checkout.

    Raises:
        CouldNotRunError: bandit is missing, crashed, could not read a file, or read no code.
    """
    command = [*BANDIT, "--quiet", "--recursive", "-ll", "--configfile", "pyproject.toml"]
    present = [path for path in paths if (root / path).exists()]
    done = tool.run("bandit", [*command, "--format", "json", *present], root, {0, 1})
    report = tool.read("bandit", done, _Report)
    if report.errors:
        first = report.errors[0]
        raise CouldNotRunError(f"bandit could not read {first.filename}: {first.reason}")
    if bool(report.results) != (done.returncode == 1):
        raise CouldNotRunError(
            f"bandit ended with exit code {done.returncode} and {len(report.results)} results"
        )
    totals = report.metrics.totals
    if not totals.loc:
        raise CouldNotRunError("bandit scanned no line of code")
    let_by = totals.nosec + totals.skipped_tests
    return tool.Scan(
        "bandit",
        tuple(_finding(root, each) for each in report.results),
        f"{tool.counted(totals.loc, 'line')} ({let_by} let by)",
    )


def _finding(root: Path, result: _Result) -> Finding:
    lines = (root / result.filename).read_text(encoding="utf-8").splitlines()
    return Finding(
        tool="bandit",
        rule=result.test_id,
        message=result.issue_text,
        path=result.filename.removeprefix("./"),
        line=result.line_number,
        subject=lines[result.line_number - 1].strip(),
    )
