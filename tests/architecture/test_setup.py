"""The output of `make` after it has set up the virtual environment."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose virtual environment is up to date."""
    for name in ("Makefile", "pyproject.toml", "requirements/dev.txt", "requirements/uv.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".ready").touch()
    return tmp_path


def _make(checkout: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=checkout, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_make_setup_ends_with_the_next_command(checkout: Path) -> None:
    assert _make(checkout, "setup").splitlines() == [
        "Ready. Next: make rehearse, or to work with it day by day:",
        '  export PATH="$PWD/.venv/bin:$PATH"',
        "  pithead up --detach --speed 60",
    ]


def test_a_goal_that_needs_the_setup_does_not_repeat_it(checkout: Path) -> None:
    hooks = checkout / ".venv" / "bin" / "pre-commit"
    hooks.parent.mkdir()
    hooks.write_text("#!/bin/sh\n")
    hooks.chmod(0o755)
    assert "Ready" not in _make(checkout, "hooks")
