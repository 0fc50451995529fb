"""Bandit over all that is delivered or delivers: a finding of medium severity or more refuses.

The local cloud does neither; `make check` scans it.
"""

from __future__ import annotations

import json
import subprocess
import sys

from pipeline.gates.gate import REPORTS, ROOT, CouldNotRunError, Outcome, run

_PACKAGES = ("console", "environments", "pipeline", "service")


def judge() -> Outcome:
    """Scan the packages of this checkout.

    Raises:
        CouldNotRunError: bandit is missing, crashed, or could not read a file.
    """
    report = REPORTS / "bandit.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "bandit", "--quiet", "--recursive", "-ll"]
    command += ["--configfile", "pyproject.toml", "--format", "json", "--output", str(report)]
    packages = [package for package in _PACKAGES if (ROOT / package).is_dir()]
    done = subprocess.run(
        [*command, *packages], cwd=ROOT, capture_output=True, text=True, check=False
    )
    try:
        found = json.loads(report.read_text())
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise CouldNotRunError(f"bandit left no report: {done.stderr.strip()[-300:]}") from error
    if found["errors"]:
        first = found["errors"][0]
        raise CouldNotRunError(f"bandit could not read {first['filename']}: {first['reason']}")
    totals = found["metrics"]["_totals"]
    if not totals["loc"]:
        raise CouldNotRunError("bandit scanned no line of code")
    results = found["results"]
    details = {
        "lines": totals["loc"],
        "findings": len(results),
        "let_by_nosec": totals["nosec"] + totals["skipped_tests"],
    }
    if results:
        first = results[0]
        return Outcome(
            "refused",
            f"bandit found {len(results)}, the first {first['test_id']} at "
            f"{first['filename']}:{first['line_number']}: {first['issue_text']}",
            details,
        )
    return Outcome("passed", f"bandit found nothing in {totals['loc']} lines", details)


if __name__ == "__main__":
    sys.exit(run("security", judge))
