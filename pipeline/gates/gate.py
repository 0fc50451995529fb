"""The entry point of every gate: run it, write its reports, return an exit code."""

from __future__ import annotations

import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from environments.schema import EnvironmentFileError
from pipeline.gates.report import catalogue, sarif, waivers
from pipeline.gates.report.gate_report import GateReport
from pipeline.gates.report.result import CouldNotRunError, GateResult, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.gates.report.waivers import Result

ROOT = Path(__file__).parent.parent.parent
REPORTS = ROOT / "reports"
WAIVERS = ROOT / "pipeline" / "waivers.toml"
_MAX_SHOWN_FINDINGS = 50
"""Maximum of printed findings; the SARIF has all that are written."""
_EDIT_WAIVERS = "edit pipeline/waivers.toml (docs/gates.md, Waivers) and commit"


def main(name: str, run: Callable[[], GateResult], *, whole: bool = True) -> int:
    """Run a gate, write its reports, print its findings and then a summary.

    `reports/NAME.json` and `reports/NAME.exported` contain the `GateReport`, `reports/NAME.sarif`
    the findings. A refusal prints its next step last.

    Exit codes: 0 passed, or not run under an override; 1 refused; 2 could not run, which refuses.
    The pipeline stops at any code but 0.

    `whole` is whether everything was checked. A partial check writes no report, which would pass
    for the whole one, and cannot tell which waivers are unused.

    Raises:
        ValueError: the catalogue has no gate of that name.
    """
    gate = catalogue.gate(name)
    if whole:
        REPORTS.mkdir(exist_ok=True)
        for kind in (
            "json",
            "exported",
            "sarif",
        ):  # an earlier run may have left a report
            (REPORTS / f"{name}.{kind}").unlink(missing_ok=True)
    began = time.monotonic()
    results: list[Result] = []
    rules: tuple[str, ...] = ()
    try:
        outcome, results = _checked(name, run, whole=whole)
        rules = _refusing_rules(outcome)
        code = 1 if outcome.status == "refused" else 0
        default = _next_of_waivers(outcome) or gate.next_if_refused
    except Exception as error:  # noqa: BLE001  # whatever it was, the gate found nothing out
        reason, better = _failure(error)
        if isinstance(error, CouldNotRunError) and error.rule:
            rules = (error.rule,)
        outcome = GateResult("refused", f"could not run, which refuses: {reason}", next_step=better)
        code, default = 2, gate.next_if_not_run
    next_step = outcome.next_step or default if outcome.status == "refused" else None
    for each in outcome.findings[:_MAX_SHOWN_FINDINGS]:
        told = f"{each.place or name}: {each.severity}: {each.tool} {each.rule}: {each.message}"
        sys.stdout.write(f"{one_line(told)}\n")
    if whole:
        _write_sarif(name, outcome, results)
        GateReport(
            gate=name,
            status=outcome.status,
            sentence=outcome.sentence,
            next=next_step,
            rules=rules,
            seconds=round(time.monotonic() - began, 3),
            findings=len(outcome.findings),
            waived=sum(each.waiver is not None for each in results),
            details=outcome.details,
        ).write(REPORTS)
    sentence = catalogue.with_next_step(outcome.sentence, next_step)
    sys.stdout.write(f"gate {name}: {outcome.status}: {sentence}\n")
    return code


def _refusing_rules(outcome: GateResult) -> tuple[str, ...]:
    """Return the rules of the findings that refuse, each once."""
    errors = [each.rule for each in outcome.findings if each.severity == "error"]
    return tuple(dict.fromkeys(errors))


def _write_sarif(name: str, outcome: GateResult, results: Sequence[Result]) -> None:
    if results or outcome.tools:
        text = sarif.document(name, results, outcome.tools)
        (REPORTS / f"{name}.sarif").write_text(text, encoding="utf-8")


def _checked(
    name: str, run: Callable[[], GateResult], *, whole: bool
) -> tuple[GateResult, list[Result]]:
    known = waivers.read(WAIVERS)  # first, because a gate may take long
    outcome = run()
    # If a part did not run, an unused waiver may match its findings.
    whole = whole and outcome.status != "not run"
    results = waivers.apply(known, name, outcome.findings, datetime.now(UTC).date(), whole=whole)
    left = [each.finding for each in results if each.waiver is None]
    return outcome.with_findings(left), results


def _next_of_waivers(outcome: GateResult) -> str | None:
    """Return the next step if waivers alone are at fault, else None."""
    tools = {each.tool for each in outcome.findings if each.severity == "error"}
    return _EDIT_WAIVERS if tools == {waivers.TOOL} else None


def _failure(error: Exception) -> tuple[str, str | None]:
    """Return why a gate could not run, and the error's own next step, if any."""
    if isinstance(error, CouldNotRunError):
        return one_line(str(error)), error.next_step
    if isinstance(error, EnvironmentFileError):
        return one_line(str(error)), "fix the file and run `pithead check`"
    if isinstance(error, waivers.WaiversError):
        return one_line(str(error)), _EDIT_WAIVERS
    traceback.print_exc()
    reason = f"this is a bug of the gate: {type(error).__name__}: {error}"
    return one_line(reason), "report it with the traceback above"
