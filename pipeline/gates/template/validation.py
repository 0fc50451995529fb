"""Read the report of the app's validation plugins, such as cdk-nag.

CDK writes `validation-report.json` during synthesis ("Policy validation at synthesis time"). If an
assembly has no report, no plugin has checked it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.gates.report.findings import Finding
from pipeline.gates.template.assembly import AssemblyError, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "validation-report.json"
TOOL = "cdk-nag"


def plugins(folder: Path) -> list[dict[str, Any]]:
    """Return the reports of the plugins.

    Raises:
        AssemblyError: there is no report.
    """
    file = folder / FILE
    try:
        reports = json.loads(file.read_text(encoding="utf-8"))["pluginReports"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssemblyError(
            f"{named(folder, file)}: no report of cdk-nag: {error!r}; synthesise the app with it"
        ) from error
    if not reports:
        raise AssemblyError(
            f"{named(folder, file)}: no plugin has reported: cdk-nag did not run; synthesise the "
            "app with it"
        )
    return list(reports)


def findings(folder: Path) -> list[Finding]:
    """Return the findings of the plugins that have no review.

    Raises:
        AssemblyError: see `plugins`.
    """
    return [each for report in plugins(folder) for each in _of(report)]


def of_refusal(folder: Path) -> list[Finding]:
    """Return the findings that made the synthesis fail; none if it failed for another reason."""
    return findings(folder) if (folder / FILE).exists() else []


def _of(report: dict[str, Any]) -> Iterator[Finding]:
    for violation in report["violations"]:
        for construct in violation["violatingConstructs"]:
            yield Finding(
                tool=TOOL,
                rule=str(violation["ruleName"]),
                message=str(violation["description"]),
                severity="error" if violation.get("severity", "error") == "error" else "warning",
                subject=str(construct["constructPath"]),
            )
