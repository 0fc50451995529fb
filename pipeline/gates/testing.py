"""What the gates have in common that run tests: pytest, its JUnit report, and their verdict."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree as ET

from pipeline.gates.gate import REPORTS, ROOT, CouldNotRunError, Outcome

_MAX_REASONS = 3
_MAX_REASON_CHARACTERS = 200


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
    broken = {
        case.attrib["name"]: _reason(problem)
        for case in suite.iter("testcase")
        for problem in (*case.findall("failure"), *case.findall("error"))
    }
    total = int(suite.attrib["tests"])
    details = {"tests": total, "broken": list(broken)}
    if broken:
        named = "; ".join(f"{name}: {why}" for name, why in list(broken.items())[:_MAX_REASONS])
        more = len(broken) - _MAX_REASONS
        rest = f"; and {more} more" if more > 0 else ""
        return Outcome("refused", f"{len(broken)} of {total} tests failed: {named}{rest}", details)
    if done.returncode != 0:
        raise CouldNotRunError(f"pytest ended with exit code {done.returncode}")
    return Outcome("passed", f"{total} tests", details)


def _reason(problem: ET.Element) -> str:
    """Return the first line of why a test failed, such as AssertionError: assert 1 == 2."""
    lines = [line.strip() for line in problem.get("message", "").splitlines() if line.strip()]
    return lines[0][:_MAX_REASON_CHARACTERS] if lines else "no message"
