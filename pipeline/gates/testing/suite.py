"""Run the tests of folders as a gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.gates.gate import REPORTS, ROOT
from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.testing import census, hooks, junit, session
from pipeline.gates.testing.counts import TestCounts, as_details

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.gates.testing.session import Session

Comparison = Callable[[TestCounts], tuple[list[Finding], str]]
"""Returns findings about the counts of a run, and a clause for the gate's sentence."""


_MAX_REASONS = 3
_MAX_REASON_CHARACTERS = 200


def run_tests(
    name: str, folders: Sequence[str], compare: Comparison | None = None, target: str = ""
) -> GateResult:
    """Run the tests of folders and report `reports/NAME.xml`.

    `target` is a clause that names what the tests ran against.

    Raises:
        CouldNotRunError: no test ran, pytest ended early, or its record was forged.
    """
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    defined = census.defined(ROOT, folders)
    altering = hooks.scan(ROOT, folders)
    ran = session.run(ROOT, ["-q", *folders])
    junit.write(report, name, ran)
    counts = TestCounts.of(ran)
    failed = {each.id: each.message for each in ran.results if each.outcome == "failed"}
    broken = failed | ran.errors
    details: dict[str, Any] = {"tests": len(ran.results), "broken": broken}
    details["counts"] = as_details(counts)
    if not broken and not counts.passed + counts.xfailed:
        raise CouldNotRunError(f"no test of {', '.join(folders)} ran")
    findings, clause = compare(counts) if compare and not broken else ([], "")
    findings += [*altering, *hooks.of_session(ran, altering)]
    if not ran.errors:
        findings += _left_out(defined, ran)
    if broken:
        sentence = _failed(broken, max(len(ran.results), len(broken)))
        return GateResult("refused", sentence + target, details, tuple(findings))
    return GateResult.of_findings(
        findings, f"{len(ran.results)} tests{clause}{target}", details, (hooks.TOOL,)
    )


def _failed(broken: dict[str, str], total: int) -> str:
    """Return the number of failed tests, and the first of them with their reasons."""
    named = "; ".join(
        f"{node.rsplit('::', 1)[-1]}: {_reason(message)}"
        for node, message in list(broken.items())[:_MAX_REASONS]
    )
    more = len(broken) - _MAX_REASONS
    rest = f"; and {more} more" if more > 0 else ""
    return f"{len(broken)} of {total} tests failed: {named}{rest}"


def _reason(message: str) -> str:
    """Return the first line of a failure, such as `AssertionError: assert 1 == 2`."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[0][:_MAX_REASON_CHARACTERS] if lines else "no message"


def _left_out(defined: Sequence[census.Defined], ran: Session) -> list[Finding]:
    """Return findings for tests that a file defines or pytest collected, but that did not run."""
    ran_functions = {census.function_of(each) for each in ran.selected}
    found = [
        Finding(
            tool=hooks.TOOL,
            rule="left-out",
            message=f"{each.name} is defined and does not run; run it, or remove it",
            path=each.path,
            line=each.line,
            subject=each.name,
        )
        for each in defined
        if each.id not in ran_functions
    ]
    for node in sorted(set(ran.collected) - set(ran.selected)):
        if census.function_of(node) in ran_functions:
            path, _, test = node.partition("::")
            found.append(
                Finding(
                    tool=hooks.TOOL,
                    rule="left-out",
                    message=f"{test} was collected and does not run; run it, or remove it",
                    path=path,
                    subject=test,
                )
            )
    return found
