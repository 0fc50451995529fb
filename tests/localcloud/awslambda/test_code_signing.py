"""Code signing as Lambda enforces it, in its API and in a stack."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME

ACCOUNT, REGION = "222222222222", "eu-west-1"
TOOLING = "111111111111"
ANSWERS = "def handler(event, context): return {}"


class Publisher:
    """Signs with profiles of another account than the functions'."""

    def __init__(self, lambdas: Any) -> None:
        self.lambdas = lambdas
        cloud = lambdas.server.cloud
        self._signer = cloud.client("signer", TOOLING, REGION)
        self.s3 = cloud.client("s3", TOOLING, REGION)
        with contextlib.suppress(ClientError):  # an earlier test made it
            self.s3.create_bucket(
                Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION}
            )
            self.s3.put_bucket_versioning(
                Bucket="code", VersioningConfiguration={"Status": "Enabled"}
            )

    def profile(self, name: str, **parameters: Any) -> str:
        """Return the version ARN of a profile; create the profile if it does not exist."""
        with contextlib.suppress(ClientError):
            self._signer.put_signing_profile(
                profileName=name, platformId="AWSLambda-SHA384-ECDSA", **parameters
            )
        arn: str = self._signer.get_signing_profile(profileName=name)["profileVersionArn"]
        return arn

    def sign(self, content: bytes, profile: str = "release") -> bytes:
        put = self.s3.put_object(Bucket="code", Key="app.zip", Body=content)
        job = self._signer.start_signing_job(
            source={"s3": {"bucketName": "code", "key": "app.zip", "version": put["VersionId"]}},
            destination={"s3": {"bucketName": "code"}},
            profileName=profile,
        )
        key = self._signer.describe_signing_job(jobId=job["jobId"])["signedObject"]["s3"]["key"]
        signed: bytes = self.s3.get_object(Bucket="code", Key=key)["Body"].read()
        return signed

    def signed(self, answer: int, profile: str = "release") -> bytes:
        return self.sign(self.lambdas.zipped(ANSWERS.format(answer)), profile)

    def config(self, *publishers: str) -> str:
        made = self.lambdas.client.create_code_signing_config(
            AllowedPublishers={"SigningProfileVersionArns": list(publishers)},
            CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
        )
        arn: str = made["CodeSigningConfig"]["CodeSigningConfigArn"]
        return arn


@pytest.fixture
def publisher(lambdas: Any) -> Publisher:
    return Publisher(lambdas)


def _exchanged(signed: bytes, source: str) -> bytes:
    """Return other code with the signature of a zip."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(signed)) as archive, zipfile.ZipFile(made, "w") as copy:
        for entry in archive.infolist():
            copy.writestr(entry, source if entry.filename == "app.py" else archive.read(entry))
    return made.getvalue()


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_configuration_is_created_updated_and_deleted(lambdas: Any, publisher: Publisher) -> None:
    first, second = publisher.profile("release"), publisher.profile("other")
    arn = publisher.config(first)
    assert arn.startswith(f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-")
    lambdas.client.update_code_signing_config(
        CodeSigningConfigArn=arn,
        AllowedPublishers={"SigningProfileVersionArns": [second]},
        Description="later",
    )
    found = lambdas.client.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"]
    assert found["AllowedPublishers"] == {"SigningProfileVersionArns": [second]}
    assert found["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}
    assert found["Description"] == "later"
    lambdas.client.delete_code_signing_config(CodeSigningConfigArn=arn)
    with pytest.raises(ClientError) as refused:
        lambdas.client.get_code_signing_config(CodeSigningConfigArn=arn)
    assert _code(refused) == "ResourceNotFoundException"


def test_a_policy_that_only_warns_is_refused(lambdas: Any, publisher: Publisher) -> None:
    """It is AWS's default, and would accept all code."""
    with pytest.raises(ClientError, match="Warn is not part of the local cloud; use Enforce"):
        lambdas.client.create_code_signing_config(
            AllowedPublishers={"SigningProfileVersionArns": [publisher.profile("release")]}
        )


