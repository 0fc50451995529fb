"""What a gate found: a status, one sentence and its findings; or that it could not run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline.gates.report.findings import Finding, ordered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.gates.report.gate_report import Status


class CouldNotRunError(Exception):
    """The gate found nothing out: that is no pass.

    `next_step` is what to type, if that differs from the gate's own `next_if_not_run`; `rule` is
    the rule of the report, if the reason has one.
    """

    def __init__(
        self, message: str, *, next_step: str | None = None, rule: str | None = None
    ) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.rule = rule


@dataclass(frozen=True)
class GateResult:
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
    ) -> GateResult:
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

    def left_with(self, findings: Iterable[Finding]) -> GateResult:
        """The same with other findings: what is left of its own, and those about its waivers."""
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
    """On one line, whatever a tool has said: people read it out of a log."""
    return " ".join(text.split())
