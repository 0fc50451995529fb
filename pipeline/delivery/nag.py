"""cdk-nag over the whole app; see `pipeline.delivery.reviews` for findings that stay."""

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
class Judgement:
    """What cdk-nag found that nobody reviewed, a line each, and reviews that speak of nothing."""

    violations: tuple[tuple[str, str, str], ...]
    """Rule, construct path and description of each unreviewed finding."""
    unused: tuple[Review, ...]

    @property
    def unreviewed(self) -> tuple[str, ...]:
        """The violations, a line each."""
        return tuple(
            f"{rule} at {construct}: {description}"
            for rule, construct, description in self.violations
        )


def record(assembly: Path) -> None:
    """Leave in an assembly that all of it was judged and reviewed, as CDK does for its plugins.

    Whoever deploys the assembly may then see that nobody went past cdk-nag.
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


def record_unreviewed(assembly: Path, judgement: Judgement) -> None:
    """Write the unreviewed findings into an assembly that is not synthesised because of them.

    The gates read them from there (`pipeline.gates.template.validation`), to count them as
    findings.
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


def check(app: App, reviews: Iterable[Review]) -> Judgement:
    """Hold the whole app against cdk-nag's AwsSolutions rules, and the findings against reviews."""
    kept = tuple(reviews)
    report = AwsSolutionsChecks(app).validate_scope(app)
    found = [
        (violation.rule_name, str(resource.construct_path), violation.description)
        for violation in report.violations
        for resource in violation.violating_resources
    ]
    return Judgement(
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
