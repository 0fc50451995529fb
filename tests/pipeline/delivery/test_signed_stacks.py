"""The synthesised app with and without a signing profile."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from environments.schema import load_all, load_home
from pipeline import app as pipeline_app
from pipeline.builds import bundle, code_signing
from pipeline.delivery import nag, reviews
from pipeline.gates.supply_chain import sbom
from pipeline.gates.supply_chain.attestation import release
from pipeline.gates.supply_chain.function_code import read

PROFILE = "arn:aws:signer:eu-west-1:111111111111:/signing-profiles/pithead/a1B2c3D4e5"
CONFIG, FUNCTION = "AWS::Lambda::CodeSigningConfig", "AWS::Lambda::Function"
ENVIRONMENTS = ("dev", "staging", "prod")


@dataclass(frozen=True)
class Signed:
    """A synthesis for AWS with a signing profile, as in the pipeline's Build."""

    app: cdk.App
    folder: Path
    copies: tuple[bytes, ...]
    """The bundles of the service, the judge and the journeys, signed."""

    def resources(self, environment: str = "") -> dict[str, dict[str, Any]]:
        inside = f"assembly-Pithead-{environment}" if environment else ""
        (path,) = (self.folder / inside).glob("*.template.json")
        found: dict[str, dict[str, Any]] = json.loads(path.read_text())["Resources"]
        return found


@pytest.fixture(scope="module")
def signed(
    tools: None, context: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Signed:
    """The sources' bundles with fake signed copies."""
    folder = tmp_path_factory.mktemp("bundles")
    bundles = tuple(
        Path(shutil.copy(each, folder / each.name)) for each in bundle.build_all("linux-arm64")
    )
    copies = []
    for each in bundles:
        copy = code_signing._copy(each, PROFILE)
        shutil.copyfile(each, copy)
        with copy.open("ab") as file:
            file.write(b"signature")  # after the zip, where readers ignore it
        copies.append(copy.read_bytes())
    home = load_home()
    policy = home.supply_chain.model_copy(update={"signing_profile_version": PROFILE})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "build_all", lambda _platform: bundles)
        patch.setattr(
            pipeline_app, "load_home", lambda: home.model_copy(update={"supply_chain": policy})
        )
        patch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "c" * 40)
        made = tmp_path_factory.mktemp("cdk.out")
        app = cdk.App(context=context | {"signed": PROFILE}, outdir=str(made))
        pipeline_app.synthesise(app)
    app.synth()
    return Signed(app, made, tuple(copies))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_function_accepts_only_signed_code(signed: Signed, environment: str) -> None:
    resources = signed.resources(environment)
    ((name, config),) = ((n, r) for n, r in resources.items() if r["Type"] == CONFIG)
    assert config["Properties"]["AllowedPublishers"] == {"SigningProfileVersionArns": [PROFILE]}
    assert config["Properties"]["CodeSigningPolicies"] == {
        "UntrustedArtifactOnDeployment": "Enforce"
    }
    # So that a rollback finds the previous code.
    assert name.endswith(PROFILE.rsplit("/", 1)[1])
    functions = [r["Properties"] for r in resources.values() if r["Type"] == FUNCTION]
    assert functions
    for each in functions:
        assert each["CodeSigningConfigArn"] == {"Fn::GetAtt": [name, "CodeSigningConfigArn"]}


def test_the_signed_copy_is_deployed_and_its_version_bound_to_its_hash(
    signed: Signed,
) -> None:
    for environment in ENVIRONMENTS:
        code = read(signed.folder, environment).code
        for each in code:
            assert each.file.read_bytes() in signed.copies
        (service,) = (each for each in code if each.pinned)
        wanted = base64.b64encode(hashlib.sha256(signed.copies[0]).digest()).decode()
        assert service.pinned == (wanted,)


def test_the_signed_copy_is_attested_with_its_sbom(signed: Signed) -> None:
    found = release(load_home(), "c" * 40, bundle.LOCK, signed.folder)
    digest = hashlib.sha256(signed.copies[0]).hexdigest()
    (service,) = (each for each in found.bundles if each.sbom)
    assert service.sha256 == digest


