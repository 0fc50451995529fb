"""List the files of a checkout with git: tracked files, and new ones."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from pathlib import Path

_PYTHON_SHEBANG = re.compile(rb"#![^\n]*\bpython")
_SHEBANG_BYTES = 120


def git(root: Path, *arguments: str, given: bytes = b"") -> bytes:
    """Run git in a checkout and return its output; `given` is its standard input.

    Raises:
        CouldNotRunError: git is missing, or this is no clone of a repository.
    """
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, input=given, capture_output=True, check=False
        )
    except OSError as error:
        raise CouldNotRunError(f"git cannot be started: {error.strerror}; install git") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise CouldNotRunError(
            f"git {arguments[0]} failed: {lines[-1] if lines else done.returncode}; the gate "
            "needs a clone of the repository"
        )
    return done.stdout


def names(output: bytes) -> list[str]:
    """The names of a list that git wrote with `-z`, sorted and each once."""
    return sorted({os.fsdecode(name) for name in output.split(b"\0") if name})


def files(root: Path) -> list[str]:
    """Regular files that are tracked, whatever `.gitignore` says, or new and not ignored.

    Raises:
        CouldNotRunError: this is no clone of a repository.
    """
    return [
        name for name in listed(root) if (root / name).is_file() and not (root / name).is_symlink()
    ]


def listed(root: Path) -> list[str]:
    """As `files`, with symbolic links and the folders of submodules.

    Raises:
        CouldNotRunError: this is no clone of a repository.
    """
    return names(git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"))


def is_python(root: Path, name: str) -> bool:
    """Whether a file is Python, by its name or its first line."""
    if name.endswith((".py", ".pyw", ".pyi")):
        return True
    with (root / name).open("rb") as file:
        return _PYTHON_SHEBANG.match(file.read(_SHEBANG_BYTES)) is not None
