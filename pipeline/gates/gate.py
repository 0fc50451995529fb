"""The form of every gate: an outcome, its reports, one sentence, an exit code."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from environments.schema import EnvironmentFileError
from pipeline import waivers
from pipeline.gates import catalogue, sarif
from pipeline.gates.answer import Answer
from pipeline.gates.findings import Finding, ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.gates.answer import Status
    from pipeline.waivers import Result

ROOT = Path(__file__).parent.parent.parent
REPORTS = ROOT / "reports"
WAIVERS = ROOT / "pipeline" / "waivers.toml"
_SHOWN = 50
"""Findings in a log; the SARIF has more."""
_EDIT_WAIVERS = "edit pipeline/waivers.toml (docs/gates.md, Waivers) and commit"


class CouldNotRunError(Exception):
    """The gate found nothing out: that is no pass.

    `next_step` is what to type, if that differs from the gate's own `next_if_not_run`; `rule` is
    the rule of the answer, if the reason has one.
    """

    def __init__(
        self, message: str, *, next_step: str | None = None, rule: str | None = None
    ) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.rule = rule


@dataclass(frozen=True)
class Outcome:
    """What a gate found."""

    status: Status
    sentence: str
    details: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    clean: str = ""
    """The sentence where no finding refuses; of a gate that judges by its findings alone."""
    tools: tuple[str, ...] = ()
    """Which tools have looked, also those that found nothing."""
    next_step: str | None = None
    """What to type if it is refused, where that is not the gate's own `next_if_refused`."""

    @classmethod
    def of_findings(
        cls,
        findings: Iterable[Finding],
        clean: str,
        details: dict[str, Any] | None = None,
        tools: tuple[str, ...] = (),
    ) -> Outcome:
        """Refused by the first error among the findings, passed with `clean` where none is."""
        found = ordered(findings)
        errors = [each for each in found if each.severity == "error"]
        return cls(
            "refused" if errors else "passed",
            _about(errors) if errors else clean,
            details or {},
            found,
            clean,
            tools,
        )

    def left_with(self, findings: Iterable[Finding]) -> Outcome:
        """The same with other findings: what is left of its own, and those about its waivers."""
        found = ordered(findings)
        if self.clean:
            left = Outcome.of_findings(found, self.clean, self.details, self.tools)
            return replace(left, next_step=self.next_step)
        errors = [each for each in found if each.severity == "error"]
        if errors and self.status != "refused":
            return replace(self, status="refused", sentence=_about(errors), findings=found)
        return replace(self, findings=found)


def run(name: str, judge: Callable[[], Outcome], *, whole: bool = True) -> int:
    """Run a gate, keep its reports, print its findings, its sentence and last its `Answer`.

    `reports/NAME.json` is the summary: `gate`, `status`, `sentence`, `next`, `seconds`, `details`,
    and how many `findings` are left and how many are `waived`. `reports/NAME.sarif` has the
    findings. `next` is the next step of a refusal, with which what is printed ends, else null.

    Exit codes: 0 passed, or not run under an override; 1 refused; 2 could not run, which
    refuses. The pipeline stops at anything but 0.

    `whole` is whether all was looked at. A look at a part leaves no report, which would pass for
    the whole one, and does not know which waivers nothing needs.

    Raises:
        ValueError: the catalogue has no gate of that name.
    """
    gate = catalogue.gate(name)
    if whole:
        REPORTS.mkdir(exist_ok=True)
        for kind in ("json", "sarif"):  # an earlier run's report is no report of this one
            (REPORTS / f"{name}.{kind}").unlink(missing_ok=True)
    began = time.monotonic()
    results: list[Result] = []
    rules: tuple[str, ...] = ()
    try:
        outcome, results = _judged(name, judge, whole=whole)
        rules = _refusing_rules(outcome)
        code = 1 if outcome.status == "refused" else 0
        default = _next_of_waivers(outcome) or gate.next_if_refused
    except Exception as error:  # noqa: BLE001  # whatever it was, the gate found nothing out
        reason, better = _failure(error)
        if isinstance(error, CouldNotRunError) and error.rule:
            rules = (error.rule,)
        outcome = Outcome("refused", f"could not run, which refuses: {reason}", next_step=better)
        code, default = 2, gate.next_if_not_run
    next_step = outcome.next_step or default if outcome.status == "refused" else None
    for each in outcome.findings[:_SHOWN]:
        told = f"{each.place or name}: {each.severity}: {each.tool} {each.rule}: {each.message}"
        sys.stdout.write(f"{_line(told)}\n")
    if whole:
        _report(name, outcome, next_step, results, time.monotonic() - began)
    sentence = catalogue.with_next_step(outcome.sentence, next_step)
    sys.stdout.write(f"gate {name}: {outcome.status}: {sentence}\n")
    _print(Answer(name, outcome.status, outcome.sentence, next_step, rules))
    return code


