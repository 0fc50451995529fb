"""The list of looser settings and permissions in the report of gate `changes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.gates.report.findings import Finding

DETAIL = "looser"
"""Key of the list in the details of the gate's summary."""


class Looser(BaseModel):
    """A setting or permission that is looser than the deployed one."""

    rule: str
    subject: str
    message: str
    severity: Literal["error", "warning"]
    """An error refuses the release unless it is waived; a warning is only shown."""


def listed(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Return the list for the summary, including waived findings."""
    return [
        Looser(
            rule=each.rule, subject=each.subject, message=each.message, severity=each.severity
        ).model_dump()
        for each in findings
    ]