def test_signed_code_is_deployed_and_runs(lambdas: Any, publisher: Publisher) -> None:
    arn = publisher.config(publisher.profile("release"))
    lambdas.create("f", "", CodeSigningConfigArn=arn, Code={"ZipFile": publisher.signed(1)})
    assert lambdas.invoke("f")[1] == 1
    lambdas.client.update_function_code(FunctionName="f", ZipFile=publisher.signed(2))
    assert lambdas.invoke("f")[1] == 2
    found = lambdas.client.get_function_code_signing_config(FunctionName="f")
    assert found["CodeSigningConfigArn"] == arn
    with pytest.raises(ClientError) as refused:
        lambdas.client.delete_code_signing_config(CodeSigningConfigArn=arn)
    assert _code(refused) == "ResourceConflictException"


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ("unsigned", "CodeVerificationFailedException"),
        ("by another profile", "CodeVerificationFailedException"),
        ("expired", "CodeVerificationFailedException"),
        ("exchanged", "InvalidCodeSignatureException"),
        ("more", "InvalidCodeSignatureException"),
    ],
)
def test_untrusted_code_is_rejected(
    lambdas: Any, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, made: str, code: str
) -> None:
    arn = publisher.config(publisher.profile("release"))
    publisher.profile("other")
    signed = publisher.signed(1)
    lambdas.create("f", "", CodeSigningConfigArn=arn, Code={"ZipFile": signed})
    if made == "unsigned":
        content = lambdas.zipped(ANSWERS.format(2))
    elif made == "by another profile":
        content = publisher.signed(2, "other")
    elif made == "expired":
        content = publisher.signed(2)
        clock = lambdas.server.cloud.clock
        later = clock.timestamp() + 136 * 30 * 86400
        monkeypatch.setattr(clock, "timestamp", lambda: later)
    elif made == "exchanged":
        content = _exchanged(signed, ANSWERS.format(2))
    else:
        content = signed
        grown = io.BytesIO(signed)
        with zipfile.ZipFile(grown, "a") as archive:
            archive.writestr("sitecustomize.py", "")
        content = grown.getvalue()
    with pytest.raises(ClientError) as refused:
        lambdas.client.update_function_code(FunctionName="f", ZipFile=content)
    assert _code(refused) == code
    assert f"{REGION}:{ACCOUNT}:function:f" in str(refused.value)
    with pytest.raises(ClientError) as refused:
        lambdas.create("g", "", CodeSigningConfigArn=arn, Code={"ZipFile": content})
    assert _code(refused) == code
    monkeypatch.undo()
    assert [f["FunctionName"] for f in lambdas.client.list_functions()["Functions"]] == ["f"]
    assert lambdas.invoke("f")[1] == 1


def test_a_configuration_applies_only_to_new_code(lambdas: Any, publisher: Publisher) -> None:
    arn = publisher.config(publisher.profile("release"))
    lambdas.create("f", ANSWERS.format(1))
    assert "CodeSigningConfigArn" not in lambdas.client.get_function_code_signing_config(
        FunctionName="f"
    )
    lambdas.client.put_function_code_signing_config(FunctionName="f", CodeSigningConfigArn=arn)
    lambdas.client.update_function_configuration(FunctionName="f", Description="another")
    assert lambdas.invoke("f")[1] == 1
    unsigned = lambdas.zipped(ANSWERS.format(2))
    with pytest.raises(ClientError) as refused:
        lambdas.client.update_function_code(FunctionName="f", ZipFile=unsigned)
    assert _code(refused) == "CodeVerificationFailedException"
    lambdas.client.delete_function_code_signing_config(FunctionName="f")
    lambdas.client.update_function_code(FunctionName="f", ZipFile=unsigned)
    assert lambdas.invoke("f")[1] == 2


def test_a_missing_configuration_cannot_be_assigned(lambdas: Any, publisher: Publisher) -> None:
    arn = publisher.config(publisher.profile("release"))
    lambdas.client.delete_code_signing_config(CodeSigningConfigArn=arn)
    lambdas.create("f", ANSWERS.format(1))
    for absent in (arn, arn.replace(ACCOUNT, TOOLING)):
        with pytest.raises(ClientError) as refused:
            lambdas.client.put_function_code_signing_config(
                FunctionName="f", CodeSigningConfigArn=absent
            )
        assert _code(refused) == "CodeSigningConfigNotFoundException"


def test_a_code_signing_configuration_survives_a_restart(start: Any) -> None:
    lambdas = start()
    publisher = Publisher(lambdas)
    arn = publisher.config(publisher.profile("release"))
    signed = publisher.signed(2)
    lambdas.create("f", "", CodeSigningConfigArn=arn, Code={"ZipFile": publisher.signed(1)})
    lambdas.server.stop()
    lambdas = start()
    with pytest.raises(ClientError) as refused:
        lambdas.client.update_function_code(FunctionName="f", ZipFile=lambdas.zipped("x = 1"))
    assert _code(refused) == "CodeVerificationFailedException"
    lambdas.client.update_function_code(FunctionName="f", ZipFile=signed)
    assert lambdas.invoke("f")[1] == 2


