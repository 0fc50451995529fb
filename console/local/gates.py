"""The gates that need nothing but a checkout, run here side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

from console.release.gates import report
from pipeline.gates.report.catalogue import GATES, with_next_step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from console.release.gates import Report
    from pipeline.gates.report.catalogue import Gate


@dataclass
class GateRun:
    """One gate that is run, or that has ended."""

    gate: Gate
    status: Literal["to come", "running", "passed", "refused", "not run"] = "to come"
    sentence: str = ""
    began: float = 0.0
    """By the monotonic clock."""
    seconds: float = 0.0
    """What it took, its start included, as somebody waits for it."""
    report: Report | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def ended(self) -> bool:
        """Whether it has an answer."""
        return self.status not in {"to come", "running"}


def possible(environment: dict[str, str], *, aws: bool) -> tuple[list[Gate], list[Gate]]:
    """Return the gates that can run here, and those that lack what they need.

    `aws` is whether AWS answers, be it the local cloud.
    """
    given = {"": True, "URL": bool(environment.get("URL")), "AWS": aws, "release": False}
    return [g for g in GATES if given[g.needs]], [g for g in GATES if not given[g.needs]]


class LocalGates:
    """Runs gates while it is entered; what has not ended by then is ended."""

    def __init__(self, root: Path, gates: Sequence[Gate], environment: dict[str, str]) -> None:
        self.runs = [GateRun(gate) for gate in gates]
        self._reports = root / "reports"
        self._root = root
        self._environment = environment
        self._pool = ThreadPoolExecutor(max(1, len(gates)))
        self._waiting = [self._pool.submit(self._run, run) for run in self.runs]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for run in self.runs:
            if run.process and run.process.poll() is None:
                # Its tools as well: they are in its group.
                with suppress(ProcessLookupError):
                    os.killpg(run.process.pid, signal.SIGTERM)
        self._pool.shutdown(cancel_futures=True)

    def wait(self, seconds: float) -> bool:
        """Wait until all have ended, at most so long; whether they have."""
        until = time.monotonic() + seconds
        for each in self._waiting:
            with suppress(TimeoutError):
                each.result(max(0.0, until - time.monotonic()))
        return all(each.done() for each in self._waiting)

    def log(self, name: str) -> Path:
        """Where what a gate wrote is kept."""
        return self._reports / f"{name}.log"

    def _run(self, run: GateRun) -> None:
        name = run.gate.name
        self._reports.mkdir(exist_ok=True)
        path = self._reports / f"{name}.json"
        path.unlink(missing_ok=True)  # a gate that does not even start leaves its last one
        run.began, run.status = time.monotonic(), "running"
        with self.log(name).open("wb") as log:
            run.process = subprocess.Popen(
                [sys.executable, "-m", f"pipeline.gates.{name}"],
                cwd=self._root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            code = run.process.wait()
        run.seconds = time.monotonic() - run.began
        run.report = report(path)
        run.status, run.sentence = _judged(run.report, code)


def _judged(found: Report | None, code: int) -> tuple[Literal["passed", "refused", "not run"], str]:
    """What became of a gate: its exit code stands above what it says."""
    if found is None:
        return "refused", f"it ended with exit code {code} and left no report"
    if (code == 0) != (found.status != "refused"):
        return "refused", f"it ended with exit code {code} and said {found.status}"
    return found.status, with_next_step(found.sentence, found.next)
