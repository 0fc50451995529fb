"""Tools that are missing, crash, hang, or print something unexpected."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.scanners import dependencies, sast, secret_detection, tool, workflows
from pipeline.gates.scanners.dependencies import Scope

if TYPE_CHECKING:
    from pathlib import Path

SCANNERS = [
    pytest.param(sast, "BANDIT", id="bandit"),
    pytest.param(secret_detection, "KINGFISHER", id="kingfisher"),
    pytest.param(workflows, "ZIZMOR", id="zizmor"),
    pytest.param(dependencies, "DEPTRY", id="deptry"),
]


@pytest.fixture(autouse=True)
def _scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "SCOPES", (Scope("service", ("service",)),))


@pytest.mark.parametrize(("scanner", "command"), SCANNERS)
def test_a_harmless_checkout_has_no_findings(checkout: Any, scanner: Any, command: str) -> None:
    scan = scanner.scan(checkout.root)
    assert scan.tool == command.lower()
    assert scan.findings == ()
    assert int(scan.scanned.split()[0]) > 0


@pytest.mark.parametrize(("scanner", "command"), SCANNERS)
def test_a_missing_tool_is_an_error(
    checkout: Any, scanner: Any, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(scanner, command, (str(tmp_path / "none"),))
    with pytest.raises(
        CouldNotRunError, match=f"{command.lower()} cannot be started: No such file"
    ):
        scanner.scan(checkout.root)


@pytest.mark.parametrize(("scanner", "command"), SCANNERS)
def test_a_missing_module_is_an_error(
    checkout: Any, scanner: Any, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python exits with 1, with which some tools report findings.
    monkeypatch.setattr(scanner, command, (sys.executable, "-m", "not_installed"))
    with pytest.raises(CouldNotRunError, match="No module named not_installed"):
        scanner.scan(checkout.root)


@pytest.mark.parametrize(("scanner", "command"), SCANNERS)
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os; os.abort()", "ended with exit code -6"),
        ("raise SystemExit('it broke')", "it broke"),
        ("", "wrote no valid report: Invalid JSON"),
        ("print('<html>')", "wrote no valid report: Invalid JSON"),
        ("print('null')", "wrote no valid report: "),
        ("print('{\"results\": []}')", "wrote no valid report: "),
        ("print('[{\"rule\": 1}]')", "wrote no valid report: "),
    ],
    ids=["crash", "complaint", "empty", "no JSON", "null", "keys gone", "another form"],
)
def test_a_crash_or_unexpected_output_is_an_error(
    checkout: Any,
    scanner: Any,
    command: str,
    program: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scanner, command, (sys.executable, "-c", program))
    with pytest.raises(CouldNotRunError, match=said):
        scanner.scan(checkout.root)


@pytest.mark.parametrize(("scanner", "command"), SCANNERS)
def test_a_hanging_tool_is_an_error(
    checkout: Any, scanner: Any, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tool.run

    def only_the_tool(name: str, *arguments: Any) -> Any:
        monkeypatch.setattr(tool, "_TIMEOUT_SECONDS", 60 if name == "git" else 0.2)
        return run(name, *arguments)

    monkeypatch.setattr(tool, "run", only_the_tool)
    monkeypatch.setattr(scanner, command, (sys.executable, "-c", "import time; time.sleep(60)"))
    with pytest.raises(CouldNotRunError, match=r"did not end within 0\.2 s"):
        scanner.scan(checkout.root)


@pytest.mark.parametrize(
    ("scanner", "command", "program", "said"),
    [
        (
            sast,
            "BANDIT",
            'print(\'{"results": [], "errors": [], "metrics": {"_totals": {"loc": 9}}}\'); exit(1)',
            "bandit ended with exit code 1 and 0 results",
        ),
        (
            sast,
            "BANDIT",
            'print(\'{"results": [], "errors": [], "metrics": {"_totals": {"loc": 9}}}\')',
            "bandit did not scan service/fine.py",
        ),
        (workflows, "ZIZMOR", "print('[]')", r"zizmor audited no \.github/workflows/fine\.yml"),
        (workflows, "ZIZMOR", "print('[]'); exit(14)", "zizmor ended with exit code 14 and 0"),
        (
            dependencies,
            "DEPTRY",
            "import sys; open(sys.argv[sys.argv.index('--json-output') + 1], 'w').write('[]'); "
            "print('Scanning 0 files...', file=sys.stderr)",
            "deptry read 0 of 1 files of service",
        ),
        (
            dependencies,
            "DEPTRY",
            "import sys; open(sys.argv[sys.argv.index('--json-output') + 1], 'w').write('[]'); "
            "print('Scanning 9 files...', file=sys.stderr); exit(1)",
            "deptry ended with exit code 1 and 0 findings",
        ),
    ],
)
def test_inconsistent_or_empty_output_is_an_error(
    checkout: Any,
    scanner: Any,
    command: str,
    program: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scanner, command, (sys.executable, "-c", program))
    with pytest.raises(CouldNotRunError, match=said):
        scanner.scan(checkout.root)
