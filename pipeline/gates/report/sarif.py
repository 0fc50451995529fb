"""Findings as SARIF 2.1.0, the form that GitHub's code scanning and editors read.

OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; GitHub, "SARIF support
for code scanning", for what it takes of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.gates.report.findings import Finding
    from pipeline.gates.report.waivers import Result

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MOST = 5000
"""Results of a run: code scanning shows no more, and refuses a run of more than 25,000."""
_LONGEST = 1000
"""Characters of a text that a tool may have made as long as it likes."""
_NO_FILE = "pyproject.toml"
"""Where code scanning shows what is about no file: it takes no result without one."""


def document(gate: str, results: Sequence[Result], tools: Iterable[str] = ()) -> str:
    """The log of a gate, one run a tool: a tool that found nothing closes its earlier alerts.

    Of a tool's results the first 5,000 are written, errors first, and how many there were.
    """
    by_tool: dict[str, list[Result]] = {tool: [] for tool in sorted(tools)}
    for each in results:
        by_tool.setdefault(each.finding.tool, []).append(each)
    runs = [_run(gate, tool, found) for tool, found in by_tool.items()]
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": runs}, indent=1)


def _run(gate: str, tool: str, results: list[Result]) -> dict[str, Any]:
    written = sorted(results, key=_order)[:_MOST]
    rules = sorted({each.finding.rule for each in written})
    index = {rule: number for number, rule in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {"driver": {"name": tool, "rules": [{"id": rule} for rule in rules]}},
        # A category of its own for each gate's tool: an upload closes alerts of its category.
        "automationDetails": {"id": f"{gate}/{tool}/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, index[each.finding.rule]) for each in written],
    }
    left_out = len(results) - len(written)
    if left_out:
        told = {"text": f"{left_out} of {len(results)} results were left out"}
        notification = {"level": "warning", "message": told}
        run["invocations"] = [
            {"executionSuccessful": True, "toolExecutionNotifications": [notification]}
        ]
    return run


def _order(result: Result) -> tuple[bool, bool, str, int, str]:
    finding = result.finding
    waived, warning = result.waiver is not None, finding.severity != "error"
    return (waived, warning, finding.path, finding.line, result.fingerprint)


def _result(result: Result, rule_index: int) -> dict[str, Any]:
    finding = result.finding
    known = {"pithead/v1": result.fingerprint}
    if not finding.line:
        # The upload makes this one out of the line. Without a line it would take the first of
        # the file, the same for all that is about the file.
        known["primaryLocationLineHash"] = result.fingerprint
    written: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": finding.severity,
        "message": {"text": finding.message[:_LONGEST] or finding.rule},
        "locations": [_location(finding)],
        "partialFingerprints": known,
    }
    if result.waiver:
        waiver = result.waiver
        justification = f"{waiver.reason} ({waiver.owner}, until {waiver.expires})"
        written["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": justification}
        ]
    return written


def _location(finding: Finding) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.path or _NO_FILE)}}
    if finding.line:
        physical["region"] = {"startLine": finding.line}
    location: dict[str, Any] = {"physicalLocation": physical}
    if finding.subject:
        location["logicalLocations"] = [{"name": finding.subject[:_LONGEST]}]
    return location
