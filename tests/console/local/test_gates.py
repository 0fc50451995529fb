"""Gates run in parallel on this machine; tests write their programs."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from console import cli
from console.local import toolchain
from console.local.gates import GateRun, LocalGates, possible
from console.local.toolchain import Cdk
from console.release.gates import report
from console.release.gates_screen import GatesScreen, summary
from pipeline.gates.report.catalogue import GATES, gate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from console.checkout import Checkout

    Program = Callable[..., Path]

_REPORT = """
import json, pathlib, sys
def end(gate, code, status, **more):
    summary = {"gate": gate, "status": status, "sentence": f"{gate} says {status}", "seconds": 1.5,
               "next": None, "details": {}, "findings": 0, "waived": 0, **more}
    pathlib.Path("reports", f"{gate}.json").write_text(json.dumps(summary))
    print(f"gate {gate}: {status}: done")
    sys.exit(code)
"""
_PASS = "end(NAME, 0, 'passed')"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Write a gate's program; return the root of its checkout."""
    folder = tmp_path / "pipeline" / "gates"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").write_text("")
    (tmp_path / "pyproject.toml").write_text("[tool.pithead]\n")

    def write(name: str, code: str = _PASS) -> Path:
        (folder / f"{name}.py").write_text(f"{_REPORT}\nNAME = {name!r}\n{code}\n")
        return tmp_path

    return write


def _run(root: Path, *names: str) -> list[GateRun]:
    with LocalGates(root, [gate(name) for name in names], dict(os.environ)) as running:
        assert running.wait(250)
        return running.runs


@pytest.mark.parametrize(
    ("code", "status", "sentence"),
    [
        (_PASS, "passed", "unit says passed"),
        ("end(NAME, 0, 'not run')", "not run", "unit says not run"),
        ("end(NAME, 1, 'refused')", "refused", "unit says refused"),
        ("end(NAME, 2, 'refused')", "refused", "unit says refused"),
        (
            "end(NAME, 1, 'refused', next='run `true`')",
            "refused",
            "unit says refused. Next: run `true`",
        ),
        # A report that contradicts the exit code, or is missing, refuses.
        (
            "end(NAME, 1, 'passed')",
            "refused",
            "it ended with exit code 1, but its report says passed",
        ),
        (
            "end(NAME, 0, 'refused')",
            "refused",
            "it ended with exit code 0, but its report says refused",
        ),
        ("import nothing_there", "refused", "it ended with exit code 1 and wrote no report"),
        ("", "refused", "it ended with exit code 0 and wrote no report"),
        ("end(NAME, 0, 'fine')", "refused", "it ended with exit code 0 and wrote no report"),
        ("import os; os.abort()", "refused", "it ended with exit code -6 and wrote no report"),
    ],
)
def test_exit_code_and_report_decide_the_status(
    program: Program, code: str, status: str, sentence: str
) -> None:
    (run,) = _run(program("unit", code), "unit")
    assert (run.status, run.sentence) == (status, sentence)
    assert run.seconds > 0


def test_the_report_of_an_earlier_run_is_ignored(program: Program) -> None:
    root = program("unit")
    assert _run(root, "unit")[0].status == "passed"
    program("unit", "import nothing_there")
    assert _run(root, "unit")[0].sentence == "it ended with exit code 1 and wrote no report"
    assert "No module named 'nothing_there'" in (root / "reports" / "unit.log").read_text()


def test_gates_run_in_parallel(program: Program, tmp_path: Path) -> None:
    meeting = tmp_path / "meeting"
    os.mkfifo(meeting)
    # Opening one end of a pipe waits for the other.
    program("unit", f"open({str(meeting)!r}, 'w')\n{_PASS}")
    root = program("security", f"open({str(meeting)!r})\n{_PASS}")
    assert [run.status for run in _run(root, "unit", "security")] == ["passed", "passed"]


def test_a_running_gate_is_ended_with_its_tools(program: Program, tmp_path: Path) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    code = f"""
import subprocess
subprocess.run([sys.executable, "-c", "import time; open({str(held)!r}, 'w'); time.sleep(600)"])
"""
    root = program("unit", code)
    with LocalGates(root, [gate("unit")], dict(os.environ)) as running:
        reader = held.open()  # waits until the tool has opened it
        assert not running.wait(0)
    # The pipe ends when no process has it open.
    assert reader.read() == ""
    reader.close()
    assert running.runs[0].status == "refused"


