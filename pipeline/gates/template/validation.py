"""What the app's validation plugins, cdk-nag above all, said while it was synthesised.

CDK writes `validation-report.json` ("Policy validation at synthesis time"); an assembly without
one was judged by nobody.
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
    """The reports of the plugins.

    Raises:
        AssemblyError: there is none.
    """
    file = folder / FILE
    try:
        reports = json.loads(file.read_text(encoding="utf-8"))["pluginReports"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssemblyError(f"{named(folder, file)}: no report of cdk-nag: {error!r}") from error
    if not reports:
        raise AssemblyError(f"{named(folder, file)}: no plugin has reported: cdk-nag did not run")
    return list(reports)


def findings(folder: Path) -> list[Finding]:
    """What the plugins found and nobody has reviewed.

    Raises:
        AssemblyError: see `plugins`.
    """
    return [each for report in plugins(folder) for each in _of(report)]


def of_refusal(folder: Path) -> list[Finding]:
    """Return the findings for which the app refused to be synthesised; none if it gave others."""
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
