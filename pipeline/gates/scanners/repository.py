"""List the files of a checkout with git: tracked and new files."""

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
        CouldNotRunError: git is missing, or the checkout is no clone of a repository.
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
    """Return the names in a list that git wrote with `-z`, sorted, each once."""
    return sorted({os.fsdecode(name) for name in output.split(b"\0") if name})


def files(root: Path) -> list[str]:
    """Return the regular files that are tracked, or new and not ignored.

    Raises:
        CouldNotRunError: the checkout is no clone of a repository.
    """
    return [
        name for name in listed(root) if (root / name).is_file() and not (root / name).is_symlink()
    ]


def listed(root: Path) -> list[str]:
    """Return what `files` returns, with symbolic links and the folders of submodules.

    Raises:
        CouldNotRunError: the checkout is no clone of a repository.
    """
    return names(git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"))


def is_python(root: Path, name: str) -> bool:
    """Return whether a file is Python, by its name or its first line."""
    if name.endswith((".py", ".pyw", ".pyi")):
        return True
    with (root / name).open("rb") as file:
        return _PYTHON_SHEBANG.match(file.read(_SHEBANG_BYTES)) is not None