def test_the_build_signs_the_bundles_before_it_synthesises(signed: Signed) -> None:
    (project,) = (
        each["Properties"]
        for each in signed.resources().values()
        if each["Type"] == "AWS::CodeBuild::Project"
        and each["Properties"]["Description"].endswith("/Synth")
    )
    first, then = json.loads(project["Source"]["BuildSpec"])["phases"]["build"]["commands"]
    assert first == f".venv/bin/python -m pipeline.builds.code_signing {PROFILE} linux-arm64"
    assert f" -c signed={PROFILE} " in f"{then} "
    variables = {v["Name"]: v["Value"] for v in project["Environment"]["EnvironmentVariables"]}
    bucket = next(n for n, r in signed.resources().items() if r["Type"] == "AWS::S3::Bucket")
    assert variables[code_signing.BUCKET] == {"Ref": bucket}


def test_only_the_build_may_sign_and_only_with_this_profile_version(signed: Signed) -> None:
    resources = signed.resources()
    policies = {
        name: resource["Properties"]["PolicyDocument"]["Statement"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Policy"
    }
    (synth,) = (name for name, each in policies.items() if "signer:" in json.dumps(each))
    assert synth.startswith("PipelineBuildSynth")
    signing = [each for each in policies[synth] if "signer:" in json.dumps(each)]
    assert signing == [
        {
            "Action": "signer:StartSigningJob",
            "Condition": {"StringEquals": {"signer:ProfileVersion": "a1B2c3D4e5"}},
            "Effect": "Allow",
            "Resource": PROFILE.rsplit("/", 1)[0],
        },
        {
            "Action": "signer:DescribeSigningJob",
            "Effect": "Allow",
            "Resource": "arn:aws:signer:eu-west-1:111111111111:/signing-jobs/*",
        },
    ]
    # Signer reads and writes as the caller; CDK allows each build to do so in the bucket.
    allowed = {
        action
        for each in policies[synth]
        if "Artifacts" in json.dumps(each["Resource"]) or "ArtifactKey" in json.dumps(each)
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert allowed >= {"s3:GetObject*", "s3:PutObject", "s3:List*", "kms:Decrypt"}
    assert allowed & {"kms:GenerateDataKey*", "kms:GenerateDataKey"}


def test_cdk_nag_finds_only_reviewed_findings(signed: Signed) -> None:
    judgement = nag.check(signed.app, reviews.applicable(load_home(), load_all(), signed=True))
    assert (judgement.unreviewed, judgement.unused) == ((), ())


def test_without_a_signing_profile_unsigned_code_is_deployed(assembly: Any) -> None:
    for template in (assembly.delivery, *assembly.services.values()):
        # The record in prod's metadata lists the files of the gates' code.
        text = json.dumps(json.loads(template.path.read_text())["Resources"]).lower()
        assert "signing" not in text
        assert "signer:" not in text


def test_a_bundle_for_this_machine_is_not_signed(
    context: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local cloud has no version of AWS's profile, so it is rehearsed without one."""
    given: dict[str, Any] = {}
    home = load_home()
    policy = home.supply_chain.model_copy(update={"signing_profile_version": PROFILE})
    named = home.model_copy(update={"supply_chain": policy})
    monkeypatch.setattr(pipeline_app, "load_home", lambda: named)
    monkeypatch.setattr(pipeline_app, "DeliveryStack", lambda *_a, **k: given.update(k))
    monkeypatch.setattr(bundle, "build_all", lambda _platform: [tmp_path] * 3)
    monkeypatch.setattr(sbom, "write", lambda *_arguments: tmp_path)
    for platform, wanted in (("host", None), ("linux-arm64", PROFILE)):
        pipeline_app.synthesise(cdk.App(context=context | {"bundle": platform}))
        assert given["artifact"].signing_profile_version == wanted


def test_synthesis_fails_if_the_build_did_not_sign(
    context: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "build_all", lambda _platform: [tmp_path / "bundle.zip"] * 3)
    with pytest.raises(pipeline_app._REPORTED_ERRORS) as refused:
        pipeline_app.synthesise(cdk.App(context=context | {"signed": PROFILE}))
    assert str(refused.value) == (
        f"context key signed: bundle.zip is not signed with {PROFILE}; run "
        "python -m pipeline.builds.code_signing first"
    )