def _refusing_rules(outcome: Outcome) -> tuple[str, ...]:
    """Return the rules of the findings that refuse, each once."""
    errors = [each.rule for each in outcome.findings if each.severity == "error"]
    return tuple(dict.fromkeys(errors))


def _print(answer: Answer) -> None:
    """Print the answer for the console by one write, whatever the buffer holds."""
    sys.stdout.flush()
    sys.stdout.write(f"{answer.line()}\n")
    sys.stdout.flush()


def _report(
    name: str, outcome: Outcome, next_step: str | None, results: Sequence[Result], seconds: float
) -> None:
    summary = {
        "gate": name,
        "status": outcome.status,
        "sentence": outcome.sentence,
        "next": next_step,
        "seconds": round(seconds, 3),
        "details": outcome.details,
        "findings": len(outcome.findings),
        "waived": sum(each.waiver is not None for each in results),
    }
    if results or outcome.tools:
        text = sarif.document(name, results, outcome.tools)
        (REPORTS / f"{name}.sarif").write_text(text, encoding="utf-8")
    (REPORTS / f"{name}.json").write_text(json.dumps(summary, indent=2, default=str))


def _judged(
    name: str, judge: Callable[[], Outcome], *, whole: bool
) -> tuple[Outcome, list[Result]]:
    known = waivers.read(WAIVERS)  # first: a gate may take its time
    outcome = judge()
    # If a part did not run, an unused waiver may belong to its findings.
    whole = whole and outcome.status != "not run"
    results = waivers.apply(known, name, outcome.findings, datetime.now(UTC).date(), whole=whole)
    left = [each.finding for each in results if each.waiver is None]
    return outcome.left_with(left), results


def _about(errors: Sequence[Finding]) -> str:
    first = errors[0]
    place = f" at {first.place}" if first.place else ""
    about = f"{first.tool} {first.rule}{place}: {first.message}"
    if len(errors) == 1:
        return _line(f"1 finding {about}")
    tools = Counter(each.tool for each in errors)
    by = f" ({', '.join(f'{tools[each]} {each}' for each in tools)})" if len(tools) > 1 else ""
    return _line(f"{len(errors)} findings{by}, the first {about}")


def _next_of_waivers(outcome: Outcome) -> str | None:
    """The next step if waivers alone are at fault: there is nothing else to fix or to waive."""
    tools = {each.tool for each in outcome.findings if each.severity == "error"}
    return _EDIT_WAIVERS if tools == {waivers.TOOL} else None


def _failure(error: Exception) -> tuple[str, str | None]:
    """Why a gate could not run, and its next step if that is not the gate's own."""
    if isinstance(error, CouldNotRunError):
        return _line(str(error)), error.next_step
    if isinstance(error, EnvironmentFileError):
        return _line(str(error)), "fix the file and run `pithead check`"
    if isinstance(error, waivers.WaiversError):
        return _line(str(error)), _EDIT_WAIVERS
    traceback.print_exc()
    reason = f"this is a bug of the gate: {type(error).__name__}: {error}"
    return _line(reason), "report it with the traceback above"


def _line(text: str) -> str:
    """On one line, whatever a tool has said: people read it out of a log."""
    return " ".join(text.split())
