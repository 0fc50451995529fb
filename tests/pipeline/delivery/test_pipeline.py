"""The synthesised pipeline, compared with the gates that a release must pass."""

from __future__ import annotations

import base64
import collections
import json
import re
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest

from environments.schema import load_all, load_home
from pipeline import app as pipeline_app
from pipeline.builds import bundle, commands, inputs
from pipeline.gates import synthesis
from pipeline.gates.supply_chain.attestation import sha256
from pipeline.gates.supply_chain.function_code import read as read_assembly
from pipeline.gates.supply_chain.published import describes
from pipeline.names import OVERRIDE_PARAMETER, PARALLEL_BUILDS, lookup_role, promoted_role

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def pipeline(assembly: Any) -> dict[str, Any]:
    properties: dict[str, Any] = assembly.delivery.only("AWS::CodePipeline::Pipeline")
    return properties


@pytest.fixture(scope="module")
def projects(assembly: Any) -> dict[str, dict[str, Any]]:
    """Each CodeBuild project by its step, with its buildspec parsed."""
    found = {}
    for properties in assembly.delivery.of_type("AWS::CodeBuild::Project").values():
        text = properties["Source"]["BuildSpec"]
        if text.endswith(".yaml"):
            text = (assembly.folder / text).read_text()
        step = properties["Description"].rsplit("/", 1)[-1]
        if step.startswith("Compares"):  # the only step that CDK Pipelines does not describe
            step = "Changes"
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
        ("Build", [["Synth"], ["Changes"]]),
        ("UpdatePipeline", [["SelfMutate"]]),
        ("Assets", [["FileAssets"]]),
        ("Verify", [["Infrastructure", "Security", "SupplyChain"]]),
        ("dev", [["files.Prepare"], ["files.Deploy"], ["Integration"]]),
        ("staging", [["files.Prepare"], ["files.Deploy"], ["Load"], ["Attest"]]),
        ("prod", [["Promotion"], ["files.Prepare"], ["files.Deploy"]]),
    ]


def test_the_maximum_of_concurrent_builds_is_declared(pipeline: dict[str, Any]) -> None:
    """`pithead preflight` compares an account's quota with it."""
    at_once = collections.Counter(
        (stage, action["RunOrder"])
        for stage, action in _actions(pipeline)
        if action["ActionTypeId"]["Provider"] == "CodeBuild"
    )
    assert max(at_once.values()) == PARALLEL_BUILDS


def test_the_pipeline_follows_its_branch_and_mutates_itself(pipeline: dict[str, Any]) -> None:
    home = load_home()
    source = pipeline["Stages"][0]["Actions"][0]
    assert pipeline["PipelineType"] == "V2"
    assert pipeline["RestartExecutionOnUpdate"] is True
    assert source["ActionTypeId"]["Provider"] == "CodeStarSourceConnection"
    assert source["Configuration"]["FullRepositoryId"] == home.repository
    assert source["Configuration"]["BranchName"] == home.branch
    assert source["Configuration"]["DetectChanges"] is True


