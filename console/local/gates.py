"""Gates that run on this machine, in parallel."""

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

    from pipeline.gates.report.catalogue import Gate
    from pipeline.gates.report.gate_report import GateReport, Status


@dataclass
class GateRun:
    """One gate, while it runs and after it has ended."""

    gate: Gate
    status: Literal["to come", "running", "passed", "refused", "not run"] = "to come"
    sentence: str = ""
    began: float = 0.0
    """Seconds of the monotonic clock."""
    seconds: float = 0.0
    """Duration, including the start of the process."""
    report: GateReport | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def ended(self) -> bool:
        """Whether the gate has ended."""
        return self.status not in {"to come", "running"}


def possible(environment: dict[str, str], *, aws: bool) -> tuple[list[Gate], list[Gate]]:
    """Return the gates that can run here, and those that lack what they need.

    `environment` holds variables; `aws` says whether AWS or a local cloud answers.
    """
    available = {"": True, "URL": bool(environment.get("URL")), "AWS": aws, "release": False}
    runnable = [each for each in GATES if available[each.needs]]
    return runnable, [each for each in GATES if not available[each.needs]]


class LocalGates:
    """Run gates in parallel until the context exits, which ends those that still run."""

    def __init__(self, root: Path, gates: Sequence[Gate], environment: dict[str, str]) -> None:
        """Start the gates in the checkout `root`, with the variables in `environment`."""
        self.runs = [GateRun(gate) for gate in gates]
        self._reports = root / "reports"
        self._root = root
        self._variables = environment
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
                # The gate's tools are in its process group.
                with suppress(ProcessLookupError):
                    os.killpg(run.process.pid, signal.SIGTERM)
        self._pool.shutdown(cancel_futures=True)

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for all gates; return whether all have ended."""
        deadline = time.monotonic() + seconds
        for each in self._waiting:
            with suppress(TimeoutError):
                each.result(max(0.0, deadline - time.monotonic()))
        return all(each.done() for each in self._waiting)

    def log(self, name: str) -> Path:
        """Return the path of a gate's log."""
        return self._reports / f"{name}.log"

    def _run(self, run: GateRun) -> None:
        name = run.gate.name
        self._reports.mkdir(exist_ok=True)
        path = self._reports / f"{name}.json"
        path.unlink(missing_ok=True)  # the report of an earlier run
        run.began, run.status = time.monotonic(), "running"
        with self.log(name).open("wb") as log:
            run.process = subprocess.Popen(
                [sys.executable, "-m", f"pipeline.gates.{name}"],
                cwd=self._root,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            code = run.process.wait()
        run.seconds = time.monotonic() - run.began
        run.report = report(path)
        run.status, run.sentence = _result(run.report, code)


def _result(found: GateReport | None, code: int) -> tuple[Status, str]:
    """Return a gate's status and sentence; a contradiction with the exit code refuses."""
    if found is None:
        return "refused", f"it ended with exit code {code} and wrote no report"
    if (code == 0) != (found.status != "refused"):
        return "refused", f"it ended with exit code {code}, but its report says {found.status}"
    return found.status, with_next_step(found.sentence, found.next)
