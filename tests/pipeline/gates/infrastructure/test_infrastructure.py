from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates import cfn_lint, gate, infrastructure
from pipeline.gates.gate import ROOT
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOPIC = {"Topic": {"Type": "AWS::SNS::Topic"}}
OPEN = {
    "Files": {"Type": "AWS::S3::Bucket"},
    "Policy": {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": "Files"},
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": "*",
                        "Action": "s3:GetObject",
                        "Resource": {"Fn::Sub": "${Files.Arn}/*"},
                    }
                ],
            },
        },
    },
}


def _program(folder: Path, says: str, status: int = 0) -> Path:
    """Return a fake cfn-lint with this output."""
    file = folder / "cfn-lint"
    file.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\nexit {status}\n")
    file.chmod(0o755)
    return file


def test_a_clean_assembly_passes_and_the_summary_names_the_tools(
    assembly: Callable[..., Path], report: Callable[[str], dict[str, Any]], reports: Path
) -> None:
    folder = assembly(Pithead=TOPIC, prod=TOPIC | {"Other": {"Type": "AWS::SNS::Topic"}})
    assert gate.main("infrastructure", lambda: infrastructure.run(folder)) == 0
    told = report("infrastructure")
    assert told["status"] == "passed"
    assert told["details"]["stacks"] == ["Pithead", "prod"]
    tools = told["details"]["tools"]
    assert (tools["cfn-lint"]["scanned"], tools["cfn-lint"]["clean"]) == (2, 0)
    assert tools["pithead-lint"]["scanned"] == 2
    assert tools["cdk-nag"] == {"plugins": ["AwsSolutions"]}
    assert {"PH101", "PH301", "PH402"} <= told["details"]["rules"].keys()
    runs = json.loads((reports / "infrastructure.sarif").read_text())["runs"]
    assert [run["tool"]["driver"]["name"] for run in runs] == [
        "cdk-nag", "cfn-lint", "pithead-lint",
    ]  # fmt: skip


def test_each_of_the_three_tools_can_refuse(assembly: Callable[..., Path]) -> None:
    wrong = {"Wrong": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayNam": "x"}}}
    violation = {
        "ruleName": "AwsSolutions-S1",
        "description": "no logs",
        "severity": "error",
        "violatingConstructs": [{"constructPath": "App/Bucket"}],
    }
    outcome = infrastructure.run(assembly([violation], prod=OPEN | wrong))
    assert outcome.status == "refused"
    assert {(each.tool, each.rule, each.subject) for each in outcome.findings} == {
        ("cdk-nag", "AwsSolutions-S1", "App/Bucket"),
        ("cfn-lint", "E3002", "Resources.Wrong.Properties.DisplayNam"),
        ("pithead-lint", "PH402", "${Files} s3:GetObject"),
    }


def test_a_waived_finding_passes_and_its_fingerprint_is_the_same_elsewhere(
    assembly: Callable[..., Path], waive: Callable[..., None], tmp_path: Path
) -> None:
    folder = assembly(prod=OPEN)
    (finding,) = infrastructure.run(folder).findings
    waive(gate="infrastructure", rule="PH402", fingerprint=finding.fingerprint)
    elsewhere = folder.rename(tmp_path / "assembly")
    assert gate.main("infrastructure", lambda: infrastructure.run(elsewhere)) == 0


@pytest.mark.parametrize("file", ["manifest.json", "prod.template.json", "validation-report.json"])
def test_without_a_part_of_the_assembly_it_could_not_run(
    file: str, assembly: Callable[..., Path]
) -> None:
    folder = assembly(prod=TOPIC)
    (folder / file).unlink()
    with pytest.raises(CouldNotRunError, match=f"cdk.out/{file}"):
        infrastructure.run(folder)


class TestCfnLint:
    """A template that cfn-lint found clean is not linted again; any failure refuses."""

    def test_a_clean_template_is_not_linted_again(
        self, assembly: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(cfn_lint, "PROGRAM", _program(tmp_path, "[]"))

        def read(**stacks: Any) -> int:
            tools = infrastructure.run(assembly(**stacks)).details["tools"]
            return int(tools["cfn-lint"]["scanned"])

        def function(commit: str, used: str) -> dict[str, Any]:
            return {
                f"Version{commit}": {"Type": "AWS::Lambda::Version"},
                "Alias": {"Type": "AWS::Lambda::Alias", "Properties": {"V": {"Ref": used}}},
            }

        one, other = "a" * 40, "b" * 40
        assert read(prod=function(one, f"Version{one}")) == 1
        # Another commit has the same template; the digest must not mix two commits.
        assert read(prod=function(other, f"Version{other}")) == 0
        assert read(prod=function(other, f"Version{one}")) == 1
        assert read(prod=function(other, f"Version{other}")) == 1  # only the last ones are kept

    def test_a_template_with_a_finding_is_not_cached(
        self, assembly: Callable[..., Path], clean: Path
    ) -> None:
        wrong = {"Wrong": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayNam": "x"}}}
        folder = assembly(prod=wrong, Pithead=TOPIC)
        assert infrastructure.run(folder).status == "refused"
        assert len(list(clean.iterdir())) == 1
        assert infrastructure.run(folder).status == "refused"

    def test_the_cache_key_includes_cfn_lints_settings_and_version(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = cfn_lint.digest("{}")
        with monkeypatch.context() as patch:
            patch.setattr(cfn_lint, "version", lambda _name: "0")
            assert cfn_lint.digest("{}") != before
        with monkeypatch.context() as patch:
            patch.setattr(cfn_lint, "_SETTINGS", ROOT / "pyproject.toml")
            assert cfn_lint.digest("{}") != before
        assert cfn_lint.digest("{}") == before

    @pytest.mark.parametrize(
        ("says", "status", "why"),
        [
            ("", 0, "cfn-lint wrote no report"),
            ("Traceback: boom", 1, "cfn-lint wrote no report: Traceback: boom"),
            ('[{"Filename": "x"}]', 2, "cfn-lint wrote no report"),
            ('{"a": 1}', 0, "cfn-lint wrote no report"),
        ],
    )
    def test_invalid_output_of_cfn_lint_refuses(
        self,
        says: str,
        status: int,
        why: str,
        assembly: Callable[..., Path],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        monkeypatch.setattr(cfn_lint, "PROGRAM", _program(tmp_path, says, status))
        with pytest.raises(CouldNotRunError, match=why):
            infrastructure.run(assembly(prod=TOPIC))

    def test_without_cfn_lint_the_gate_could_not_run(
        self, assembly: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(cfn_lint, "PROGRAM", tmp_path / "nowhere")
        with pytest.raises(CouldNotRunError, match="cfn-lint is missing"):
            infrastructure.run(assembly(prod=TOPIC))

    def test_cfn_lint_has_a_timeout(
        self, assembly: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        fifo = tmp_path / "never"
        os.mkfifo(fifo)
        program = tmp_path / "cfn-lint"
        program.write_text(f"#!/bin/sh\nexec cat {fifo}\n")
        program.chmod(0o755)
        monkeypatch.setattr(cfn_lint, "PROGRAM", program)
        monkeypatch.setattr(cfn_lint, "_TIMEOUT_SECONDS", 0.2)
        with pytest.raises(CouldNotRunError, match="cfn-lint did not end within"):
            infrastructure.run(assembly(prod=TOPIC))
