from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.bundle import ROOT
from pipeline.gates import security
from pipeline.gates.gate import CouldNotRunError, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose service has one harmless module."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    folder = tmp_path / "service"
    folder.mkdir()
    (folder / "fine.py").write_text(
        "def double(number):\n    assert number\n    return 2 * number\n"
    )
    monkeypatch.setattr(security, "ROOT", tmp_path)
    return folder


def test_harmless_code_passes(package: Path, reports: Path) -> None:
    assert run("security", security.judge) == 0
    report = json.loads((reports / "security.json").read_text())
    assert report["sentence"] == "bandit found nothing in 3 lines"


@pytest.mark.parametrize(
    ("code", "test_id"),
    [
        ("def run(text):\n    return eval(text)\n", "B307"),
        ("import subprocess\nsubprocess.run('ls ' + input(), shell=True)\n", "B602"),
        ("import pickle\npickle.loads(open('x', 'rb').read())\n", "B301"),
    ],
)
def test_planted_holes_refuse(package: Path, reports: Path, code: str, test_id: str) -> None:
    (package / "hole.py").write_text(code)
    assert run("security", security.judge) == 1
    report = json.loads((reports / "security.json").read_text())
    assert report["sentence"].startswith(
        f"bandit found 1, the first {test_id} at service/hole.py:2: "
    )
    assert report["details"]["findings"] == 1
    assert json.loads((reports / "bandit.json").read_text())["results"][0]["test_id"] == test_id


def test_what_a_comment_lets_by_is_counted(package: Path, reports: Path) -> None:
    (package / "hole.py").write_text("def run(text):\n    return eval(text)  # nosec B307\n")
    assert run("security", security.judge) == 0
    report = json.loads((reports / "security.json").read_text())
    assert report["details"]["let_by_nosec"] == 1


def test_a_file_that_bandit_cannot_read_refuses(package: Path) -> None:
    (package / "broken.py").write_text("def broken(:\n")
    with pytest.raises(CouldNotRunError, match=r"could not read service/broken\.py: syntax error"):
        security.judge()


def test_nothing_to_scan_refuses(package: Path) -> None:
    shutil.rmtree(package)
    package.mkdir()
    with pytest.raises(CouldNotRunError, match="bandit scanned no line of code"):
        security.judge()


def test_a_bandit_that_does_not_start_refuses(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package.parent / "pyproject.toml").write_text("[tool.bandit\n")
    with pytest.raises(CouldNotRunError, match="bandit left no report: "):
        security.judge()
