"""How a scanner's tool is run, and how its answer is read."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.gates.report.findings import Finding

SCRIPTS = Path(sysconfig.get_path("scripts"))
"""Where the tools of this environment are that are no Python modules."""
_TIMEOUT_SECONDS = 900
"""Long enough for a busy machine, where a tool may take minutes."""
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Scan:
    """What a tool found, and what it has looked at."""

    tool: str
    findings: tuple[Finding, ...]
    looked_at: str
    """In words, counted by the tool itself: `9509 lines (3 let by)`."""


class Answer(BaseModel):
    """A part of a tool's answer: what is read of it must be there, and the rest is ignored."""


def run(
    tool: str,
    command: Sequence[str],
    root: Path,
    allowed: Collection[int],
) -> subprocess.CompletedProcess[str]:
    """Run a tool in a checkout.

    Raises:
        CouldNotRunError: it is missing, does not end, or ends with another exit code.
    """
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env=os.environ | {"NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except OSError as error:
        raise CouldNotRunError(
            f"{tool} cannot be started: {error.strerror}: {error.filename}; install "
            "requirements/scanners.txt"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise CouldNotRunError(f"{tool} did not end within {_TIMEOUT_SECONDS} s") from error
    if done.returncode not in allowed:
        raise CouldNotRunError(f"{tool} ended with exit code {done.returncode}: {complaint(done)}")
    return done


def read(
    tool: str, done: subprocess.CompletedProcess[str], form: type[_Answer], text: str | None = None
) -> _Answer:
    """Read what a tool has written as JSON, on its standard output unless `text` is given.

    Raises:
        CouldNotRunError: it is empty, no JSON, or not of this form.
    """
    try:
        return TypeAdapter(form).validate_json(done.stdout if text is None else text)
    except ValidationError as error:
        # Never what it has written itself: there may be a secret in it.
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        what = f"{key}: {first['msg']}" if key else first["msg"]
        raise CouldNotRunError(
            f"{tool} left no report that can be read: {what}; it said: {complaint(done)}"
        ) from error


def counted(number: int, what: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The last line of what a tool has written to standard error."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing"