def test_each_role_that_clones_the_repository_may_use_the_connection(
    assembly: Any, pipeline: dict[str, Any], projects: dict[str, dict[str, Any]]
) -> None:
    configuration = pipeline["Stages"][0]["Actions"][0]["Configuration"]
    assert configuration["OutputArtifactFormat"] == "CODEBUILD_CLONE_REF"
    connection = configuration["ConnectionArn"]
    # IAM requires the service name of the ARN.
    wanted = f"{connection.split(':')[2]}:UseConnection"
    allowed = set()
    for policy in assembly.delivery.of_type("AWS::IAM::Policy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if wanted in statement["Action"] and statement["Resource"] == connection:
                allowed |= {role["Ref"] for role in policy["Roles"]}
    cloning = {
        projects[action["Name"]]["ServiceRole"]["Fn::GetAtt"][0]
        for _, action in _actions(pipeline)
        if {"Name": "acme_pithead_Source"} in action.get("InputArtifacts", [])
    }
    assert len(cloning) >= 5
    source = pipeline["Stages"][0]["Actions"][0]["RoleArn"]["Fn::GetAtt"][0]
    assert allowed == cloning | {source}


def test_the_commit_itself_does_not_change_the_pipeline(assembly: Any) -> None:
    """Otherwise each release would restart the pipeline and lose stage rollback."""
    text = assembly.delivery.path.read_text()
    assert "c" * 40 not in text
    for template in assembly.services.values():
        assert "c" * 40 in template.path.read_text()


def test_the_gates_get_the_deployed_address(pipeline: dict[str, Any]) -> None:
    actions = {(stage, action["Name"]): action for stage, action in _actions(pipeline)}
    for stage, gate, names in (
        ("dev", "Integration", {"URL"}),
        ("staging", "Load", {"URL", "PROMOTED_URL", "PROMOTED_ALIAS"}),
    ):
        namespace = actions[stage, "files.Deploy"]["Namespace"]
        variables = json.loads(actions[stage, gate]["Configuration"]["EnvironmentVariables"])
        told = {each["name"]: each["value"] for each in variables}
        assert told.keys() == names
        assert told["URL"] == f"#{{{namespace}.Url}}"
        assert all(each.startswith(f"#{{{namespace}.") for each in told.values())


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


def test_there_are_no_more_builds_than_the_dependencies_need(
    projects: dict[str, dict[str, Any]],
) -> None:
    assert set(projects) == {
        "Synth", "SelfMutate", "FileAssets", "Security", "SupplyChain", "Integration", "Load",
        "Attest", "Promotion", "Infrastructure", "Changes",
    }  # fmt: skip


def test_each_build_has_a_timeout_log_retention_and_encryption(
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
            if re.search(r"\bpip\b", command):
                assert "--require-hashes" in command, command


def test_the_unit_tests_and_synthesis_are_required(projects: dict[str, dict[str, Any]]) -> None:
    spec = projects["Synth"]["spec"]
    (side_by_side,) = spec["phases"]["build"]["commands"]
    assert "pipeline.gates.unit --promoted &" in side_by_side
    assert "pipeline.gates.synthesis -c connection-arn=" in side_by_side
    assert "-c bundle=linux-arm64" in side_by_side
    assert spec["reports"] == {"unit": {"files": ["unit.xml"], "base-directory": "reports"}}


def test_synth_gets_the_digest_of_its_deployed_inputs(
    projects: dict[str, dict[str, Any]],
) -> None:
    """The gate that runs with the deployed command in the same checkout accepts them."""
    variables = projects["Synth"]["Environment"]["EnvironmentVariables"]
    assert [each["Name"] for each in variables] == ["CDK_VALIDATION", inputs.PROVED]
    (line,) = projects["Synth"]["spec"]["phases"]["build"]["commands"]
    (program,) = (each for each in commands.run(line) if each.startswith("synthesis"))
    context = synthesis.given(program.split(" ")[1:])
    assert variables[-1] == {
        "Name": inputs.PROVED,
        "Type": "PLAINTEXT",
        "Value": inputs.digest(ROOT, context),
    }
    for step, project in projects.items():
        assert (inputs.PROVED in json.dumps(project)) == (step == "Synth"), step


def test_changed_inputs_change_only_the_synth_project(
    assembly: Any, context: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Any other change would restart each execution that changes an input."""
    monkeypatch.setattr(inputs, "digest", lambda _root, _context: "0" * 64)
    made_up = tmp_path / "bundle.zip"
    with zipfile.ZipFile(made_up, "w") as archive:
        archive.writestr("handler.py", "")
    monkeypatch.setattr(bundle, "build", lambda _platform: made_up)
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "c" * 40)
    app = cdk.App(context=context, outdir=str(tmp_path / "cdk.out"), analytics_reporting=True)
    pipeline_app.synthesise(app)
    app.synth()
    template = json.loads((tmp_path / "cdk.out" / "Pithead.template.json").read_text())
    changed = {
        name
        for name, resource in template["Resources"].items()
        if resource != assembly.delivery.resources[name]
    }
    assert {template["Resources"][each]["Type"] for each in changed} == {"AWS::CodeBuild::Project"}
    assert len(changed) == 1


def test_a_release_is_compared_by_the_deployed_gate(
    assembly: Any, projects: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """No code, tool or setting of the commit under test is used."""
    commands = projects["Changes"]["spec"]["phases"]["install"]["commands"]
    there = next(n for n, each in enumerate(commands) if each.endswith("cd .deployed"))
    _git(tmp_path, "clone", "--quiet", str(ROOT), "checkout")
    checkout = tmp_path / "checkout"
    deployed = _git(checkout, "rev-parse", "HEAD")
    for path in ("pipeline/gates/changes.py", ".deployed/pipeline/gates/changes.py"):
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text("raise SystemExit(0)\n")
    (checkout / "pipeline" / "waivers.toml").write_text("# mine\n")
    _git(checkout, "add", "--all", "--force")
    _git(checkout, "commit", "--quiet", "--message", "no comparison")
    script = "\n".join(["set -e", *commands[: there + 1], "pwd"])
    done = subprocess.run(
        ["sh", "-c", script], cwd=checkout, check=True, capture_output=True, text=True
    )
    laid = checkout / ".deployed"
    assert done.stdout.strip() == str(laid)
    expected = _git(checkout, "show", f"{deployed}:pipeline/gates/changes.py")
    assert (laid / "pipeline" / "gates" / "changes.py").read_text().strip() == expected
    assert (laid / "pipeline" / "waivers.toml").read_text() == "# mine\n"
    assert (laid / "uv.toml").read_text() == ""
    (gate,) = projects["Changes"]["spec"]["phases"]["build"]["commands"]
    assert gate == (
        '.venv/bin/python -m pipeline.gates.changes --checkout "$CODEBUILD_SRC_DIR" '
        '"$CODEBUILD_SRC_DIR_Synth_Output"'
    )


def test_a_history_without_the_deployed_gates_commit_fails_the_comparison(
    projects: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    _git(tmp_path, "init", "--quiet", "other")
    commands = projects["Changes"]["spec"]["phases"]["install"]["commands"]
    script = "\n".join(["set -e", *commands])
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path / "other", check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "deploy the pipeline's stack anew from a reviewed commit" in done.stdout


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Team", "-c", "user.email=team@localhost")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(("unit", "synth"), [(0, 0), (0, 1), (1, 0), (2, 1)])
def test_a_failing_gate_fails_the_build(
    projects: dict[str, dict[str, Any]], tmp_path: Path, unit: int, synth: int
) -> None:
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    python = f'case "$2" in pipeline.gates.unit) exit {unit};; *) exit {synth};; esac'
    (tools / "python").write_text(f"#!/bin/sh\n{python}\n")
    (tools / "python").chmod(0o755)
    (command,) = projects["Synth"]["spec"]["phases"]["build"]["commands"]
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False)
    assert (done.returncode == 0) == (unit == synth == 0)


def test_the_reports_of_gates_are_kept_as_artifacts(
    pipeline: dict[str, Any], projects: dict[str, dict[str, Any]], assembly: Any
) -> None:
    actions = {action["Name"]: action for _, action in _actions(pipeline)}
    for gate in (
        "Security", "SupplyChain", "Infrastructure", "Integration", "Load", "Attest", "Promotion",
    ):  # fmt: skip
        assert projects[gate]["spec"]["artifacts"]["base-directory"] == "reports"
        assert len(actions[gate]["OutputArtifacts"]) == 1
    bucket = assembly.delivery.only("AWS::S3::Bucket")
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 90
    assert pipeline["ArtifactStore"]["EncryptionKey"]["Type"] == "KMS"


def test_only_the_audit_may_read_the_override(assembly: Any) -> None:
    readers = [
        name
        for name, policy in assembly.delivery.of_type("AWS::IAM::Policy").items()
        if "ssm:" in json.dumps(policy)
    ]
    assert len(readers) == 1
    assert "SupplyChain" in readers[0]
    assert f"parameter{OVERRIDE_PARAMETER}" in json.dumps(assembly.delivery.resources[readers[0]])


def test_a_build_that_runs_commit_code_may_assume_only_these_roles(assembly: Any) -> None:
    """CDK's own steps may assume others: self-mutation and asset publishing."""
    assuming = {
        re.sub(r"DefaultPolicy.*", "", name): statement
        for name, policy in assembly.delivery.of_type("AWS::IAM::Policy").items()
        for statement in policy["PolicyDocument"]["Statement"]
        if "sts:AssumeRole" in json.dumps(statement)
    }
    for comparing in ("PipelineVerifyInfrastructureRole", "PipelineChangesRole"):
        look = assuming.pop(comparing)
        assert look["Resource"] == [
            lookup_role(each.account, each.region) for each in load_all().values()
        ]
    # To find the release that serves prod, to serve it beside the measured one, and to read
    # Lambda's throttles of both.
    staging, prod = (load_all()[name] for name in ("staging", "prod"))
    choice = assuming.pop("PipelinestagingLoadRole")
    assert set(choice["Resource"]) == {
        lookup_role(prod.account, prod.region),
        lookup_role(staging.account, staging.region),
        f"arn:aws:iam::{staging.account}:role/{promoted_role('staging')}",
    }
    dev = load_all()["dev"]
    integration = assuming.pop("PipelinedevIntegrationRole")
    assert integration["Resource"] == lookup_role(dev.account, dev.region)
    assert assuming.keys() == {
        "PipelineRole",
        "PipelineUpdatePipelineSelfMutationRole",
        "PipelineAssetsFileRole",
    }


def test_the_comparison_may_read_the_pipelines_own_template_and_no_other(assembly: Any) -> None:
    statements = [
        statement
        for policy in assembly.delivery.of_type("AWS::IAM::Policy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if "cloudformation:GetTemplate" in statement["Action"]
    ]
    assert [each["Resource"] for each in statements] == [{"Ref": "AWS::StackId"}]


def test_the_pipeline_itself_cannot_be_deleted_by_mistake(assembly: Any) -> None:
    manifest = json.loads((assembly.folder / "manifest.json").read_text())
    assert manifest["artifacts"]["Pithead"]["properties"]["terminationProtection"] is True


def test_cdk_assets_can_read_the_synthesised_assembly(assembly: Any) -> None:
    """cdk-assets 4.7.3 reads assemblies up to schema 54; a newer aws-cdk-lib writes others."""
    manifest = json.loads((assembly.folder / "manifest.json").read_text())
    assert int(manifest["version"].split(".")[0]) <= 54


def test_only_the_attest_step_signs_and_only_the_comparisons_verify(assembly: Any) -> None:
    users = {
        action: {
            re.sub(r"DefaultPolicy.*", "", name)
            for name, policy in assembly.delivery.of_type("AWS::IAM::Policy").items()
            if action in json.dumps(policy)
        }
        for action in ("kms:Sign", "kms:Verify", "codepipeline:ListActionExecutions")
    }
    comparing = {"PipelineBuildSynthCdkBuildProjectRole", "PipelinedevIntegrationRole"}
    assert users == {
        "kms:Sign": {"PipelinestagingAttestRole"},
        "kms:Verify": {"PipelineprodPromotionRole", *comparing},
        "codepipeline:ListActionExecutions": comparing,
    }


def test_gates_that_run_tests_compare_test_counts_and_are_attested(
    pipeline: dict[str, Any], projects: dict[str, dict[str, Any]], assembly: Any
) -> None:
    (integration,) = projects["Integration"]["spec"]["phases"]["build"]["commands"][-1:]
    assert "pipeline.gates.integration --promoted" in integration
    actions = {action["Name"]: action for _, action in _actions(pipeline)}
    outputs = {each["Name"] for each in actions["Synth"]["OutputArtifacts"]}
    inputs = {each["Name"] for each in actions["Integration"]["InputArtifacts"]}
    (reports,) = outputs & inputs
    secondary = projects["Synth"]["spec"]["artifacts"]["secondary-artifacts"]
    assert secondary[reports]["base-directory"] == "reports"
    # CDK grants each build read access to all of the artifacts' bucket.
    bucket = next(iter(assembly.delivery.of_type("AWS::S3::Bucket")))
    for role in ("PipelineBuildSynthCdkBuildProjectRole", "PipelinedevIntegrationRole"):
        (policy,) = (
            each
            for name, each in assembly.delivery.of_type("AWS::IAM::Policy").items()
            if name.startswith(role)
        )
        readable = [
            json.dumps(statement["Resource"])
            for statement in policy["PolicyDocument"]["Statement"]
            if "s3:GetObject*" in statement["Action"]
        ]
        assert any(bucket in each and "/*" in each for each in readable), role


def test_an_action_has_at_most_five_input_artifacts(pipeline: dict[str, Any]) -> None:
    """CodeBuild's limit ("Action structure reference")."""
    for stage, action in _actions(pipeline):
        assert len(action.get("InputArtifacts", [])) <= 5, (stage, action["Name"])


def test_the_attest_step_gets_the_results_of_every_required_gate(
    pipeline: dict[str, Any], projects: dict[str, dict[str, Any]]
) -> None:
    """Each gate of earlier stages reaches it, directly or with another gate's reports."""
    made_by = {
        output["Name"]: action["Name"]
        for _, action in _actions(pipeline)
        for output in action.get("OutputArtifacts", [])
    }
    given = {
        action["Name"]: {made_by[each["Name"]] for each in action.get("InputArtifacts", [])}
        for _, action in _actions(pipeline)
    }
    reached: set[str] = set()
    left = ["Attest"]
    while left:
        reached |= (fresh := given[left.pop()] - reached)
        left += fresh
    gates = {
        gate
        for step in reached
        for command in projects.get(step, {"spec": _NOTHING})["spec"]["phases"]["build"]["commands"]
        for gate in re.findall(r"pipeline\.gates\.(\w+)", command)
    }
    assert gates >= set(load_home().supply_chain.attested_gates)


_NOTHING: dict[str, Any] = {"phases": {"build": {"commands": []}}}


def test_prods_assets_have_an_sbom_and_versions_bound_to_their_hashes(assembly: Any) -> None:
    """The gates' own checks, applied to the CDK's output."""
    for environment, template in assembly.services.items():
        deployed = read_assembly(assembly.folder, environment)
        bound = [code for code in deployed.code if code.pinned]
        assert len(bound) == 1
        digest = sha256(bound[0].file)
        assert bytes.fromhex(digest) == base64.b64decode(bound[0].pinned[0])
        assert any(describes(file.read_bytes(), digest) for file in deployed.files)
        assert '"Sbom"' in template.path.read_text()
