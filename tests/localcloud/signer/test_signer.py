"""Signer by boto3, and the verification of signed zip files."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from localcloud.core.ports import BrokenSignatureError
from localcloud.signer.envelope import SIGNATURE_ENTRY

ACCOUNT = "111111111111"
SOURCE = "def handler(event, context): return 1"


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_profile_is_created_once_and_described(signing: Any) -> None:
    made = signing.profile(signatureValidityPeriod={"value": 3, "type": "YEARS"})
    assert re.fullmatch(
        rf"arn:aws:signer:eu-west-1:{ACCOUNT}:/signing-profiles/release/[a-zA-Z0-9]{{10}}",
        made["profileVersionArn"],
    )
    found = signing.client.get_signing_profile(profileName="release")
    assert found["profileVersionArn"] == f"{made['arn']}/{made['profileVersion']}"
    assert found["status"] == "Active"
    assert found["signatureValidityPeriod"] == {"value": 3, "type": "YEARS"}
    with pytest.raises(ClientError, match="already exists"):
        signing.profile()


@pytest.mark.parametrize(
    "parameters",
    [
        {"platformId": "Notation-OCI-SHA384-ECDSA"},
        {"signatureValidityPeriod": {"value": 1, "type": "WEEKS"}},
        {"signatureValidityPeriod": {"type": "DAYS"}},
        {"signingParameters": {"a": "b"}},
    ],
)
def test_unsupported_parameters_are_rejected(signing: Any, parameters: dict[str, Any]) -> None:
    wanted = {"profileName": "release", "platformId": "AWSLambda-SHA384-ECDSA"} | parameters
    with pytest.raises(ClientError) as refused:
        signing.client.put_signing_profile(**wanted)
    assert _code(refused) == "ValidationException"


def test_unknown_profiles_and_jobs_are_not_found(signing: Any) -> None:
    with pytest.raises(ClientError) as refused:
        signing.client.get_signing_profile(profileName="nothing")
    assert _code(refused) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as refused:
        signing.job(signing.zipped(SOURCE), "nothing")
    assert _code(refused) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as refused:
        signing.client.describe_signing_job(jobId="nothing")
    assert _code(refused) == "ResourceNotFoundException"


def test_a_job_signs_a_copy_that_its_waiter_sees(signing: Any) -> None:
    made = signing.profile()
    content = signing.zipped(SOURCE)
    job = signing.job(content)
    signing.client.get_waiter("successful_signing_job").wait(jobId=job["jobId"])
    assert job["profileVersion"] == made["profileVersion"]
    place = job["signedObject"]["s3"]
    assert place == {"bucketName": "code", "key": f"signed/{job['jobId']}.zip"}
    signed = signing.s3.get_object(Bucket="code", Key=place["key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(signed)) as archive:
        assert archive.namelist() == ["app.py", SIGNATURE_ENTRY]
        assert archive.read("app.py").decode() == SOURCE
    found = signing.server.cloud.signer.signature(signed)
    assert found.profile_version == made["profileVersionArn"]
    assert found.job == f"arn:aws:signer:eu-west-1:{ACCOUNT}:/signing-jobs/{job['jobId']}"
    assert found.expires == pytest.approx(job["signatureExpiresAt"].timestamp(), abs=0.01)
    assert found.expires - job["createdAt"].timestamp() == pytest.approx(135 * 30 * 86400, abs=0.01)
    assert signing.server.cloud.signer.signature(content) is None


def test_a_client_token_is_idempotent(signing: Any) -> None:
    signing.profile()
    first = signing.job(signing.zipped(SOURCE), clientRequestToken="once")
    again = signing.job(signing.zipped("other"), clientRequestToken="once")
    assert again["jobId"] == first["jobId"]
    assert signing.job(signing.zipped(SOURCE))["jobId"] != first["jobId"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"no zip", "The object is not a zip file that can"), (None, "The object is signed already")],
)
def test_a_job_that_cannot_sign_fails_with_a_reason(
    signing: Any, content: bytes | None, reason: str
) -> None:
    signing.profile()
    job = signing.job(content or signing.signed(signing.zipped(SOURCE)))
    assert job["status"] == "Failed"
    assert job["statusReason"].startswith(reason)
    assert "signedObject" not in job
    with pytest.raises(WaiterError):
        signing.client.get_waiter("successful_signing_job").wait(jobId=job["jobId"])


def test_a_job_without_its_object_fails(signing: Any) -> None:
    signing.profile()
    source = {"s3": {"bucketName": "code", "key": "gone.zip", "version": "none"}}
    job = signing.job(signing.zipped(SOURCE), source=source)
    assert job["status"] == "Failed"
    with pytest.raises(ClientError, match="must be in S3"):
        signing.job(signing.zipped(SOURCE), destination={})


def _changed(signed: bytes, change: str) -> bytes:
    """Return a signed zip, rewritten with one change."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(signed)) as archive, zipfile.ZipFile(made, "w") as copy:
        for entry in archive.infolist():
            content = archive.read(entry)
            if entry.filename == "app.py" and change == "content":
                content += b" + 1"
            if entry.filename == "app.py" and change == "mode":
                entry.external_attr = 0o755 << 16
            if entry.filename == "app.py" and change == "name":
                entry.filename = "app2.py"
            if entry.filename == SIGNATURE_ENTRY and change == "claims":
                content = content.replace(b"release", b"another")
            if entry.filename == SIGNATURE_ENTRY and change == "signature":
                content = b"{}"
            copy.writestr(entry, content)
        if change == "more":
            copy.writestr("more.py", "")
    return made.getvalue()


