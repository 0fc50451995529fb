from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates.template import assembly
from pipeline.gates.template.assembly import AssemblyError, Asset, LookupRole

if TYPE_CHECKING:
    from pathlib import Path

TOPIC = {"Topic": {"Type": "AWS::SNS::Topic"}}


def test_stacks_of_stages_and_nested_ones_are_read(written: Any) -> None:
    inner = type(written)(written.folder / "assembly-prod")
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Metadata": {"aws:asset:path": "inner.nested.template.json"},
    }
    role = {"arn": "arn:${AWS::Partition}:iam::2:role/lookup", "assumeRoleExternalId": "e"}
    inner.stack({"Nested": nested}, "prod-files", lookupRole=role)
    (inner.folder / "inner.nested.template.json").write_text(json.dumps({"Resources": TOPIC}))
    written.artifacts["assembly-prod"] = {
        "type": "cdk:cloud-assembly",
        "properties": {"directoryName": "assembly-prod"},
    }
    stacks = {each.name: each for each in assembly.read(written.stack(TOPIC, "Pipe").folder)}
    assert stacks.keys() == {"Pipe", "prod-files", "prod-files/Nested"}
    prod = stacks["prod-files"]
    assert (prod.account, prod.region) == ("222222222222", "eu-west-1")
    assert prod.path == "cdk.out/assembly-prod/prod-files.template.json"
    assert prod.lookup_role == LookupRole("arn:${AWS::Partition}:iam::2:role/lookup", "e")
    assert stacks["prod-files/Nested"].parent == "prod-files"
    assert stacks["prod-files/Nested"].template.resources.keys() == {"Topic"}
    assert stacks["Pipe"].lookup_role is None


def test_a_stage_has_its_own_stacks_and_assets(written: Any) -> None:
    for stage in ("dev", "prod"):
        inner = type(written)(written.folder / f"assembly-{stage}")
        inner.artifacts["assets"] = {
            "type": "cdk:asset-manifest",
            "properties": {"file": "files.assets.json"},
        }
        inner.stack(TOPIC, "files")
        asset = {
            "source": {"path": f"../asset.{stage}"},
            "destinations": {"a": {"objectKey": f"{stage}.zip"}, "b": {"objectKey": "same.zip"}},
        }
        document = json.dumps({"files": {"one": asset}})
        (inner.folder / "files.assets.json").write_text(document)
        written.artifacts[f"assembly-{stage}"] = {
            "type": "cdk:cloud-assembly",
            "properties": {"directoryName": f"assembly-{stage}", "displayName": f"Pithead/{stage}"},
        }
    root = written.stack(TOPIC, "Pipe").folder
    assert {each.stage for each in assembly.read(root)} == {"", "Pithead/dev", "Pithead/prod"}
    file = (root / "asset.prod").resolve()
    assert assembly.assets(root, "Pithead/prod") == (
        Asset("prod.zip", file), Asset("same.zip", file),
    )  # fmt: skip
    assert assembly.assets(root, "Pithead/staging") == ()
    (root / "assembly-prod" / "files.assets.json").unlink()
    with pytest.raises(
        AssemblyError, match=r"assembly-prod/files\.assets\.json: the file is missing"
    ):
        assembly.assets(root, "Pithead/prod")


def test_findings_name_a_template_the_same_wherever_the_assembly_lies(
    written: Any, tmp_path: Path
) -> None:
    written.stack(TOPIC)
    elsewhere = written.folder.rename(tmp_path / "assembly")
    (stack,) = assembly.read(elsewhere)
    assert stack.path == "cdk.out/files.template.json"


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("manifest.json", None, "cdk.out/manifest.json: the file is missing; synthesise the app"),
        ("manifest.json", "{", "cdk.out/manifest.json: no JSON"),
        ("manifest.json", "[]", "cdk.out: not as CDK writes it"),
        ("manifest.json", '{"artifacts": {}}', "cdk.out/manifest.json: found no stack"),
        ("manifest.json", '{"artifacts": {"a": {}}}', "cdk.out: not as CDK writes it"),
        ("files.template.json", None, "cdk.out/files.template.json: the file is missing"),
        ("files.template.json", "{}", "cdk.out/files.template.json: Resources: found no object"),
    ],
)
def test_an_incomplete_assembly_is_an_error(
    written: Any, file: str, content: str | None, why: str
) -> None:
    path = written.stack(TOPIC).folder / file
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(AssemblyError, match=why):
        assembly.read(written.folder)
