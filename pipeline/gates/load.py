"""The load gate: Locust against staging, held against the limits of its environment file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from environments.schema import load
from pipeline.gates.gate import REPORTS, ROOT, CouldNotRunError, Outcome, run

if TYPE_CHECKING:
    from environments.schema import Load

_PROFILE = ROOT / "tests" / "load" / "profile.py"


@dataclass(frozen=True)
class Measured:
    """What the load test saw after its warm-up; times in milliseconds."""

    requests: int
    failures: int
    p95: float
    p99: float
    seconds: float


def measure(url: str, limits: Load) -> Measured:
    """Send the profile's load.

    Raises:
        CouldNotRunError: Locust did not report.
    """
    report = REPORTS / "load-measured.json"
    report.unlink(missing_ok=True)
    environment = os.environ | {
        "LOAD_REPORT": str(report),
        "LOAD_WARM_UP_SECONDS": str(limits.warm_up_seconds),
        "LOAD_PACING_SECONDS": str(limits.users / limits.requests_per_second),
    }
    command = [sys.executable, "-m", "locust", "--headless", "--only-summary", "--skip-log"]
    command += ["--locustfile", str(_PROFILE), "--host", url.rstrip("/")]
    command += ["--users", str(limits.users), "--spawn-rate", str(limits.users)]
    command += ["--run-time", f"{limits.seconds + limits.warm_up_seconds}s", "--stop-timeout", "5"]
    command += ["--html", str(REPORTS / "load.html"), "--exit-code-on-error", "0"]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=limits.seconds + limits.warm_up_seconds + 60,
        )
        return Measured(**json.loads(report.read_text()))
    except subprocess.TimeoutExpired as error:
        raise CouldNotRunError("Locust did not end in time") from error
    except (FileNotFoundError, json.JSONDecodeError, TypeError) as error:
        raise CouldNotRunError(f"Locust left no report: {done.stderr.strip()[-300:]}") from error


def verdict(seen: Measured, limits: Load) -> Outcome:
    """Hold what was measured against the limits; few requests can refuse, and never pass.

    Raises:
        CouldNotRunError: no limit was crossed, by fewer requests than say something.
    """
    share = seen.failures / seen.requests if seen.requests else 0.0
    rate = seen.requests / seen.seconds if seen.seconds else 0.0
    crossed = [
        f"{name} is {found}, allowed {allowed}"
        for name, found, allowed, bad in (
            (
                "the share of failures",
                f"{share:.2%}",
                f"{limits.max_failure_share:.2%}",
                share > limits.max_failure_share,
            ),
            ("p95", f"{seen.p95:.0f} ms", f"{limits.max_p95_ms} ms", seen.p95 > limits.max_p95_ms),
            ("p99", f"{seen.p99:.0f} ms", f"{limits.max_p99_ms} ms", seen.p99 > limits.max_p99_ms),
        )
        if bad
    ]
    details = asdict(seen) | {"requests_per_second": round(rate, 1)}
    if crossed:
        return Outcome("refused", "; ".join(crossed), details)
    if seen.requests < limits.min_requests:
        raise CouldNotRunError(
            f"{seen.requests} requests are fewer than the {limits.min_requests} that say something"
        )
    return Outcome(
        "passed",
        f"{seen.requests} requests at {rate:.0f}/s, {seen.failures} failed, "
        f"p95 {seen.p95:.0f} ms, p99 {seen.p99:.0f} ms",
        details,
    )


def _limits() -> Load:
    limits = load("staging").load
    if limits is None:
        raise CouldNotRunError("environments/staging.toml: load: nothing found; give the limits")
    return limits


def judge() -> Outcome:
    """Measure and judge staging.

    Raises:
        CouldNotRunError: it could not be measured.
    """
    url = os.environ.get("URL")
    if not url:
        raise CouldNotRunError("environment variable URL: nothing found; give the API's address")
    limits = _limits()
    return verdict(measure(url, limits), limits)


if __name__ == "__main__":
    sys.exit(run("load", judge))
