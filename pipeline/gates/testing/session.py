"""Run pytest in a child process, and read its authenticated records."""

from __future__ import annotations

import hmac
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.testing import child

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Status = Literal["passed", "failed", "skipped", "xfailed", "xpassed"]


class _Collected(BaseModel):
    kind: Literal["collected"]
    collected: list[str]
    selected: list[str]
    hooks: list[tuple[str, str]]


class _Started(BaseModel):
    kind: Literal["started"]
    id: str


class Result(BaseModel):
    """The outcome of one test."""

    kind: Literal["result"]
    id: str
    outcome: Status
    message: str
    seconds: float


class _Ended(BaseModel):
    kind: Literal["ended"]
    status: int
    errors: dict[str, str]


_Record = Annotated[_Collected | _Started | Result | _Ended, Field(discriminator="kind")]
_RECORD: TypeAdapter[_Record] = TypeAdapter(_Record)


@dataclass(frozen=True)
class Session:
    """The collected and the selected tests, and the outcome of each selected test."""

    collected: tuple[str, ...]
    selected: tuple[str, ...]
    hooks: tuple[tuple[str, str], ...]
    """File and name of each pytest hook that the tree implements."""
    results: tuple[Result, ...]
    errors: dict[str, str]
    """Errors of collection, by node id."""


def run(root: Path, arguments: Sequence[str]) -> Session:
    """Run pytest in a checkout.

    Raises:
        CouldNotRunError: pytest is missing or ended early, or a record is missing or forged.
    """
    key = secrets.token_bytes(child.KEY_BYTES)
    configuration = root / "pyproject.toml"
    # Explicitly, because a pytest.ini or a tox.ini would have precedence.
    chosen = ["-c", str(configuration if configuration.exists() else os.devnull)]
    with tempfile.TemporaryFile() as file:
        command = [sys.executable, "-I", child.__file__, str(file.fileno()), str(root)]
        process = subprocess.Popen(
            [*command, *chosen, f"--rootdir={root}", "-p", "no:cacheprovider", *arguments],
            cwd=root,
            env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
            stdin=subprocess.PIPE,
            pass_fds=[file.fileno()],
            start_new_session=True,
        )
        try:
            process.communicate(key)
        finally:
            _end(process)
        file.seek(0)
        lines = file.read().decode(errors="replace").splitlines()
    return _session([_record(key, *each) for each in enumerate(lines)], process.returncode)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the tests and their child processes, which could change files of a later step."""
    with suppress(ProcessLookupError, PermissionError):  # the latter on macOS, for zombies
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _record(key: bytes, number: int, line: str) -> _Record:
    signature, _, text = line.partition(" ")
    if not hmac.compare_digest(signature.encode(), child.signature(key, number, text).encode()):
        raise CouldNotRunError(
            f"the record of the tests was forged: record {number + 1} is not pytest's own; find "
            "the test that writes to a file it has not opened"
        )
    try:
        return _RECORD.validate_json(text)
    except ValidationError as error:
        raise CouldNotRunError(f"record {number + 1} of the tests cannot be read") from error


def _session(records: Sequence[_Record], code: int) -> Session:
    found = [each for each in records if isinstance(each, _Collected)]
    started = [each.id for each in records if isinstance(each, _Started)]
    results = [each for each in records if isinstance(each, Result)]
    ends = [each for each in records if isinstance(each, _Ended)]
    finished = {each.id for each in results}
    during = next((f" during {each}" for each in started if each not in finished), "")
    if not ends:
        raise CouldNotRunError(f"pytest ended early{during}, with exit code {code}")
    if ends[0].status != code or records[-1] is not ends[0]:
        raise CouldNotRunError(
            f"pytest ended with exit code {code}, but its session with {ends[0].status}"
        )
    selected = found[0].selected if found else []
    if found and not ends[0].errors:
        missing = [each for each in selected if each not in finished]
        if missing or len(results) != len(selected):
            raise CouldNotRunError(
                f"pytest reported {len(results)} of {len(selected)} tests; missing is "
                f"{', '.join(missing[:3]) or 'none'}"
            )
    return Session(
        collected=tuple(found[0].collected) if found else (),
        selected=tuple(selected),
        hooks=tuple(found[0].hooks) if found else (),
        results=tuple(results),
        errors=ends[0].errors,
    )