@pytest.mark.parametrize("change", ["content", "mode", "name", "claims", "signature", "more"])
def test_any_change_breaks_the_signature(signing: Any, change: str) -> None:
    signing.profile()
    signing.profile("another")
    signed = signing.signed(signing.zipped(SOURCE))
    assert signing.server.cloud.signer.signature(_changed(signed, "")) is not None
    with pytest.raises(BrokenSignatureError):
        signing.server.cloud.signer.signature(_changed(signed, change))


def test_a_file_that_hides_another_breaks_the_signature(signing: Any) -> None:
    signing.profile()
    signed = io.BytesIO(signing.signed(signing.zipped(SOURCE)))
    with (
        zipfile.ZipFile(signed, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr("app.py", "def handler(event, context): return 2")
    with pytest.raises(BrokenSignatureError, match=r"it has more than one entry app\.py"):
        signing.server.cloud.signer.signature(signed.getvalue())


def test_a_byte_that_is_lost_breaks_the_signature(signing: Any) -> None:
    signing.profile()
    signed = bytearray(signing.signed(signing.zipped(SOURCE * 9)))
    signed[60] ^= 1  # of the compressed file
    with pytest.raises(BrokenSignatureError, match="it cannot be read"):
        signing.server.cloud.signer.signature(bytes(signed))


def test_profiles_jobs_and_signatures_survive_a_restart(start: Any) -> None:
    signing = start()
    version = signing.profile()["profileVersionArn"]
    job = signing.job(signing.zipped(SOURCE))
    signed = signing.signed(signing.zipped(SOURCE))
    signing.server.stop()

    signing = start()
    again = signing.client.describe_signing_job(jobId=job["jobId"])
    for each in (job, again):
        del each["ResponseMetadata"]
    assert again == job
    assert signing.server.cloud.signer.signature(signed).profile_version == version
    assert signing.signed(signing.zipped(SOURCE)) != signed


def test_a_profile_of_another_cloud_has_signed_nothing_here(start_cloud: Any, start: Any) -> None:
    signing = start()
    signing.profile()
    signed = signing.signed(signing.zipped(SOURCE))
    signing.server.stop()
    elsewhere = start_cloud(services=("sts", "signer"), state=signing.server._state / "elsewhere")
    with pytest.raises(BrokenSignatureError, match="there is no signing profile arn:aws:signer:"):
        elsewhere.cloud.signer.signature(signed)
