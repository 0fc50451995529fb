"""What the gates have in common that run tests: pytest, its JUnit report, and their verdict."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree as ET

from pipeline.gates.gate import REPORTS, ROOT, CouldNotRunError, Outcome


def run_tests(name: str, *folders: str) -> Outcome:
    """Run the tests of folders, report `reports/NAME.xml`; that no test ran is no pass.

    Raises:
        CouldNotRunError: no test ran, or pytest left no report.
    """
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", *folders, f"--junitxml={report}"]
    done = subprocess.run(command, cwd=ROOT, check=False)
    try:
        # pytest wrote this file a moment ago: it is no input from outside.
        suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314  # nosec B314
    except (FileNotFoundError, ET.ParseError) as error:
        raise CouldNotRunError(f"pytest left no report, exit {done.returncode}") from error
    if suite is None or int(suite.attrib["tests"]) == int(suite.attrib["skipped"]):
        raise CouldNotRunError(f"no test of {', '.join(folders)} ran")
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
    return Outcome("passed", f"{total} tests", details)
