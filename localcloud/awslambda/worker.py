"""A worker: a process that runs AWS's runtime interface client for one version.

The process can read its bundle, the runtime's folder and the standard library, and it inherits no
variables of the host. It runs one invocation at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.awslambda.runtime_api import RuntimeApi
from localcloud.core.confinement import PROGRAM, rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.awslambda.runtime_api import Call

_MEMORY_CHECK_INTERVAL_SECONDS = 0.025
"""Wall seconds between checks of a busy worker's memory; the kernel sends no event."""
_PYTHON = Path(sys.executable).resolve()
"""The interpreter itself, not a link in a virtual environment."""
# -S: no site-packages; -P: no working directory in sys.path; -B: no bytecode in the bundle.
_COMMAND = (_PYTHON, "-S", "-P", "-B", PROGRAM)
_PIPE_READ_BYTES = 1 << 16


class WorkerEndedError(Exception):
    """The process exited; the message is the reason as in Lambda, "" for status 0."""


class OutOfMemoryError(Exception):
    """The process exceeded its memory and was killed."""


class WorkerTimeoutError(Exception):
    """The process timed out and was killed."""


@dataclass
class Output:
    """Lines of a worker's output, each with its wall time."""

    lines: list[tuple[float, str]] = field(default_factory=list)
    partial: bytes = b""

    def add(self, written: bytes) -> None:
        """Add bytes that were read."""
        *whole, self.partial = (self.partial + written).split(b"\n")
        now = time.time()
        self.lines += [(now, _text(line)) for line in whole if line]

    def take(self) -> list[tuple[float, str]]:
        """Remove and return the lines so far, with an unterminated last line."""
        if self.partial:
            self.add(b"\n")
        taken, self.lines = self.lines, []
        return taken


