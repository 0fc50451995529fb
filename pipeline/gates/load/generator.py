"""Run Locust as the load generator, and read its reports."""

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
from pipeline.gates.load.measurement import Measurement
from pipeline.gates.load.plan import ADDRESSES, FOLDER, PLAN
from pipeline.gates.report.result import CouldNotRunError
from pipeline.service import LOAD_PROFILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.gates.load.plan import Plan

_DEFAULT_PROFILE = ROOT / "pipeline" / "gates" / "load" / "default_profile.py"
_MAX_OUTPUT_CHARACTERS = 300
_OVERHEAD_SECONDS = 60
"""Time for Locust's start and end; it needs much less."""
_WORKER_TIMEOUT_SECONDS = 20
"""Time in which all workers must have connected to the master."""


def measure(addresses: Sequence[str], plan: Plan) -> list[Measurement]:
    """Send the profile's load to each address at the same time; return a measurement of each.

    `reports/load.html` is Locust's own report with plots.

    Raises:
        CouldNotRunError: Locust or one of its workers is missing, crashed, or hung.
    """
    command = [sys.executable, "-m", "locust", "--headless", "--only-summary"]
    command += ["--locustfile", str(profile()), "--host", addresses[0].rstrip("/")]
    users = str(plan.users * len(addresses))
    command += ["--users", users, "--spawn-rate", users]
    command += ["--stop-timeout", "2", "--exit-code-on-error", "0"]
    command += ["--html", str(gate.REPORTS / "load.html")]
    if plan.workers > 1:
        port = str(_free_port())  # two gates on one machine must not share a port
        command += ["--processes", str(plan.workers)]
        command += ["--master-bind-host", "127.0.0.1", "--master-bind-port", port]
        command += ["--master-port", port]
        command += ["--expect-workers-max-wait", str(_WORKER_TIMEOUT_SECONDS)]
    with tempfile.TemporaryDirectory() as folder:
        variables = {PLAN: plan.text(), ADDRESSES: " ".join(addresses), FOLDER: folder}
        code, output = _run(command, os.environ | variables, plan)
        reports = [report.read_text(encoding="utf-8") for report in Path(folder).iterdir()]
    if code != 0 or len(reports) != plan.workers:
        raise CouldNotRunError(
            f"could not measure: Locust wrote {len(reports)} reports of {plan.workers} workers and "
            f"ended with exit code {code}: {output.strip()[-_MAX_OUTPUT_CHARACTERS:]}"
        )
    seen = [Measurement(plan.seconds) for _ in addresses]
    try:
        for report in reports:
            for total, part in zip(seen, json.loads(report), strict=True):
                total.add(Measurement.read(part))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CouldNotRunError(f"the report of a Locust worker is invalid: {error!r}") from error
    return seen


def profile() -> Path:
    """Return the service's load profile, or the default one."""
    own = ROOT / LOAD_PROFILE
    return own if own.exists() else _DEFAULT_PROFILE


def _run(command: list[str], variables: dict[str, str], plan: Plan) -> tuple[int, str]:
    """Run Locust to its end; return its exit code and its error output."""
    timeout = plan.warm_up_seconds + plan.seconds + plan.answer_timeout + _OVERHEAD_SECONDS
    with (
        # A file instead of a pipe, which a worker that outlives Locust would keep open.
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=variables,
            stdout=subprocess.DEVNULL,
            stderr=output,
            process_group=0,
        ) as locust,
    ):
        try:
            code = locust.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise CouldNotRunError(f"Locust did not end within {timeout:.0f} seconds") from error
        finally:
            with suppress(ProcessLookupError):  # kills Locust's workers, too
                os.killpg(locust.pid, signal.SIGKILL)
        output.seek(0)
        return code, output.read()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