def test_gates_are_selected_by_their_requirements() -> None:
    runnable, lacking = possible({}, aws=False)
    assert {each.name for each in runnable} >= {
        "unit",
        "security",
        "supply_chain",
        "infrastructure",
    }
    assert {each.needs for each in lacking} == {"URL", "AWS", "release"}
    runnable, lacking = possible({"URL": "http://127.0.0.1/"}, aws=True)
    assert {each.needs for each in runnable} == {"", "URL", "AWS"}
    assert {each.needs for each in lacking} == {"release"}
    assert len(runnable) + len(lacking) == len(GATES)


class TestCommand:
    @pytest.fixture
    def pithead(
        self, program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> Callable[..., int]:
        for name in ("unit", "security", "supply_chain", "infrastructure", "synthesis", "load"):
            program(name)
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("URL", raising=False)
        monkeypatch.setattr(toolchain, "install", Cdk)
        subprocess.run(["git", "init", "--quiet"], check=True)

        def run(*arguments: str) -> int:
            monkeypatch.setattr(sys, "argv", ["pithead", "gates", *arguments])
            return cli.main()

        return run

    def test_by_default_gates_that_need_only_the_checkout_run(
        self, pithead: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert pithead() == 0
        shown = capsys.readouterr()
        for name in ("unit", "security", "supply_chain", "infrastructure"):
            assert f"{name} says passed" in shown.out
            assert f"✓ {name} passed after" in shown.err
        assert "not run: give URL=…" in shown.out
        assert "not run: it needs AWS" in shown.out
        assert "not run: it needs a release's artifacts" in shown.out
        assert "note: gates that need AWS are skipped: " in shown.err

    def test_gates_that_need_aws_use_the_running_local_cloud(
        self,
        pithead: Callable[..., int],
        program: Program,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def connected(_checkout: Checkout) -> tuple[None, str]:
            monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
            return None, "using the local cloud"

        monkeypatch.setattr("console.commands.gates.connect", connected)
        code = "import os\nend(NAME, 0, 'passed', sentence=os.environ['AWS_ENDPOINT_URL'])"
        root = program("window", code)
        assert pithead() == 0
        shown = capsys.readouterr()
        assert "using the local cloud" in shown.err
        assert "it needs AWS" not in shown.out
        found = report(root / "reports" / "window.json")
        assert found is not None
        assert found.sentence == "http://127.0.0.1:4566"

    def test_a_refusal_exits_4_and_names_the_log(
        self, pithead: Callable[..., int], program: Program, capsys: pytest.CaptureFixture[str]
    ) -> None:
        program("security", "end(NAME, 1, 'refused', findings=3, waived=1)")
        assert pithead("unit", "security") == 4
        shown = capsys.readouterr().out
        assert "log of security: reports/security.log" in shown
        assert "supply_chain" not in shown
        (row,) = [line for line in shown.splitlines() if "security says refused" in line]
        assert row.split()[-5:] == ["3", "1", "security", "says", "refused"]

    def test_a_named_gate_runs_without_its_requirements(
        self, pithead: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert pithead("load") == 0
        assert "load says passed" in capsys.readouterr().out

    def test_an_unknown_gate_is_wrong_usage(
        self, pithead: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert pithead("securty") == 2
        assert "'securty' is not one of" in capsys.readouterr().err

    def test_gates_find_the_cdk_cli(self, pithead: Callable[..., int], program: Program) -> None:
        program("unit", "import os\nend(NAME, 0, 'passed', sentence=os.environ['PATH'])")
        assert pithead("unit") == 0
        found = report(program("none") / "reports" / "unit.json")
        assert found is not None
        assert f".cache{os.sep}cdk{os.sep}node_modules" in found.sentence


def test_a_terminal_shows_each_gate() -> None:
    runs = [GateRun(gate("unit"), "running", began=1.0), GateRun(gate("security"), "passed", "", 1)]
    out = StringIO()
    with GatesScreen(runs, Console(file=out, force_terminal=True, width=80)).showing():
        pass
    shown = out.getvalue()
    assert "unit" in shown
    assert "✓" in shown


def test_the_summary_shows_durations() -> None:
    run = GateRun(gate("security"), "passed", "clean [not markup]", 0.0, 3.0)
    out = StringIO()
    console = Console(file=out, width=100)
    console.print(summary([run], 4.0, []))
    assert "clean [not markup]" in out.getvalue()
    assert "4.0 s in all, 3.0 s of it security" in out.getvalue()
