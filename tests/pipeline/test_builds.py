"""The command by which a build runs its gates, in a real shell with programs that stand in."""

from __future__ import annotations

import subprocess
from pathlib import Path  # noqa: TC003  # pytest asks for the fixture's type

import pytest

from pipeline.builds import side_by_side

# `python -m pipeline.gates.NAME CODE` leaves a file of its name and ends with the code.
_PYTHON = '#!/bin/sh\ntouch "ran-${2##*.}"\nexit "$3"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(_PYTHON)
    python.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("programs", "passes"),
    [
        (("alone 0",), True),
        (("alone 1",), False),
        (("first 0", "second 0"), True),
        (("first 1", "second 0"), False),
        (("first 0", "second 2"), False),
        (("first 0", "second 1", "third 0"), False),
    ],
)
def test_all_gates_of_a_build_run_and_all_have_to_pass(
    folder: Path, programs: tuple[str, ...], passes: bool
) -> None:
    done = subprocess.run(["sh", "-c", side_by_side(*programs)], cwd=folder, check=False)
    assert (done.returncode == 0) is passes
    assert {each.name for each in folder.glob("ran-*")} == {
        f"ran-{each.split()[0]}" for each in programs
    }


def test_gates_run_beside_each_other(folder: Path) -> None:
    """Each waits for the other's sign of life, so that one after the other never ends."""
    python = folder / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\ntouch "$3"\nuntil test -e "$4"; do sleep 0.01; done\n')
    command = side_by_side("first a b", "second b a")
    done = subprocess.run(["sh", "-c", command], cwd=folder, check=False, timeout=250)
    assert done.returncode == 0
