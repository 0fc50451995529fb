"""Findings as SARIF 2.1.0, which GitHub's code scanning and editors read.

Sources: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; GitHub, "SARIF
support for code scanning", for the properties that it supports.
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
_MAX_RESULTS = 5000
"""Results of a run: code scanning shows 5,000, and rejects more than 25,000."""
_MAX_TEXT_CHARACTERS = 1000
"""Characters of a text by a tool, which has no limit of its own."""
_DEFAULT_PATH = "pyproject.toml"
"""Place of findings without a file; code scanning rejects results without one."""


def document(gate: str, results: Sequence[Result], tools: Iterable[str] = ()) -> str:
    """Return a gate's SARIF log, with one run per tool, also without findings.

    A run without results closes the tool's earlier alerts. Each run has at most 5,000 results,
    errors first, and the number of all.
    """
    by_tool: dict[str, list[Result]] = {tool: [] for tool in sorted(tools)}
    for each in results:
        by_tool.setdefault(each.finding.tool, []).append(each)
    runs = [_run(gate, tool, found) for tool, found in by_tool.items()]
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": runs}, indent=1)


def _run(gate: str, tool: str, results: list[Result]) -> dict[str, Any]:
    written = sorted(results, key=_order)[:_MAX_RESULTS]
    rules = sorted({each.finding.rule for each in written})
    index = {rule: number for number, rule in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {"driver": {"name": tool, "rules": [{"id": rule} for rule in rules]}},
        # One category for each gate's tool: an upload closes missing alerts of its category.
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
        # The upload computes this fingerprint from the line. Without a line it would use the first
        # line of the file, the same for all findings about the file.
        known["primaryLocationLineHash"] = result.fingerprint
    written: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": finding.severity,
        "message": {"text": finding.message[:_MAX_TEXT_CHARACTERS] or finding.rule},
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
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.path or _DEFAULT_PATH)}}
    if finding.line:
        physical["region"] = {"startLine": finding.line}
    location: dict[str, Any] = {"physicalLocation": physical}
    if finding.subject:
        location["logicalLocations"] = [{"name": finding.subject[:_MAX_TEXT_CHARACTERS]}]
    return location
