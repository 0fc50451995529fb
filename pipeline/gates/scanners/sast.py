"""Static analysis of all Python code of a checkout: bandit, medium severity or more.

Every Python file is scanned, wherever it is: code in a new folder, in `service/tests/` or without a
suffix could also run in a build or in production. Tests are scanned, too; bandit's findings about
`assert` and example passwords have low severity.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.scanners import repository, tool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BANDIT = (sys.executable, "-m", "bandit")
_FILES_PER_RUN = 2000
"""With names of 1,000 bytes a command line is still below Linux's limit."""


class _Result(tool.Output):
    filename: str
    line_number: int
    test_id: str
    issue_text: str


class _Unread(tool.Output):
    filename: str
    reason: str


class _Metrics(tool.Output):
    loc: int


class _Report(tool.Output):
    results: list[_Result]
    errors: list[_Unread]
    metrics: dict[str, _Metrics]
    """By file, and over all files as `_totals`."""


def scan(root: Path, paths: Sequence[str] | None = None) -> tool.Scan:
    """Scan all Python files of a checkout, or those among the given files.

    bandit is given files and no configuration, so that it reads neither `.bandit` nor any other
    file for options; `# nosec` has no effect.

    Raises:
        CouldNotRunError: bandit is missing, crashed, or could not read a file.
    """
    listed = repository.files(root) if paths is None else paths
    code = [path for path in listed if repository.is_python(root, path)]
    if not code:
        raise CouldNotRunError("bandit: found no Python file to scan; run it in a checkout")
    reports = [
        _bandit(root, code[start : start + _FILES_PER_RUN])
        for start in range(0, len(code), _FILES_PER_RUN)
    ]
    lines = sum(report.metrics["_totals"].loc for report in reports)
    findings = tuple(_finding(root, each) for report in reports for each in report.results)
    return tool.Scan("bandit", findings, tool.counted(lines, "line"))


def _bandit(root: Path, code: Sequence[str]) -> _Report:
    command = [*BANDIT, "--quiet", "-ll", "--ignore-nosec", "--format", "json"]
    # A pattern that matches no file: bandit's default excludes folders such as `x.egg`.
    command += ["--exclude", "//", "--", *code]
    done = tool.run("bandit", command, root, {0, 1})
    report = tool.read("bandit", done, _Report)
    if report.errors:
        first = report.errors[0]
        path = first.filename.removeprefix("./")
        raise CouldNotRunError(f"bandit could not read {path}: {first.reason}")
    if bool(report.results) != (done.returncode == 1):
        raise CouldNotRunError(
            f"bandit ended with exit code {done.returncode} and {len(report.results)} results"
        )
    missed = [path for path in code if f"./{path}" not in report.metrics]
    if missed or "_totals" not in report.metrics:
        raise CouldNotRunError(f"bandit did not scan {', '.join(missed[:3]) or 'a line of code'}")
    return report


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