class Stack:
    """A stack with one function, whose code is an object in S3."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._client = publisher.lambdas.server.cloud.client("cloudformation", ACCOUNT, REGION)
        self.exists = False

    def deploy(self, code: bytes, *publishers: str) -> tuple[str, str]:
        """The stack's status, and why its first resource failed."""
        key = f"{hash(code)}.zip"
        self._publisher.s3.put_object(Bucket="code", Key=key, Body=code)
        function = {
            "Runtime": RUNTIME,
            "Architectures": [ARCHITECTURE],
            "Handler": "app.handler",
            "Role": f"arn:aws:iam::{ACCOUNT}:role/runner",
            "Code": {"S3Bucket": "code", "S3Key": key},
            "FunctionName": "f",
            "Timeout": 30,
        }
        resources: dict[str, Any] = {"Function": {"Type": "AWS::Lambda::Function"}}
        if publishers:
            function["CodeSigningConfigArn"] = {"Ref": "Signing"}
            resources["Signing"] = {
                "Type": "AWS::Lambda::CodeSigningConfig",
                "Properties": {
                    "AllowedPublishers": {"SigningProfileVersionArns": publishers},
                    "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Enforce"},
                },
            }
        resources["Function"]["Properties"] = function
        act = self._client.update_stack if self.exists else self._client.create_stack
        act(StackName="signed", TemplateBody=json.dumps({"Resources": resources}))
        self._wait("stack_update_complete" if self.exists else "stack_create_complete")
        self.exists = True
        (stack,) = self._client.describe_stacks(StackName="signed")["Stacks"]
        events = self._client.describe_stack_events(StackName="signed")["StackEvents"]
        failed = [each for each in events if each["ResourceStatus"].endswith("_FAILED")]
        why = failed[0].get("ResourceStatusReason", "") if failed else ""
        return stack["StackStatus"], why

    def delete(self) -> None:
        self._client.delete_stack(StackName="signed")
        self._wait("stack_delete_complete")

    def _wait(self, name: str) -> None:
        with contextlib.suppress(WaiterError):  # the status says it
            self._client.get_waiter(name).wait(
                StackName="signed", WaiterConfig={"Delay": 0.02, "MaxAttempts": 3000}
            )


@pytest.fixture
def stack(publisher: Publisher) -> Any:
    made = Stack(publisher)
    yield made
    made.delete()


def test_a_stack_accepts_signed_code_and_rolls_back_other_code(
    lambdas: Any, publisher: Publisher, stack: Stack
) -> None:
    release = publisher.profile("release")
    signed = publisher.signed(1)
    assert stack.deploy(signed, release) == ("CREATE_COMPLETE", "")
    assert lambdas.invoke("f")[1] == 1
    status, why = stack.deploy(lambdas.zipped(ANSWERS.format(2)), release)
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "CodeVerificationFailedException" in why
    status, why = stack.deploy(_exchanged(signed, ANSWERS.format(2)), release)
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "InvalidCodeSignatureException" in why
    assert lambdas.invoke("f")[1] == 1
    assert stack.deploy(publisher.signed(3), release)[0] == "UPDATE_COMPLETE"
    assert lambdas.invoke("f")[1] == 3


def test_a_stack_of_unsigned_code_is_not_created(
    lambdas: Any, publisher: Publisher, stack: Stack
) -> None:
    release = publisher.profile("release")
    status, why = stack.deploy(lambdas.zipped(ANSWERS.format(1)), release)
    assert status == "ROLLBACK_COMPLETE"
    assert "CodeVerificationFailedException" in why


def test_code_signing_can_be_added_to_and_removed_from_a_function(
    lambdas: Any, publisher: Publisher, stack: Stack
) -> None:
    release, other = publisher.profile("release"), publisher.profile("other")
    unsigned = lambdas.zipped(ANSWERS.format(1))
    assert stack.deploy(unsigned)[0] == "CREATE_COMPLETE"
    # Code that is already deployed needs no signature.
    assert stack.deploy(unsigned, release)[0] == "UPDATE_COMPLETE"
    assert stack.deploy(publisher.signed(2), release)[0] == "UPDATE_COMPLETE"
    # Publishers and code change together.
    assert stack.deploy(publisher.signed(3, "other"), other)[0] == "UPDATE_COMPLETE"
    assert lambdas.invoke("f")[1] == 3
    assert stack.deploy(unsigned)[0] == "UPDATE_COMPLETE"
    assert lambdas.invoke("f")[1] == 1
