from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates import cfn_lint, gate
from pipeline.gates.report import waivers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOME, PROD, REGION = "111111111111", "444444444444", "eu-west-1"
FILES = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "files"}}


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cache cfn-lint's clean templates in a temporary folder, not in the checkout."""
    folder = tmp_path / "clean"
    monkeypatch.setattr(cfn_lint, "CLEAN", folder)
    return folder


@pytest.fixture
def assembly(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of an assembly with stacks by name; `violations` are cdk-nag's."""

    def write(violations: list[dict[str, Any]] | None = None, **stacks: dict[str, Any]) -> Path:
        folder = tmp_path / "cdk.out"
        folder.mkdir(exist_ok=True)
        artifacts = {}
        for name, resources in stacks.items():
            account = HOME if name == "Pithead" else PROD
            file = f"{name}.template.json"
            (folder / file).write_text(json.dumps({"Resources": resources}))
            role = f"arn:${{AWS::Partition}}:iam::{account}:role/lookup"
            artifacts[name] = {
                "type": "aws:cloudformation:stack",
                "environment": f"aws://{account}/{REGION}",
                "properties": {
                    "templateFile": file,
                    "lookupRole": {"arn": role},
                    "terminationProtection": name == "Pithead",
                },
            }
        (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
        report = {"pluginName": "AwsSolutions", "violations": violations or []}
        (folder / "validation-report.json").write_text(json.dumps({"pluginReports": [report]}))
        return folder

    return write


@pytest.fixture
def report(reports: Path) -> Callable[[str], dict[str, Any]]:
    """Return a reader of a gate's summary."""

    def read(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((reports / f"{name}.json").read_text())
        return found

    return read


@pytest.fixture
def waive(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a writer of a waiver."""
    monkeypatch.setattr(waivers, "NAMES", ("changes", "infrastructure"))

    def write(**keys: str) -> None:
        lines = [
            "[[waiver]]",
            'reason = "somebody has looked at it"',
            'owner = "a"',
            "expires = 2999-01-01",
        ]
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        gate.WAIVERS.write_text("\n".join(lines))

    return write
