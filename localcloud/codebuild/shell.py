"""Commands of a phase in one shell, with what they leave carried into the next."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_GRACE = 2.0  # wall seconds between SIGTERM and SIGKILL
_LOOK = 0.05


@dataclass
class Ended:
    """How a phase's commands ended; `command` is the one that failed."""

    code: int
    command: str = ""
    timed_out: bool = False
    stopped: bool = False


class Shell:
    """Runs phases in bash; exported variables and the folder last from one to the next."""

    def __init__(
        self, folder: Path, source: Path, environment: dict[str, str], write: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._source = source
        self._environment = environment
        self._write = write
        self._state = folder / "state.sh"
        self._place = folder / "place"

    def run(
        self,
        commands: tuple[str, ...],
        deadline: float,
        stop: threading.Event,
        began: Callable[[int], None],
    ) -> Ended:
        """Run commands until one fails, the deadline (monotonic seconds) or a stop.

        Whatever a command left running is ended with its process group.
        """
        script, mark = self._folder / "phase.sh", self._folder / "command"
        script.write_text(self._script(commands, mark))
        place = self._place.read_text().strip() if self._place.exists() else str(self._source)
        process = subprocess.Popen(
            ["bash", str(script)],
            cwd=place,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        began(process.pid)
        reader = threading.Thread(target=self._read, args=(process,), name="build-log", daemon=True)
        reader.start()
        ended = Ended(0)
        while process.poll() is None:
            ended.timed_out = time.monotonic() > deadline
            ended.stopped = stop.is_set()
            if ended.timed_out or ended.stopped:
                break
            try:
                process.wait(_LOOK)
            except subprocess.TimeoutExpired:
                continue
        end_group(process.pid)
        ended.code = process.wait()
        reader.join()
        began(0)
        if ended.code != 0 and mark.exists():
            ended.command = commands[int(mark.read_text())]
        return ended

    def exported(self, names: tuple[str, ...]) -> dict[str, str]:
        """Variables as the last phase left them."""
        if not names or not self._state.exists():
            return {}
        shown = "; ".join(f'printf "%s\\0" "${{{name}-}}"' for name in names)
        done = subprocess.run(
            ["bash", "-c", f". {shlex.quote(str(self._state))}; {shown}"],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": self._environment["PATH"]},
        )
        return dict(zip(names, done.stdout.split("\0"), strict=False))

    def _script(self, commands: tuple[str, ...], mark: Path) -> str:
        state, place = shlex.quote(str(self._state)), shlex.quote(str(self._place))
        lines = [f"trap 'export -p > {state}; pwd > {place}' EXIT"]
        if self._state.exists():
            lines.append(f". {state}")
        for number, command in enumerate(commands):
            lines += [
                f"echo {number} > {shlex.quote(str(mark))}",
                f"printf '%s\\n' {shlex.quote(f'[Container] Running command {command}')}",
                command,
                "__code=$?; [ $__code -eq 0 ] || exit $__code",
            ]
        return "\n".join(lines) + "\n"

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101  # it was asked for
        for line in process.stdout:
            self._write(line.rstrip("\n"))


def end_group(group: int) -> None:
    """End every process of a group: SIGTERM, and SIGKILL for those that stay."""
    try:
        os.killpg(group, signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        return
    until = time.monotonic() + _GRACE
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return
        # A group's leader stays a zombie until it is waited for.
        if _only_zombies(group):
            return
        time.sleep(_LOOK)
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _only_zombies(group: int) -> bool:
    done = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=False
    )
    states = [line.split()[1] for line in done.stdout.splitlines() if line.split()[0] == str(group)]
    return all(state.startswith("Z") for state in states)
