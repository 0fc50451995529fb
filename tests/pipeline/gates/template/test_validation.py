from __future__ import annotations

import json
from typing import TYPE_CHECKING

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks

from pipeline.gates.template import validation
from pipeline.gates.template.assembly import AssemblyError

if TYPE_CHECKING:
    from pathlib import Path


def test_cdk_nag_findings_are_read_from_the_validation_report(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    s3.Bucket(cdk.Stack(app, "Careless"), "Bucket")
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    found = validation.findings(tmp_path)
    assert {(each.tool, each.rule, each.severity, each.subject) for each in found} == {
        ("cdk-nag", "AwsSolutions-S1", "error", "Careless/Bucket/Resource"),
        ("cdk-nag", "AwsSolutions-S10", "error", "Careless/Bucket/Resource"),
    }
    assert [each["pluginName"] for each in validation.plugins(tmp_path)] == ["AwsSolutions"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cdk.out/validation-report.json: no report of cdk-nag"),
        ("{", "cdk.out/validation-report.json: no report of cdk-nag"),
        ("{}", "cdk.out/validation-report.json: no report of cdk-nag"),
        (json.dumps({"pluginReports": []}), "no plugin has reported: cdk-nag did not run"),
    ],
)
def test_an_assembly_without_a_cdk_nag_report_is_not_clean(
    content: str | None, why: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / validation.FILE).write_text(content)
    with pytest.raises(AssemblyError, match=why):
        validation.findings(tmp_path)