class Worker:
    """Starts the process immediately; `ready` waits for its initialisation.

    Args:
        handler: the function's handler.
        task_root: the folder of its code.
        runtime: the folder of the runtime interface client.
        scratch: the parent of the worker's folder for temporary files.
        environment: its variables, besides those that name folders and the Runtime API.
        memory: the limit in MB.
        state: the local cloud's state folder, the rest of which the worker cannot read.
    """

    def __init__(
        self,
        handler: str,
        task_root: Path,
        runtime: Path,
        scratch: Path,
        environment: Mapping[str, str],
        memory: int,
        state: Path,
    ) -> None:
        self._memory = memory * 1024  # kB, the kernel's unit
        self._peak = 0
        self._output = Output()
        with contextlib.ExitStack() as owned:
            self._launch(owned, handler, task_root, runtime, scratch, environment, state)
            self._owned = owned.pop_all()
        self._poll = select.poll()
        self._poll.register(self._stdout, select.POLLIN)
        self._poll.register(self._exit, select.POLLIN)
        self._api.watch(self._poll)
        self._waiting = False
        """Whether the worker has requested its next event."""

    def _launch(
        self,
        owned: contextlib.ExitStack,
        handler: str,
        task_root: Path,
        runtime: Path,
        scratch: Path,
        environment: Mapping[str, str],
        state: Path,
    ) -> None:
        """Start the process; register its resources with `owned`."""
        self._temporary = tempfile.mkdtemp(dir=scratch)
        owned.callback(shutil.rmtree, self._temporary, ignore_errors=True)
        self._api = RuntimeApi()
        owned.callback(self._api.close)
        path = [str(task_root), environment.get("PYTHONPATH", ""), str(runtime)]
        client = (link.resolve() for link in runtime.iterdir())
        confined = rules(state, [task_root, runtime, *client], [self._temporary])
        alive, held = os.pipe()
        owned.callback(os.close, held)
        self._stdout, stdout = os.pipe()
        owned.callback(os.close, self._stdout)
        with contextlib.ExitStack() as given:
            given.callback(os.close, alive)
            given.callback(os.close, stdout)
            self._process = subprocess.Popen(
                [*_COMMAND, confined.json(), "-m", "awslambdaric", handler],
                cwd=task_root,
                env={
                    **environment,
                    "PYTHONPATH": ":".join(each for each in path if each),
                    "LAMBDA_TASK_ROOT": str(task_root),
                    "LAMBDA_RUNTIME_DIR": str(runtime),
                    "AWS_LAMBDA_RUNTIME_API": self._api.address,
                    "TMPDIR": self._temporary,
                },
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stdout,
                pass_fds=[alive],
                start_new_session=True,
            )
            self._kill_with_parent(alive)
        os.set_blocking(self._stdout, False)
        self._exit = os.pidfd_open(self._process.pid)
        owned.callback(os.close, self._exit)
        self._status = os.open(f"/proc/{self._process.pid}/status", os.O_RDONLY)
        owned.callback(os.close, self._status)

    def ready(self, seconds: float) -> Call | None:
        """Wait for the initialisation; return None, or the error that was reported.

        Raises:
            WorkerEndedError, OutOfMemoryError, WorkerTimeoutError.
        """
        call = self._call(time.monotonic() + seconds)
        if call.path == "/invocation/next":
            self._waiting = True
            self._check_memory()
            return None
        self._api.accept()
        return call

    def invoke(self, headers: Mapping[str, str], payload: bytes, seconds: float) -> Call:
        """Run one event; return the response or the error that the worker posted.

        The caller must answer the worker with `accept`.

        Raises:
            WorkerEndedError, OutOfMemoryError, WorkerTimeoutError.
        """
        deadline = time.monotonic() + seconds
        while not self._waiting:
            self._waiting = self._call(deadline).path == "/invocation/next"
        try:
            self._api.give(headers, payload)
        except OSError:
            raise WorkerEndedError(self._reason()) from None
        self._waiting = False
        call = self._call(deadline)
        self._check_memory()
        return call

    def accept(self, *, too_large: bool = False) -> None:
        """Answer the worker's response or error; ignore that it has exited."""
        with contextlib.suppress(OSError):
            self._api.accept(too_large=too_large)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def output(self) -> list[tuple[float, str]]:
        """Return the lines since the last call, with their wall times."""
        self._drain()
        return self._output.take()

    def memory(self) -> int:
        """Return the peak of the observed memory, in MB."""
        return -(-self._peak // 1024)

    def kill(self) -> None:
        """Kill the process group; a running invocation then fails."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def end(self) -> None:
        """Kill the process group and release the worker's resources."""
        self.kill()
        self._owned.close()

    def _kill_with_parent(self, alive: int) -> None:
        """Make the kernel kill the process group when this process ends in any way.

        The worker has the reading end of a pipe whose only writer is this process. When the writer
        closes, the kernel sends the signal that is set on the pipe, without a thread or code in the
        worker.
        """
        fcntl.fcntl(alive, fcntl.F_SETOWN, -self._process.pid)
        fcntl.fcntl(alive, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(alive, fcntl.F_SETFL, fcntl.fcntl(alive, fcntl.F_GETFL) | os.O_ASYNC)

    def _call(self, deadline: float) -> Call:
        looked = time.monotonic()
        while (call := self._api.call()) is None:
            now = time.monotonic()
            if now >= deadline:
                self.kill()
                raise WorkerTimeoutError
            if now - looked >= _MEMORY_CHECK_INTERVAL_SECONDS:
                self._check_memory()
                looked = now
            ready = [
                each
                for each, _ in self._poll.poll(
                    1000 * min(_MEMORY_CHECK_INTERVAL_SECONDS, deadline - now)
                )
            ]
            if self._stdout in ready:
                self._drain()
            called = [self._api.receive(each, self._poll) for each in ready]
            # A response that was posted before the exit is valid.
            if self._exit in ready and not any(called):
                raise WorkerEndedError(self._reason())
        return call

    def _check_memory(self) -> None:
        try:
            status = os.pread(self._status, 4096, 0)
        except ProcessLookupError:
            return
        _, found, rest = status.partition(b"VmHWM:")  # the peak of the resident set
        if found:
            self._peak = int(rest.split(None, 1)[0])
        if self._peak > self._memory:
            self.kill()
            raise OutOfMemoryError

    def _reason(self) -> str:
        code = self._process.wait()
        if code == 0:
            return ""
        if code < 0:
            return f"signal: {(signal.strsignal(-code) or str(-code)).lower()}"
        return f"exit status {code}"

    def _drain(self) -> None:
        try:
            while written := os.read(self._stdout, _PIPE_READ_BYTES):
                self._output.add(written)
        except BlockingIOError:
            return
        with contextlib.suppress(KeyError):  # the pipe is closed
            self._poll.unregister(self._stdout)


def _text(line: bytes) -> str:
    # The runtime separates the lines of one record with carriage returns.
    return line.decode(errors="replace").rstrip("\r").replace("\r", "\n")
