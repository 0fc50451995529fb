"""The result of a gate: status, sentence and findings; or why it could not run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline.gates.report.findings import Finding, ordered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.gates.report.gate_report import Status


class CouldNotRunError(Exception):
    """A gate could not run, which is not a pass.

    `next_step` replaces the gate's own `next_if_not_run`; `rule` is the rule of the report, if the
    reason has one.
    """

    def __init__(
        self, message: str, *, next_step: str | None = None, rule: str | None = None
    ) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.rule = rule


@dataclass(frozen=True)
class GateResult:
    """The result of a gate."""

    status: Status
    sentence: str
    details: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    clean: str = ""
    """The sentence if no finding refuses; for gates that decide by findings alone."""
    tools: tuple[str, ...] = ()
    """The tools that ran, also those without findings."""
    next_step: str | None = None
    """Replaces the gate's own `next_if_refused`, if set."""

    @classmethod
    def of_findings(
        cls,
        findings: Iterable[Finding],
        clean: str,
        details: dict[str, Any] | None = None,
        tools: tuple[str, ...] = (),
    ) -> GateResult:
        """Return a result: refused by the first error of the findings, else passed."""
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

    def with_findings(self, findings: Iterable[Finding]) -> GateResult:
        """Return the result with the findings that are left, and those about waivers."""
        found = ordered(findings)
        if self.clean:
            left = GateResult.of_findings(found, self.clean, self.details, self.tools)
            return replace(left, next_step=self.next_step)
        errors = [each for each in found if each.severity == "error"]
        if errors and self.status != "refused":
            return replace(self, status="refused", sentence=_about(errors), findings=found)
        return replace(self, findings=found)


def _about(errors: Sequence[Finding]) -> str:
    first = errors[0]
    place = f" at {first.place}" if first.place else ""
    about = f"{first.tool} {first.rule}{place}: {first.message}"
    if len(errors) == 1:
        return one_line(f"1 finding {about}")
    tools = Counter(each.tool for each in errors)
    by = f" ({', '.join(f'{tools[each]} {each}' for each in tools)})" if len(tools) > 1 else ""
    return one_line(f"{len(errors)} findings{by}, the first {about}")


def one_line(text: str) -> str:
    """Return a text on one line, because people read it in a log."""
    return " ".join(text.split())
