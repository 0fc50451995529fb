"""Run cdk-nag on the app and apply the reviews of `pipeline.delivery.reviews`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from cdk_nag import AwsSolutionsChecks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from aws_cdk import App

    from pipeline.delivery.reviews import Review


@dataclass(frozen=True)
class NagResult:
    """Unreviewed findings of cdk-nag, and reviews that match no finding."""

    violations: tuple[tuple[str, str, str], ...]
    """Rule, construct path and description of each unreviewed finding."""
    unused: tuple[Review, ...]

    @property
    def unreviewed(self) -> tuple[str, ...]:
        """The violations, one line each."""
        return tuple(
            f"{rule} at {construct}: {description}"
            for rule, construct, description in self.violations
        )


def record(assembly: Path) -> None:
    """Record in an assembly that cdk-nag passed, as CDK does for its plugins.

    Whoever deploys the assembly can verify that cdk-nag was not skipped.
    """
    mine = {
        "pluginName": "AwsSolutions",
        "pluginVersion": version("cdk-nag"),
        "conclusion": "success",
        "violations": [],
    }
    schema = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))["version"]
    file = assembly / "validation-report.json"
    report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    others = report.get("pluginReports", [])
    report = {"version": schema, "title": "Validation Report", "pluginReports": [*others, mine]}
    file.write_text(json.dumps(report, indent=2), encoding="utf-8")


def record_unreviewed(assembly: Path, judgement: NagResult) -> None:
    """Record unreviewed findings in the assembly of an app that is not synthesised.

    `pipeline.gates.template.validation` reads them from there, to count them as findings.
    """
    violations = [
        {
            "ruleName": rule,
            "description": description,
            "violatingConstructs": [{"constructPath": construct}],
        }
        for rule, construct, description in judgement.violations
    ]
    report = {"pluginName": "AwsSolutions", "conclusion": "failure", "violations": violations}
    assembly.mkdir(parents=True, exist_ok=True)
    file = assembly / "validation-report.json"
    file.write_text(json.dumps({"pluginReports": [report]}, indent=2), encoding="utf-8")


def check(app: App, reviews: Iterable[Review]) -> NagResult:
    """Run cdk-nag's AwsSolutions rules on the app and match findings with reviews."""
    kept = tuple(reviews)
    report = AwsSolutionsChecks(app).validate_scope(app)
    found = [
        (violation.rule_name, str(resource.construct_path), violation.description)
        for violation in report.violations
        for resource in violation.violating_resources
    ]
    return NagResult(
        violations=tuple(
            sorted(
                (rule, construct, description)
                for rule, construct, description in found
                if not any(review.covers(rule, construct) for review in kept)
            )
        ),
        unused=tuple(
            review
            for review in kept
            if not any(review.covers(rule, construct) for rule, construct, _ in found)
        ),
    )
