"""Bundles signed by a local cloud's Signer, and a stack that requires signed code."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from botocore.exceptions import ClientError, WaiterError

from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from pipeline.builds import bundle, code_signing
from pipeline.delivery.stacks.code_signing import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOLING, PROD, REGION = "111111111111", "444444444444", "eu-west-1"
PROFILE = "pithead"
NO_SUCH = f"arn:aws:signer:{REGION}:{TOOLING}:/signing-profiles/nothing/a1B2c3D4e5"


@dataclass
class Tooling:
    """The tooling account of a local cloud: its bucket and signing profile version."""

    server: LocalCloud
    bucket: str = ""
    profile: str = ""

    def client(self, service: str, account: str = TOOLING) -> Any:
        return self.server.cloud.client(service, account, REGION)

    def make_bucket(self, name: str, *, versioned: bool = True) -> str:
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        if versioned:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def stored(self) -> list[str]:
        found = self.client("s3").list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [each["Key"] for each in found]

    def kept(self) -> str:
        """Return the key of the only signed copy in the bucket."""
        name, version = self.profile.split("/")[-2:]
        (key,) = (
            each for each in self.stored() if each.startswith(f"code-signing/{name}/{version}")
        )
        return key


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    services = ("logs", "sts", "signer", "functions", "cloudformation")
    made = LocalCloud(
        tmp_path_factory.mktemp("cloud") / "state", services=services, delays=NO_DELAYS
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def tooling(server: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Tooling:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.cloud.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", TOOLING)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.cloud.credentials.secret_key)
    made = Tooling(server)
    # Each test has its own bucket, because signed copies in it are reused.
    buckets = made.client("s3").list_buckets()["Buckets"]
    made.bucket = made.make_bucket(f"artifacts-{len(buckets)}")
    signer = made.client("signer")
    with contextlib.suppress(ClientError):  # created by an earlier test
        signer.put_signing_profile(profileName=PROFILE, platformId="AWSLambda-SHA384-ECDSA")
    made.profile = signer.get_signing_profile(profileName=PROFILE)["profileVersionArn"]
    monkeypatch.setenv(code_signing.BUCKET, made.bucket)
    return made


def _zipped(answer: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), f"def handler(event, _): return {answer!r}")
        archive.writestr(zipfile.ZipInfo("more.txt"), "more")
    return content.getvalue()


@pytest.fixture
def unsigned(tmp_path: Path) -> Path:
    file = tmp_path / "bundle.zip"
    file.write_bytes(_zipped("one"))
    return file


def _refusal(unsigned: Path, profile: str, bucket: str) -> str:
    with pytest.raises(code_signing.SigningError) as refused:
        code_signing.sign(unsigned, profile, bucket)
    with pytest.raises(code_signing.SigningError, match="code_signing first"):
        code_signing.signed(unsigned, profile)
    return str(refused.value)


def test_the_signed_copy_has_the_bundle_and_its_signature(tooling: Tooling, unsigned: Path) -> None:
    code_signing.sign(unsigned, tooling.profile, tooling.bucket)
    copy = code_signing.signed(unsigned, tooling.profile)
    assert copy.parent == unsigned.parent
    assert unsigned.read_bytes() == _zipped("one")
    signature = tooling.server.cloud.signer.signature(copy.read_bytes())
    assert signature
    assert signature.profile_version == tooling.profile
    with zipfile.ZipFile(copy) as archive:
        assert archive.namelist()[:2] == ["app.py", "more.txt"]
    assert all(key.startswith(f"{code_signing.FOLDER}/") for key in tooling.stored())


def test_an_unchanged_bundle_is_signed_once(tooling: Tooling, unsigned: Path) -> None:
    """Otherwise each release would have a new asset and a new version."""
    code_signing.sign(unsigned, tooling.profile, tooling.bucket)
    first, keys = code_signing.signed(unsigned, tooling.profile).read_bytes(), tooling.stored()
    code_signing.signed(unsigned, tooling.profile).unlink()
    code_signing.sign(unsigned, tooling.profile, tooling.bucket)
    assert code_signing.signed(unsigned, tooling.profile).read_bytes() == first
    assert tooling.stored() == keys
    unsigned.write_bytes(_zipped("two"))
    code_signing.sign(unsigned, tooling.profile, tooling.bucket)
    assert code_signing.signed(unsigned, tooling.profile).read_bytes() != first


def test_a_signed_copy_left_by_an_earlier_build_is_not_reused(
    tooling: Tooling, unsigned: Path
) -> None:
    code_signing.sign(unsigned, tooling.profile, tooling.bucket)
    copy = code_signing.signed(unsigned, tooling.profile)
    content = copy.read_bytes()
    copy.write_bytes(b"stale")
    code_signing.sign(unsigned, tooling.profile, tooling.bucket)
    assert copy.read_bytes() == content


def test_an_older_signed_bundle_in_its_place_is_detected(tooling: Tooling, unsigned: Path) -> None:
    """It has a signature that Lambda would accept."""
    unsigned.write_bytes(_zipped("old and known to be bad"))
    code_signing.sign(unsigned, tooling.profile, tooling.bucket)
    old = code_signing.signed(unsigned, tooling.profile).read_bytes()
    old_key = tooling.kept()
    unsigned.write_bytes(_zipped("new"))
    code_signing.sign(unsigned, tooling.profile, tooling.bucket)
    code_signing.signed(unsigned, tooling.profile).unlink()
    tooling.client("s3").delete_object(Bucket=tooling.bucket, Key=old_key)
    key = tooling.kept()
    tooling.client("s3").put_object(Bucket=tooling.bucket, Key=key, Body=old)
    assert _refusal(unsigned, tooling.profile, tooling.bucket) == (
        f"s3://{tooling.bucket}/{key} differs from the bundle that was built; delete it"
    )
    tooling.client("s3").put_object(Bucket=tooling.bucket, Key=key, Body=b"no zip")
    assert "cannot be read" in _refusal(unsigned, tooling.profile, tooling.bucket)


def test_a_failed_signing_job_is_reported_with_its_reason(tooling: Tooling, unsigned: Path) -> None:
    unsigned.write_bytes(b"no zip")
    told = _refusal(unsigned, tooling.profile, tooling.bucket)
    assert "signing job " in told
    assert " failed: The object is not a zip file that can be signed: " in told


def test_a_hanging_signing_job_times_out(
    tooling: Tooling, unsigned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = tooling.server.cloud.signer
    described: list[str] = []

    def hang(account: str, region: str, identifier: str) -> dict[str, Any]:
        described.append(identifier)
        return {"jobId": identifier, "status": "InProgress"}

    monkeypatch.setattr(signer, "job", hang)
    monkeypatch.setattr(code_signing, "_POLL_INTERVAL_SECONDS", 0)
    monkeypatch.setattr(code_signing, "_MAX_POLLS", 3)
    told = _refusal(unsigned, tooling.profile, tooling.bucket)
    assert told == f"signing job {described[0]} did not end within 0 s"
    assert len(described) == 3
    monkeypatch.undo()


def test_an_unknown_signing_job_is_an_error(
    tooling: Tooling, unsigned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = tooling.server.cloud.signer.start_job
    monkeypatch.setattr(
        tooling.server.cloud.signer,
        "start_job",
        lambda *arguments: start(*arguments) | {"jobId": "forgotten"},
    )
    told = _refusal(unsigned, tooling.profile, tooling.bucket)
    assert told.startswith("signing job forgotten cannot be read: ")
    assert "ResourceNotFoundException" in told


def test_another_version_of_the_signing_profile_is_an_error(
    tooling: Tooling, unsigned: Path
) -> None:
    version = tooling.profile.rsplit("/", 1)[1]
    other = tooling.profile.replace(version, "a1B2c3D4e5")
    assert _refusal(unsigned, other, tooling.bucket) == (
        f"signing profile {PROFILE}: found version {version}; allowed is a1B2c3D4e5. Set "
        "signing_profile_version in pyproject.toml"
    )


def test_an_aws_error_is_reported(
    tooling: Tooling, unsigned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Signing profile nothing not found" in _refusal(unsigned, NO_SUCH, tooling.bucket)
    assert "NoSuchBucket" in _refusal(unsigned, tooling.profile, "no-such-bucket")
    plain = tooling.make_bucket(f"{tooling.bucket}-plain", versioned=False)
    assert _refusal(unsigned, tooling.profile, plain) == (
        f"bucket {plain} has no versioning, which Signer requires; turn it on"
    )
    denied = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{tooling.bucket}/*",
            }
        ],
    }
    tooling.client("s3").put_bucket_policy(Bucket=tooling.bucket, Policy=json.dumps(denied))
    assert "(403) when calling the PutObject" in _refusal(unsigned, tooling.profile, tooling.bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "Could not connect" in _refusal(unsigned, tooling.profile, tooling.bucket)


def test_the_program_signs_and_prints_every_bundle(
    tooling: Tooling,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundles = [tmp_path / f"{name}.zip" for name in ("service", "judge", "synthetic")]
    for each in bundles:
        each.write_bytes(_zipped(each.stem))
    monkeypatch.setattr(bundle, "build_all", lambda _platform: bundles)
    assert code_signing.main([tooling.profile, "host"]) == 0
    assert capsys.readouterr() == (
        f"code signing: 3 bundles are signed with {tooling.profile}\n",
        "",
    )
    assert len({code_signing.signed(each, tooling.profile) for each in bundles}) == 3


@pytest.mark.parametrize("wrong", ["profile", "bundle", "bucket"])
def test_the_program_fails_with_one_sentence(
    tooling: Tooling,
    unsigned: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: str,
) -> None:
    if wrong != "bundle":
        monkeypatch.setattr(bundle, "build_all", lambda _platform: [unsigned])
    if wrong == "bucket":
        monkeypatch.delenv(code_signing.BUCKET)
    profile = NO_SUCH if wrong == "profile" else tooling.profile
    platform = "windows" if wrong == "bundle" else "host"
    assert code_signing.main([profile, platform]) == 1
    out, told = capsys.readouterr()
    assert out == ""
    assert told.startswith("code signing: ")
    assert told.count("\n") == 1


class Deployment:
    """A stack in prod's account whose function accepts only the profile's code."""

    def __init__(self, tooling: Tooling) -> None:
        self._tooling = tooling
        self._client = tooling.client("cloudformation", PROD)
        service = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
        trust = {"Statement": [service | {"Action": "sts:AssumeRole"}]}
        tooling.client("iam", PROD).create_role(
            RoleName="runner", AssumeRolePolicyDocument=json.dumps(trust)
        )

    def deploy(self, verb: str, code: bytes) -> tuple[str, str]:
        """Return the status of a `create` or `update`, and its first failure."""
        key = f"{hashlib.sha256(code).hexdigest()}.zip"
        self._tooling.client("s3").put_object(Bucket=self._tooling.bucket, Key=key, Body=code)
        template = json.dumps(self._template(key))
        getattr(self._client, f"{verb}_stack")(StackName="prod", TemplateBody=template)
        with contextlib.suppress(WaiterError):  # the status reports it
            self._client.get_waiter(f"stack_{verb}_complete").wait(
                StackName="prod", WaiterConfig={"Delay": 0.02, "MaxAttempts": 3000}
            )
        (stack,) = self._client.describe_stacks(StackName="prod")["Stacks"]
        events = self._client.describe_stack_events(StackName="prod")["StackEvents"]
        failed = [each for each in events if each["ResourceStatus"].endswith("_FAILED")]
        why = failed[0].get("ResourceStatusReason", "") if failed else ""
        return stack["StackStatus"], why

    def answer(self) -> str:
        answer = self._tooling.client("lambda", PROD).invoke(FunctionName="signed", Payload=b"{}")
        found: str = json.loads(answer["Payload"].read())
        return found

    def _template(self, key: str) -> Any:
        host = bundle.target("host")
        app = cdk.App()
        synthesizer = cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
        stack = cdk.Stack(app, "Stack", synthesizer=synthesizer)
        lambda_.CfnFunction(
            stack,
            "Function",
            function_name="signed",
            runtime=host.runtime,
            architectures=[host.architecture],
            handler="app.handler",
            role=f"arn:aws:iam::{PROD}:role/runner",
            code=lambda_.CfnFunction.CodeProperty(s3_bucket=self._tooling.bucket, s3_key=key),
            timeout=30,
        )
        require(stack, self._tooling.profile)
        return app.synth().get_stack_by_name("Stack").template


def test_signed_code_is_deployed_and_substituted_code_is_rejected(
    tooling: Tooling, unsigned: Path
) -> None:
    prod = Deployment(tooling)
    code_signing.sign(unsigned, tooling.profile, tooling.bucket)
    signed = code_signing.signed(unsigned, tooling.profile).read_bytes()
    assert prod.deploy("create", signed) == ("CREATE_COMPLETE", "")
    assert prod.answer() == "one"
    status, why = prod.deploy("update", _zipped("unsigned"))
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "CodeVerificationFailedException" in why
    exchanged = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(signed)) as archive,
        zipfile.ZipFile(exchanged, "w") as other,
    ):
        for entry in archive.infolist():
            other.writestr(entry, archive.read(entry).replace(b"one", b"six"))
    status, why = prod.deploy("update", exchanged.getvalue())
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "InvalidCodeSignatureException" in why
    assert prod.answer() == "one"
