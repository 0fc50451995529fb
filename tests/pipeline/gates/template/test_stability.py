"""PH601: whether two syntheses of the same sources produce the same assembly."""

from __future__ import annotations

import json
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates.template import stability

if TYPE_CHECKING:
    from pathlib import Path

BUCKET: dict[str, Any] = {"Files": {"Type": "AWS::S3::Bucket", "Properties": {"A": [{"b": 1}]}}}


@pytest.fixture
def twice(written: Any, tmp_path: Path) -> tuple[Path, Path]:
    """Two copies of the same assembly."""
    first = written.stack(BUCKET).folder
    (first / f"asset.{'0' * 64}").mkdir()
    (first / f"asset.{'0' * 64}" / "index.py").write_text("1")
    second = tmp_path / "again"
    shutil.copytree(first, second)
    return first, second


def _differences(twice: tuple[Path, Path]) -> list[tuple[str, str, str]]:
    found = stability.differences(*twice)
    assert {each.rule for each in found} <= {"PH601"}
    return [(each.path, each.subject, each.message.partition(";")[0]) for each in found]


def test_the_same_assembly_has_no_difference(twice: tuple[Path, Path]) -> None:
    (twice[1] / "synth.lock").write_text("")  # of the CLI
    assert _differences(twice) == []


@pytest.mark.parametrize(
    "name",
    [
        "performance-counters.json",  # CDK's timings, where a synthesis is slow (aws-cdk#38004)
        "tree.json",
        "files.metadata.json",
        "validation-report.json",
        "PitheadPipeline.dot",
        "assembly-Pithead-prod/performance-counters.json",
    ],
)
@pytest.mark.parametrize("both", [True, False])
def test_undeployed_files_may_differ(twice: tuple[Path, Path], name: str, *, both: bool) -> None:
    for number, folder in enumerate(twice[: 2 if both else 1]):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps({"seconds": number}))
    assert _differences(twice) == []


def test_manifests_may_differ_only_in_undeployed_parts(
    twice: tuple[Path, Path],
) -> None:
    manifest = json.loads((twice[1] / "manifest.json").read_text())
    (name, stack), *_ = manifest["artifacts"].items()
    stack["metadata"] = {"/files": [{"type": "aws:cdk:creationStack", "data": "elsewhere"}]}
    manifest["artifacts"]["Tree"] = {"type": "cdk:tree", "properties": {"file": "other.json"}}
    manifest["runtime"] = {"libraries": {"jsii-runtime": "another"}}
    (twice[1] / "manifest.json").write_text(json.dumps(manifest))
    assert _differences(twice) == []
    stack["properties"]["terminationProtection"] = "another"
    (twice[1] / "manifest.json").write_text(json.dumps(manifest))
    ((path, subject, _),) = _differences(twice)
    assert (path, subject) == ("cdk.out/manifest.json", f"{name}.properties.terminationProtection")


def test_a_buildspec_named_by_a_template_must_not_differ(twice: tuple[Path, Path]) -> None:
    project = {"Type": "AWS::CodeBuild::Project", "Properties": {"Source": {"BuildSpec": "b.yaml"}}}
    for folder, text in zip(twice, "12", strict=True):
        (folder / "files.template.json").write_text(json.dumps({"Resources": {"P": project}}))
        (folder / "b.yaml").write_text(text)
    ((path, _, _),) = _differences(twice)
    assert path == "cdk.out/b.yaml"


def test_a_changed_value_is_reported_with_both_values(twice: tuple[Path, Path]) -> None:
    other = json.loads(json.dumps(BUCKET))
    other["Files"]["Properties"]["A"][0]["b"] = 2
    (twice[1] / "files.template.json").write_text(json.dumps({"Resources": other}))
    (twice[1] / "manifest.json").write_text("{}")  # which only repeats the template
    assert _differences(twice) == [
        (
            "cdk.out/files.template.json",
            "Resources.Files.Properties.A.0.b",
            "two syntheses of the same sources differ at Resources.Files.Properties.A.0.b: 1 and 2",
        )
    ]


def test_a_manifest_change_that_follows_from_a_template_is_not_reported(
    twice: tuple[Path, Path],
) -> None:
    for folder, value in zip(twice, "ab", strict=True):
        template = {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"N": value}}}}
        (folder / "files.template.json").write_text(json.dumps(template))
        asset = {"files": {value * 64: {"source": {"path": "files.template.json"}}}}
        (folder / "files.assets.json").write_text(json.dumps(asset))
    ((_, subject, _),) = _differences(twice)
    assert subject == "Resources.T.Properties.N"


def test_the_subject_omits_hashes_in_keys(twice: tuple[Path, Path]) -> None:
    for folder, hash_ in zip(twice, ("a" * 64, "b" * 64), strict=True):
        asset = {"files": {hash_: {"displayName": "Function/Code"}}}
        (folder / "files.assets.json").write_text(json.dumps(asset))
        (folder / f"asset.{hash_}.zip").write_text(hash_)
    ((path, subject, _),) = _differences(twice)
    assert (path, subject) == ("cdk.out/files.assets.json", "files.…")


def test_an_assets_bytes_must_not_change_under_the_same_hash(twice: tuple[Path, Path]) -> None:
    for folder, content in zip(twice, ("one", "two"), strict=True):
        with zipfile.ZipFile(folder / f"asset.{'1' * 64}.zip", "w") as archive:
            archive.writestr("same.py", "same")
            archive.writestr("built.py", content)
    ((path, subject, message),) = _differences(twice)
    assert (path, subject) == ("cdk.out/asset.….zip", "built.py")
    assert message.endswith("differ at built.py, under the same hash")


def test_a_file_of_an_asset_is_compared_too(twice: tuple[Path, Path]) -> None:
    (twice[1] / f"asset.{'0' * 64}" / "index.py").write_text("2")
    ((path, _, message),) = _differences(twice)
    assert path == "cdk.out/asset.…/index.py"
    assert message == "two syntheses of the same sources differ"


def test_the_order_of_keys_is_a_difference(twice: tuple[Path, Path]) -> None:
    for folder, keys in zip(twice, ("AB", "BA"), strict=True):
        resources = {key: {"Type": "AWS::SNS::Topic"} for key in keys}
        (folder / "files.template.json").write_text(json.dumps({"Resources": resources}))
    ((_, _, message),) = _differences(twice)
    assert message == "two syntheses of the same sources differ in the order of their keys"


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_of_only_one_synthesis_is_reported(twice: tuple[Path, Path], which: int) -> None:
    (twice[which] / "more.template.json").write_text("{}")
    ((path, _, message),) = _differences(twice)
    assert (path, message) == (
        "cdk.out/more.template.json",
        "only one of two syntheses wrote it",
    )
