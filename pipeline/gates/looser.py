"""Findings about a looser release, which gate `changes` writes to its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.gates.report.findings import Finding

DETAIL = "looser"
"""Key of the list in the details of the gate's summary."""


class Looser(BaseModel):
    """One thing that holds a release back less than what is deployed."""

    rule: str
    subject: str
    message: str
    severity: Literal["error", "warning"]
    """An error refuses unless it is waived; a warning is shown."""


def listed(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """The list for the summary; waived findings are in it, too."""
    return [
        Looser(
            rule=each.rule, subject=each.subject, message=each.message, severity=each.severity
        ).model_dump()
        for each in findings
    ]
