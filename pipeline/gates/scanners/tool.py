"""Run a scanner's tool, and parse its output."""

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
"""Folder of the installed tools that are no Python modules."""
_TIMEOUT_SECONDS = 900
"""On a busy machine a tool may take minutes."""
_MAX_MESSAGE_CHARACTERS = 300
_OutputT = TypeVar("_OutputT")


@dataclass(frozen=True)
class Scan:
    """The findings of a tool, and how much it scanned."""

    tool: str
    findings: tuple[Finding, ...]
    scanned: str
    """A phrase with the tool's own count, such as `9509 lines`."""


class Output(BaseModel):
    """A part of a tool's output: the declared fields are required, others are ignored."""


def run(
    tool: str,
    command: Sequence[str],
    root: Path,
    allowed: Collection[int],
) -> subprocess.CompletedProcess[str]:
    """Run a tool in a checkout.

    Raises:
        CouldNotRunError: it is missing, does not end, or ends with an exit code that is not
            `allowed`.
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
    tool: str, done: subprocess.CompletedProcess[str], form: type[_OutputT], text: str | None = None
) -> _OutputT:
    """Parse the JSON output of a tool: `text`, or else its standard output.

    Raises:
        CouldNotRunError: the output is empty, no JSON, or of another form.
    """
    try:
        return TypeAdapter(form).validate_json(done.stdout if text is None else text)
    except ValidationError as error:
        # The message must not contain the output, which may contain a secret.
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        what = f"{key}: {first['msg']}" if key else first["msg"]
        raise CouldNotRunError(
            f"{tool} wrote no valid report: {what}; its last line of errors is: {complaint(done)}"
        ) from error


def counted(number: int, what: str) -> str:
    """Return a count with its noun, such as `1 file` or `2 files`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line that a tool wrote to standard error."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1][:_MAX_MESSAGE_CHARACTERS] if lines else "nothing"
