from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from console import cli
from console.errors import ConsoleError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pithead(monkeypatch: pytest.MonkeyPatch) -> object:
    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["pithead", *arguments])
        return cli.main()

    return run


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_a_help_text(
    name: str, pithead: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(pithead)
    assert pithead(name, "--help") == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: pithead {name}")
    assert len(shown.splitlines()) > 6


def test_the_commands_are_listed(pithead: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(pithead)
    assert pithead("--help") == 0
    shown = capsys.readouterr().out
    assert re.findall(r"^  ([a-z]+)  +[A-Z]", shown, re.MULTILINE) == list(cli.COMMANDS)


@pytest.mark.parametrize("group", [(), ("judge",)], ids=["pithead", "judge"])
def test_the_list_of_commands_has_whole_sentences(
    group: tuple[str, ...],
    pithead: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert callable(pithead)
    monkeypatch.setenv("COLUMNS", "80")
    assert pithead(*group, "--help") == 0
    commands = capsys.readouterr().out.partition("Commands:")[2]
    assert commands
    assert "..." not in commands


@pytest.mark.parametrize(
    "arguments",
    [
        ("reelase",),
        ("up", "--speed", "0"),
        ("up", "--port", "many"),
        ("logs", "qa"),
        ("logs", "--since", "soon"),
        ("remote", "acme"),
    ],
)
def test_wrong_usage_exits_2(
    arguments: tuple[str, ...], pithead: object, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(pithead)
    assert pithead(*arguments) == 2
    assert "Error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (ConsoleError("do this instead"), 1, "pithead: do this instead\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_becomes_a_sentence_and_a_code(
    error: BaseException,
    code: int,
    printed: str,
    pithead: object,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_root: Path) -> None:
        raise error

    assert callable(pithead)
    monkeypatch.setattr("console.commands.check.load_home", fail)
    assert pithead("check") == code
    assert capsys.readouterr().err.lstrip("\n") == printed


def test_a_bug_has_its_own_exit_code_and_leaves_a_log(
    pithead: object,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_root: Path) -> None:
        raise ZeroDivisionError("of https://x:hunter2@example.com, with wJalrXUtnFEMI")

    assert callable(pithead)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("HARMLESS", "a variable of the user's own")
    monkeypatch.setattr("console.commands.check.load_home", fail)
    assert pithead("check") == 70
    (log,) = tmp_path.glob("pithead-*.log")
    assert capsys.readouterr().err == (
        "pithead: unexpected error: ZeroDivisionError; this is a bug in Pithead. "
        f"Next: open an issue and attach {log} (command, versions, traceback)\n"
    )
    text = log.read_text()
    assert f"pithead {version('pithead')}\ncommand: pithead check\nPython 3." in text
    assert text.rstrip().endswith(
        "ZeroDivisionError: of https://<redacted>@example.com, with <AWS_SECRET_ACCESS_KEY>"
    )
    assert "Traceback (most recent call last):" in text
    assert "hunter2" not in text
    assert os.environ["HARMLESS"] not in text
    assert log.stat().st_mode & 0o077 == 0


def test_a_bug_whose_log_cannot_be_written_is_reported_too(
    pithead: object,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_root: Path) -> None:
        raise ZeroDivisionError

    assert callable(pithead)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    monkeypatch.setattr("console.commands.check.load_home", fail)
    assert pithead("check") == 70
    assert "Next: set TMPDIR to a writable folder" in capsys.readouterr().err


def test_check_reports_every_invalid_file(
    pithead: object, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(pithead)
    assert pithead("check") == 0
    assert capsys.readouterr().out == "dev, staging, prod and the pipeline's settings are valid\n"
    prod = folder / "environments" / "prod.toml"
    prod.write_text(prod.read_text().replace("percent = 10", "percent = 100"))
    home = folder / "pyproject.toml"
    home.write_text(home.read_text().replace('branch = "main"', "branch = 7"))
    assert pithead("check") == 1
    assert capsys.readouterr().err.splitlines() == [
        "pithead: environments/prod.toml: shift.percent: found 100; "
        "input should be less than or equal to 99",
        "pithead: pyproject.toml: tool.pithead.branch: found 7; input should be a valid string",
    ]


@pytest.mark.parametrize("command", ["down", "env"])
def test_without_a_local_cloud_down_and_env_are_errors(
    command: str, pithead: object, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(pithead)
    assert pithead(command) == 1
    assert "local cloud" in capsys.readouterr().err


def test_the_commands_import_neither_the_local_cloud_nor_the_cdk() -> None:
    imports = "; ".join(f"import console.commands.{name}" for name in cli.COMMANDS)
    check = "import sys; print([m for m in sys.modules if m in ('localcloud', 'aws_cdk', 'moto')])"
    done = subprocess.run(
        [sys.executable, "-c", f"{imports}; {check}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_check_rejects_unread_files_and_unknown_gates(
    pithead: object, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(pithead)
    environments = folder / "environments"
    (environments / "production.toml").write_text("")
    (environments / "old").mkdir()
    (environments / "old" / "prod.toml").write_text("")
    home = folder / "pyproject.toml"
    home.write_text(home.read_text().replace('"supply_chain", ', '"supply_chian", '))
    assert pithead("check") == 1
    first, second, third = capsys.readouterr().err.splitlines()
    allowed = "found a file that nothing reads; allowed are dev.toml, staging.toml, prod.toml."
    assert f"environments/old/prod.toml: {allowed}" in first
    assert f"environments/production.toml: {allowed}" in second
    assert "attested_gates: found 'supply_chian'; allowed are unit, synthesis" in third
