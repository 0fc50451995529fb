"""The synthesised pipeline, held against what a release must pass."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from environments.schema import load_all, load_home
from pipeline.names import OVERRIDE_PARAMETER, RAILS, alarm_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def pipeline(assembly: Any) -> dict[str, Any]:
    properties: dict[str, Any] = assembly.delivery.the("AWS::CodePipeline::Pipeline")
    return properties


@pytest.fixture(scope="module")
def projects(assembly: Any) -> dict[str, dict[str, Any]]:
    """Each CodeBuild project by its step, its buildspec read."""
    found = {}
    for properties in assembly.delivery.of_type("AWS::CodeBuild::Project").values():
        text = properties["Source"]["BuildSpec"]
        if text.endswith(".yaml"):
            text = (assembly.folder / text).read_text()
        step = properties["Description"].rsplit("/", 1)[-1]
        found[step] = {**properties, "spec": json.loads(text)}
    return found


def _actions(pipeline: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for stage in pipeline["Stages"]:
        for action in stage["Actions"]:
            yield stage["Name"], action


def test_a_commit_passes_each_stage_and_each_gate_in_order(pipeline: dict[str, Any]) -> None:
    stages = {
        stage["Name"]: [
            [a["Name"] for a in stage["Actions"] if a["RunOrder"] == order]
            for order in sorted({a["RunOrder"] for a in stage["Actions"]})
        ]
        for stage in pipeline["Stages"]
    }
    assert list(stages.items()) == [
        ("Source", [["acme_pithead"]]),
        ("Build", [["Synth"]]),
        ("UpdatePipeline", [["SelfMutate"]]),
        ("Assets", [["FileAssets"]]),
        ("Verify", [["Security", "SupplyChain"]]),
        ("dev", [["files.Prepare"], ["files.Deploy"], ["Integration"]]),
        ("staging", [["files.Prepare"], ["files.Deploy"], ["Load"]]),
        ("prod", [["Window"], ["files.Prepare"], ["files.Deploy"]]),
    ]


def test_it_follows_its_branch_and_changes_itself(pipeline: dict[str, Any]) -> None:
    home = load_home()
    source = pipeline["Stages"][0]["Actions"][0]
    assert pipeline["PipelineType"] == "V2"
    assert pipeline["RestartExecutionOnUpdate"] is True
    assert source["ActionTypeId"]["Provider"] == "CodeStarSourceConnection"
    assert source["Configuration"]["FullRepositoryId"] == home.repository
    assert source["Configuration"]["BranchName"] == home.branch
    assert source["Configuration"]["DetectChanges"] is True


def test_the_commit_itself_does_not_change_the_pipeline(assembly: Any) -> None:
    """Else each release would mutate the pipeline, restart it, and lose stage rollback."""
    text = assembly.delivery.path.read_text()
    assert "c" * 40 not in text
    for template in assembly.services.values():
        assert "c" * 40 in template.path.read_text()


def test_the_gates_are_told_the_address_that_was_deployed(pipeline: dict[str, Any]) -> None:
    actions = {(stage, action["Name"]): action for stage, action in _actions(pipeline)}
    for stage, gate in (("dev", "Integration"), ("staging", "Load")):
        namespace = actions[stage, "files.Deploy"]["Namespace"]
        variables = json.loads(actions[stage, gate]["Configuration"]["EnvironmentVariables"])
        assert [(v["name"], v["value"]) for v in variables] == [("URL", f"#{{{namespace}.Url}}")]


def test_each_environment_is_deployed_by_roles_of_its_own_account(
    pipeline: dict[str, Any],
) -> None:
    environments = load_all()
    for stage, action in _actions(pipeline):
        if action["ActionTypeId"]["Provider"] == "CloudFormation":
            account = environments[stage].account
            assert f"::{account}:role/" in re.sub(r'[\\",\[\]{} ]', "", json.dumps(action))
            assert account in json.dumps(action["RoleArn"])
    assert len({load_home().account} | {each.account for each in environments.values()}) == 4


def test_there_are_no_more_builds_than_the_order_of_work_needs(
    projects: dict[str, dict[str, Any]],
) -> None:
    assert set(projects) == {
        "Synth", "SelfMutate", "FileAssets", "Security", "SupplyChain", "Integration", "Load",
        "Window",
    }  # fmt: skip


def test_each_build_ends_keeps_its_log_a_while_and_encrypts(
    assembly: Any, projects: dict[str, dict[str, Any]]
) -> None:
    ((group, properties),) = assembly.delivery.of_type("AWS::Logs::LogGroup").items()
    assert properties["RetentionInDays"] == load_all()["prod"].function.log_retention_days
    for step, project in projects.items():
        assert project["TimeoutInMinutes"] == 20, step
        assert project["LogsConfig"]["CloudWatchLogs"]["GroupName"] == {"Ref": group}, step
        assert "EncryptionKey" in project, step
        assert project["Environment"]["PrivilegedMode"] is False, step


def test_each_tool_is_pinned(projects: dict[str, dict[str, Any]]) -> None:
    for step, project in projects.items():
        install = project["spec"]["phases"]["install"]
        assert install["runtime-versions"] == {"python": "3.13", "nodejs": "24"}, step
        for command in install["commands"]:
            if "npm install" in command:
                assert re.search(r" (aws-cdk|cdk-assets)@\d+\.\d+\.\d+$", command), command
            if "pip" in command:
                assert "--require-hashes" in command, command


def test_the_unit_tests_and_synthesis_have_to_pass(projects: dict[str, dict[str, Any]]) -> None:
    spec = projects["Synth"]["spec"]
    (command,) = spec["phases"]["build"]["commands"]
    assert "pipeline.gates.unit &" in command
    assert "-c bundle=linux-arm64" in command
    assert spec["reports"] == {"unit": {"files": ["unit.xml"], "base-directory": "reports"}}


@pytest.mark.parametrize(("unit", "synth"), [(0, 0), (0, 1), (1, 0), (2, 1)])
def test_one_that_fails_fails_the_build(
    projects: dict[str, dict[str, Any]], tmp_path: Path, unit: int, synth: int
) -> None:
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    for name, code in (("python", unit), ("cdk", synth)):
        (tools / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tools / name).chmod(0o755)
    (command,) = projects["Synth"]["spec"]["phases"]["build"]["commands"]
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False)
    assert (done.returncode == 0) == (unit == synth == 0)


def test_what_a_gate_found_is_kept(
    pipeline: dict[str, Any], projects: dict[str, dict[str, Any]], assembly: Any
) -> None:
    actions = {action["Name"]: action for _, action in _actions(pipeline)}
    for gate in ("Security", "SupplyChain", "Integration", "Load", "Window"):
        assert projects[gate]["spec"]["artifacts"]["base-directory"] == "reports"
        assert len(actions[gate]["OutputArtifacts"]) == 1
    bucket = assembly.delivery.the("AWS::S3::Bucket")
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 90
    assert pipeline["ArtifactStore"]["EncryptionKey"]["Type"] == "KMS"


def test_prod_bakes_under_its_guard_rails(pipeline: dict[str, Any]) -> None:
    prod = load_all()["prod"]
    stages = {stage["Name"]: stage for stage in pipeline["Stages"]}
    assert [name for name, stage in stages.items() if "OnSuccess" in stage] == ["prod"]
    (condition,) = stages["prod"]["OnSuccess"]["Conditions"]
    assert condition["Result"] == "ROLLBACK"
    assert [rule["Configuration"] for rule in condition["Rules"]] == [
        {
            "AlarmName": alarm_name("prod", rail),
            "AlarmStates": "ALARM",
            "WaitTime": str(prod.shift.bake_minutes),  # type: ignore[union-attr]  # it is a canary
        }
        for rail in RAILS
    ]
    assert {rule["RoleArn"].split(":")[4] for rule in condition["Rules"]} == {prod.account}


def test_only_the_audit_may_read_the_override(assembly: Any) -> None:
    readers = [
        name
        for name, policy in assembly.delivery.of_type("AWS::IAM::Policy").items()
        if "ssm:" in json.dumps(policy)
    ]
    assert len(readers) == 1
    assert "SupplyChain" in readers[0]
    assert f"parameter{OVERRIDE_PARAMETER}" in json.dumps(assembly.delivery.resources[readers[0]])


def test_no_build_that_runs_our_code_may_assume_a_role(assembly: Any) -> None:
    """Only CDK's own steps may: self-mutation and the publishing of assets."""
    assuming = {
        name
        for name, policy in assembly.delivery.of_type("AWS::IAM::Policy").items()
        if "sts:AssumeRole" in json.dumps(policy)
    }
    assert {re.sub(r"DefaultPolicy.*", "", name) for name in assuming} == {
        "PipelineRole",
        "PipelineUpdatePipelineSelfMutationRole",
        "PipelineAssetsFileRole",
    }


def test_the_pipeline_itself_cannot_be_deleted_by_mistake(assembly: Any) -> None:
    manifest = json.loads((assembly.folder / "manifest.json").read_text())
    assert manifest["artifacts"]["Pithead"]["properties"]["terminationProtection"] is True


def test_the_publisher_of_assets_can_read_what_was_synthesised(assembly: Any) -> None:
    """cdk-assets 4.7.3 reads assemblies up to schema 54; a newer aws-cdk-lib writes others."""
    manifest = json.loads((assembly.folder / "manifest.json").read_text())
    assert int(manifest["version"].split(".")[0]) <= 54
