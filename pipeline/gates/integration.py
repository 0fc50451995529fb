"""The integration tests against a deployed environment, whose URL is in `URL`."""

from __future__ import annotations

import os
import subprocess
import sys
from xml.etree import ElementTree as ET

from pipeline.gates.gate import REPORTS, ROOT, CouldNotRunError, Outcome, run


def judge() -> Outcome:
    """Run `tests/integration`; that no test ran is no pass.

    Raises:
        CouldNotRunError: there is no URL, or pytest left no report.
    """
    if not os.environ.get("URL"):
        raise CouldNotRunError("environment variable URL: nothing found; give the API's address")
    report = REPORTS / "integration.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "tests/integration", f"--junitxml={report}"]
    done = subprocess.run(command, cwd=ROOT, check=False)
    try:
        # pytest wrote this file a moment ago: it is no input from outside.
        suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314  # nosec B314
    except (FileNotFoundError, ET.ParseError) as error:
        raise CouldNotRunError(f"pytest left no report, exit {done.returncode}") from error
    if suite is None or int(suite.attrib["tests"]) == int(suite.attrib["skipped"]):
        raise CouldNotRunError("no integration test ran")
    broken = [
        case.attrib["name"]
        for case in suite.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]
    total = int(suite.attrib["tests"])
    details = {"tests": total, "broken": broken}
    if broken:
        named = ", ".join(broken)
        return Outcome("refused", f"{len(broken)} of {total} tests failed: {named}", details)
    if done.returncode != 0:
        raise CouldNotRunError(f"pytest ended with exit code {done.returncode}")
    return Outcome("passed", f"{total} tests against {os.environ['URL']}", details)


if __name__ == "__main__":
    sys.exit(run("integration", judge))
