"""Reports of a release's gates: exported by builds, or written by a local gate."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pipeline.gates.report.gate_report import (
    VARIABLE,
    GateReport,
    GateReportError,
    parse,
    parse_exported,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from console.aws.account import Aws

_MAX_BUILDS = 100
"""Limit of one `BatchGetBuilds` (CodeBuild API)."""


def report(path: Path) -> GateReport | None:
    """Return the report in a file; None if it is missing or invalid."""
    try:
        return parse(path.read_bytes())
    except (FileNotFoundError, GateReportError):
        return None


def reports_of_builds(aws: Aws, build_ids: Sequence[str]) -> tuple[GateReport, ...]:
    """Return the reports that ended builds exported, in the order of the builds.

    A build that failed before its gates, was stopped or timed out exported nothing.
    """
    codebuild = aws.client("codebuild")
    builds: dict[str, dict[str, Any]] = {}
    for first in range(0, len(build_ids), _MAX_BUILDS):
        asked = list(build_ids[first : first + _MAX_BUILDS])
        builds |= {each["id"]: each for each in codebuild.batch_get_builds(ids=asked)["builds"]}
    found: list[GateReport] = []
    for build_id in build_ids:
        exported = builds.get(build_id, {}).get("exportedEnvironmentVariables", [])
        for variable in exported:
            if variable["name"] == VARIABLE:
                with suppress(GateReportError):  # a pipeline with another version's gates
                    found += parse_exported(variable["value"])
    return tuple(found)
