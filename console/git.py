"""Run git for a checkout, and turn its errors into sentences."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from console.aws.git_credentials import is_signed
from console.errors import ConsoleError
from console.words import printable

if TYPE_CHECKING:
    from pathlib import Path

_HOOK_VARIABLES = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}
"""Inside a git hook they point every git command at the hook's own repository."""
_SIGNING_OPTIONS = (
    # The empty helper removes the user's own helpers, so that they do not store a signature.
    "-c", "credential.helper=",
    "-c", f"credential.helper=!{shlex.quote(sys.executable)} -P -m console.aws.git_credentials",
    "-c", "credential.UseHttpPath=true",
)  # fmt: skip


def run_git_bytes(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder and capture its output; a failure is an exit code.

    git asks for no password, and writes its messages in English.

    Raises:
        ConsoleError: git is not installed.
    """
    variables = {name: value for name, value in os.environ.items() if name not in _HOOK_VARIABLES}
    variables["GIT_TERMINAL_PROMPT"] = "0"
    variables["LC_ALL"] = "C"
    try:
        return subprocess.run(
            ["git", *arguments], cwd=folder, env=variables, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise ConsoleError("git is not installed. Install it, e.g. apt-get install git") from error


def run_git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git, and decode its output; bytes that are not UTF-8 become escapes."""
    done = run_git_bytes(folder, *arguments)
    out, err = (each.decode(errors="backslashreplace") for each in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def access_options(url: str) -> tuple[str, ...]:
    """Return git's options to reach a URL: a signature for CodeConnections, else none."""
    return _SIGNING_OPTIONS if is_signed(url) else ()


def error_message(done: subprocess.CompletedProcess[str]) -> str:
    """Return the remote's first message in git's stderr, else git's first error."""
    lines = [printable(line.strip()) for line in done.stderr.splitlines() if line.strip()]
    for prefix in ("remote: ", "fatal: ", "error: "):
        found = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
        if found:
            return found[0]
    return lines[-1] if lines else "git gave no reason"
