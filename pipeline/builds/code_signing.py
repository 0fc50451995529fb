"""Sign the bundles of a build with AWS Signer.

`python -m pipeline.builds.code_signing PROFILE BUNDLE`; PROFILE is the ARN of a signing profile's
version, BUNDLE a value of the context key `bundle`. The signed copies are written next to the
bundles, where synthesis with `-c signed=PROFILE` finds them. Exit codes: 0 signed, 1 failed, with a
sentence.

Two signatures of the same bundle differ. So that an unchanged bundle is an unchanged asset, the
bucket stores its first signed copy, which later builds use again.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from pipeline.builds import bundle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BUCKET = "SIGNING_BUCKET"
"""The variable with the name of a versioned bucket in the profile's account and region."""
FOLDER = "code-signing"
"""Prefix of the bundles' keys in the bucket."""
_POLL_INTERVAL_SECONDS = 2
_MAX_POLLS = 150


class SigningError(Exception):
    """A bundle could not be signed; the message says why."""


def signed(unsigned: Path, profile: str) -> Path:
    """Return the copy of a bundle that this build has signed with a profile's version.

    Raises:
        SigningError: there is no signed copy.
    """
    copy = _copy(unsigned, profile)
    if not copy.exists():
        raise SigningError(
            f"context key signed: {unsigned.name} is not signed with {profile}; run "
            "python -m pipeline.builds.code_signing first"
        )
    return copy


def sign(unsigned: Path, profile: str, bucket: str) -> None:
    """Write the signed copy of a bundle next to it.

    Raises:
        SigningError: S3 or Signer rejects a request, the job fails or does not end, another version
            of the profile signed, or the bucket's copy differs from the bundle.
    """
    region, (name, version) = profile.split(":")[3], profile.split("/")[-2:]
    s3 = boto3.client("s3", region_name=region)
    content = unsigned.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    kept = f"{FOLDER}/{name}/{version}/{digest}.zip"
    try:
        found = _read(s3, bucket, kept)
        if found is None:
            put = s3.put_object(Bucket=bucket, Key=f"{FOLDER}/unsigned/{digest}.zip", Body=content)
            if "VersionId" not in put:
                raise SigningError(
                    f"bucket {bucket} has no versioning, which Signer requires; turn it on"
                )
            source = {"key": f"{FOLDER}/unsigned/{digest}.zip", "version": put["VersionId"]}
            job = _job(boto3.client("signer", region_name=region), profile, bucket, source)
            made = job["signedObject"]["s3"]
            found = s3.get_object(Bucket=made["bucketName"], Key=made["key"])["Body"].read()
            _compare(content, found, f"s3://{bucket}/{made['key']}")
            s3.put_object(Bucket=bucket, Key=kept, Body=found)
        else:
            # Everyone who may write to the bucket could replace the copy with an older bundle.
            _compare(content, found, f"s3://{bucket}/{kept}")
    except (BotoCoreError, ClientError) as error:
        raise SigningError(str(error)) from error
    copy = _copy(unsigned, profile)
    partial = copy.with_suffix(f".{os.getpid()}")
    partial.write_bytes(found)
    partial.rename(copy)


def _bucket() -> str:
    bucket = os.environ.get(BUCKET)
    if not bucket:
        raise SigningError(
            f"variable {BUCKET}: nothing found; set it to the bucket's name, as the pipeline's "
            "Build does"
        )
    return bucket


def _copy(unsigned: Path, profile: str) -> Path:
    name, version = profile.split("/")[-2:]
    return unsigned.with_name(f"{unsigned.stem}-{name}-{version}.zip")


def _read(s3: Any, bucket: str, key: str) -> bytes | None:
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    return content


def _job(signer: Any, profile: str, bucket: str, source: dict[str, str]) -> dict[str, Any]:
    """Run a signing job to its end, and return Signer's description of it."""
    name, version = profile.split("/")[-2:]
    started = signer.start_signing_job(
        source={"s3": {"bucketName": bucket, **source}},
        destination={"s3": {"bucketName": bucket, "prefix": f"{FOLDER}/jobs/"}},
        profileName=name,
    )
    identifier = started["jobId"]
    try:
        signer.get_waiter("successful_signing_job").wait(
            jobId=identifier,
            WaiterConfig={"Delay": _POLL_INTERVAL_SECONDS, "MaxAttempts": _MAX_POLLS},
        )
    except WaiterError as error:
        last: Any = error.last_response
        reason = {
            "Failed": f"failed: {last.get('statusReason')}",
            "InProgress": f"did not end within {_POLL_INTERVAL_SECONDS * _MAX_POLLS} s",
        }.get(last.get("status", ""), f"cannot be read: {error}")
        raise SigningError(f"signing job {identifier} {reason}") from error
    job: dict[str, Any] = signer.describe_signing_job(jobId=identifier)
    if job["profileVersion"] != version:
        raise SigningError(
            f"signing profile {name}: found version {job['profileVersion']}; allowed is {version}. "
            "Set signing_profile_version in pyproject.toml"
        )
    return job


def _compare(unsigned: bytes, content: bytes, place: str) -> None:
    """Check that a signed copy contains every file of a bundle; Lambda checks the signature."""
    try:
        with (
            zipfile.ZipFile(io.BytesIO(unsigned)) as bundled,
            zipfile.ZipFile(io.BytesIO(content)) as copied,
        ):
            there = set(copied.namelist())
            same = all(
                name in there and copied.read(name) == bundled.read(name)
                for name in bundled.namelist()
            )
    except zipfile.BadZipFile as error:
        raise SigningError(f"{place} cannot be read: {error}") from error
    if not same:
        raise SigningError(f"{place} differs from the bundle that was built; delete it")


def main(arguments: Sequence[str]) -> int:
    """Sign the bundles of this checkout."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.builds.code_signing")
    parser.add_argument("profile", help="ARN of a signing profile's version")
    parser.add_argument("bundle", help="platform of the bundles: linux-arm64 or host")
    given = parser.parse_args(arguments)
    try:
        bucket = _bucket()
        bundles = bundle.build_all(given.bundle)
        for each in bundles:
            sign(each, given.profile, bucket)
    except (SigningError, bundle.BundleError) as error:
        sys.stderr.write(f"code signing: {' '.join(str(error).split())}\n")
        return 1
    sys.stdout.write(f"code signing: {len(bundles)} bundles are signed with {given.profile}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
