"""The sandboxes (execution environments) of all versions, started on demand."""

from __future__ import annotations

import os
import resource
import shutil
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.awslambda.runtime import install_runtime, variables
from localcloud.awslambda.worker import (
    OutOfMemoryError,
    Worker,
    WorkerEndedError,
    WorkerTimeoutError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.awslambda.bundles import Bundles
    from localcloud.awslambda.model import Function, Version
    from localcloud.awslambda.runtime_api import Call
    from localcloud.core.core import Core
    from localcloud.core.credentials import Session

IDLE_TIMEOUT_SECONDS = 600.0
"""Cloud seconds after which an idle sandbox is ended."""
_INIT_TIMEOUT_SECONDS = 10.0
"""Wall seconds for the initialisation, or the function's timeout if that is longer."""
# Limits the processes that a burst on a cold function starts concurrently. Other invocations wait
# and take the first free sandbox.
_MAX_STARTING_WORKERS = 2 * (os.cpu_count() or 1)


@dataclass
class Sandbox:
    """A Lambda sandbox: a worker with its log stream.

    `init` is the duration of the initialisation, or None after the first invocation.
    """

    revision: str
    worker: Worker
    stream: str
    task_root: Path
    init: float | None = None
    """Milliseconds."""
    idle_since: float = 0.0
    """Cloud time."""


class InitError(Exception):
    """A sandbox could not be initialised; the caller must end it."""

    def __init__(self, sandbox: Sandbox, cause: Call | Exception) -> None:
        super().__init__("Initialisation failed")
        self.sandbox = sandbox
        self.cause = cause


class _Pool:
    """The sandboxes of one version."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.idle: list[Sandbox] = []
        self.starting = 0
        self.retired = False


class Fleet:
    """All sandboxes; an acquired sandbox belongs to one invocation."""

    def __init__(self, core: Core, bundles: Bundles) -> None:
        self._core = core
        self._bundles = bundles
        folder = core.ledger.folder / "functions"
        self._runtime = folder / "runtime"
        self._scratch = folder / "tmp"
        self._lock = threading.Lock()
        self._pools: dict[str, _Pool] = {}
        self._workers: dict[int, Worker] = {}
        self._sessions: dict[tuple[str, str], Session] = {}
        self._stopping = threading.Event()
        self._idle = threading.Event()
        self._reaper = threading.Thread(target=self._reap, name="functions-idle", daemon=True)

    def start(self) -> None:
        """Create the folders of the workers and start to end idle sandboxes."""
        # A worker uses six descriptors; the usual soft limit is too low for a busy account.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        install_runtime(self._runtime)
        self._reaper.start()

    def stop(self) -> None:
        """Kill all workers; running invocations fail."""
        self._stopping.set()
        self._idle.set()
        self._reaper.join()
        for revision in list(self._pools):
            self.retire(revision)
        with self._lock:
            busy = list(self._workers.values())
        for worker in busy:
            worker.kill()

    def acquire(self, function: Function, version: Version) -> Sandbox:
        """Return a warm sandbox of a version, or start a new one.

        Raises:
            InitError: the initialisation of a new sandbox failed.
        """
        with self._lock:
            pool = self._pools.setdefault(version.revision, _Pool())
        with pool.changed:
            while True:
                while pool.idle:
                    sandbox = pool.idle.pop()
                    if sandbox.worker.alive:
                        return sandbox
                    self.end(sandbox)
                if pool.starting < _MAX_STARTING_WORKERS:
                    pool.starting += 1
                    break
                pool.changed.wait()
        try:
            return self._start(function, version)
        finally:
            with pool.changed:
                pool.starting -= 1
                pool.changed.notify()

    def release(self, sandbox: Sandbox) -> None:
        """Return a sandbox to the warm ones."""
        sandbox.init = None
        sandbox.idle_since = self._core.clock.timestamp()
        with self._lock:
            pool = self._pools.get(sandbox.revision)
        if pool is not None:
            with pool.changed:
                if not pool.retired:
                    pool.idle.append(sandbox)
                    pool.changed.notify()
                    self._idle.set()
                    return
        self.end(sandbox)

    def end(self, sandbox: Sandbox) -> None:
        """End an acquired sandbox."""
        with self._lock:
            known = self._workers.pop(id(sandbox.worker), None)
        sandbox.worker.end()
        if known is not None:
            self._bundles.close(sandbox.task_root)

    def retire(self, revision: str) -> None:
        """End a version's idle sandboxes now, and its busy ones at their release."""
        with self._lock:
            pool = self._pools.pop(revision, None)
        if pool is None:
            return
        with pool.changed:
            pool.retired = True
            idle, pool.idle = pool.idle, []
        for sandbox in idle:
            self.end(sandbox)

    def _start(self, function: Function, version: Version) -> Sandbox:
        today = self._core.clock.now().strftime("%Y/%m/%d")
        stream = f"{today}/[{version.number}]{uuid.uuid4().hex}"
        configuration = version.configuration
        session = self._session(configuration.role, function.name)
        task_root = self._bundles.open(configuration.code)
        began = time.monotonic()
        try:
            worker = Worker(
                configuration.handler,
                task_root,
                self._runtime,
                self._scratch,
                variables(function, version, stream, session, self._core.endpoint),
                configuration.memory,
                self._core.ledger.folder,
            )
        except BaseException:
            self._bundles.close(task_root)
            raise
        sandbox = Sandbox(version.revision, worker, stream, task_root)
        with self._lock:
            self._workers[id(worker)] = worker
        if self._stopping.is_set():
            worker.kill()
        try:
            cause: Call | Exception | None = worker.ready(
                max(_INIT_TIMEOUT_SECONDS, configuration.timeout)
            )
        except (WorkerEndedError, OutOfMemoryError, WorkerTimeoutError) as error:
            cause = error
        sandbox.init = 1000 * (time.monotonic() - began)
        if cause is not None:
            raise InitError(sandbox, cause)
        return sandbox

    def _session(self, role: str, name: str) -> Session:
        with self._lock:
            if (role, name) not in self._sessions:
                self._sessions[role, name] = self._core.credentials.assume(role, name)
            return self._sessions[role, name]

    def _reap(self) -> None:
        while not self._stopping.is_set():
            self._idle.wait()
            self._idle.clear()
            while (oldest := self._end_idle()) is not None and not self._core.clock.wait(
                oldest + IDLE_TIMEOUT_SECONDS - self._core.clock.timestamp(), self._stopping
            ):
                pass

    def _end_idle(self) -> float | None:
        """End expired sandboxes; return since when the oldest other one is idle."""
        expired: list[Sandbox] = []
        since = None
        now = self._core.clock.timestamp()
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            with pool.changed:
                expired += [
                    each for each in pool.idle if each.idle_since + IDLE_TIMEOUT_SECONDS <= now
                ]
                pool.idle = [
                    each for each in pool.idle if each.idle_since + IDLE_TIMEOUT_SECONDS > now
                ]
                for each in pool.idle:
                    since = min(since or each.idle_since, each.idle_since)
        for sandbox in expired:
            self.end(sandbox)
        return since
