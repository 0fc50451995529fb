"""Locust as the load generator: started, waited for, and asked what it saw."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.gates import gate
from pipeline.gates.gate import ROOT
from pipeline.gates.load.measured import Measured
from pipeline.gates.load.plan import ADDRESSES, FOLDER, PLAN
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.gates.load.plan import Plan

PROFILE = ROOT / "tests" / "load" / "profile.py"
_START_AND_END = 60  # seconds; far more than Locust needs for it
_CONNECTED = 20  # seconds, after which a worker that is not there will not come


def measure(addresses: Sequence[str], plan: Plan) -> list[Measured]:
    """Send the profile's load to each address, in the same seconds; returns what each answered.

    Locust's own report with its plots is `reports/load.html`.

    Raises:
        CouldNotRunError: Locust or one of its workers is missing, crashed, or hung.
    """
    command = [sys.executable, "-m", "locust", "--headless", "--only-summary"]
    command += ["--locustfile", str(PROFILE), "--host", addresses[0].rstrip("/")]
    users = str(plan.users * len(addresses))
    command += ["--users", users, "--spawn-rate", users]
    command += ["--stop-timeout", "2", "--exit-code-on-error", "0"]
    command += ["--html", str(gate.REPORTS / "load.html")]
    if plan.workers > 1:
        port = str(_free_port())  # two gates of one machine must not meet
        command += ["--processes", str(plan.workers)]
        command += ["--master-bind-host", "127.0.0.1", "--master-bind-port", port]
        command += ["--master-port", port, "--expect-workers-max-wait", str(_CONNECTED)]
    with tempfile.TemporaryDirectory() as folder:
        told = {PLAN: plan.text(), ADDRESSES: " ".join(addresses), FOLDER: folder}
        code, said = _run(command, os.environ | told, plan)
        reports = [report.read_text(encoding="utf-8") for report in Path(folder).iterdir()]
    if code != 0 or len(reports) != plan.workers:
        raise CouldNotRunError(
            f"could not measure: Locust left {len(reports)} reports of {plan.workers} workers, "
            f"exit {code}: {said.strip()[-300:]}"
        )
    seen = [Measured(plan.seconds) for _ in addresses]
    try:
        for report in reports:
            for total, part in zip(seen, json.loads(report), strict=True):
                total.add(Measured.read(part))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CouldNotRunError(f"the report of a worker cannot be read: {error!r}") from error
    return seen


def _run(command: list[str], environment: dict[str, str], plan: Plan) -> tuple[int, str]:
    """Let Locust run to its end; returns its exit code and what it said."""
    longest = plan.warm_up_seconds + plan.seconds + plan.patience + _START_AND_END
    with (
        # No pipe: a worker that outlives Locust would keep it open.
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=said,
            process_group=0,
        ) as locust,
    ):
        try:
            code = locust.wait(longest)
        except subprocess.TimeoutExpired as error:
            raise CouldNotRunError(f"Locust did not end within {longest:.0f} seconds") from error
        finally:
            with suppress(ProcessLookupError):  # its workers included
                os.killpg(locust.pid, signal.SIGKILL)
        said.seek(0)
        return code, said.read()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
