"""`python -m pipeline.builds.code_signing PROFILE BUNDLE` signs the bundles of a build.

AWS Signer makes the signatures.

PROFILE is the ARN of a signing profile's version, BUNDLE what the context key `bundle` takes. The
signed copies stand beside the bundles, where synthesis with `-c signed=PROFILE` takes them. Exit
codes: 0 signed, 1 not, with a sentence.

No two signatures are of the same bytes. So that an unchanged bundle is an unchanged asset, its
first signed copy is kept in the bucket and taken again, as long as the bucket keeps it.
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
"""The variable that names a versioned bucket in the profile's account and region."""
FOLDER = "code-signing"
"""Where in it the bundles are."""
_SECONDS = 2
_TIMES = 150
"""A job is looked at so often, so far apart."""


class SigningError(Exception):
    """A bundle is not signed; the message says why not."""


def signed(unsigned: Path, profile: str) -> Path:
    """The copy of a bundle that a profile's version has signed in this build.

    Raises:
        SigningError: there is none.
    """
    copy = _copy(unsigned, profile)
    if not copy.exists():
        raise SigningError(
            f"context key signed: {unsigned.name} is not signed by {profile}; "
            "python -m pipeline.builds.code_signing comes first"
        )
    return copy


def sign(unsigned: Path, profile: str, bucket: str) -> None:
    """Put the signed copy of a bundle beside it.

    Raises:
        SigningError: S3 or Signer refuses, the job fails or does not end, another version of the
            profile has signed, or what is in the bucket is no copy of this bundle.
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
                raise SigningError(f"bucket {bucket} keeps no versions; Signer signs nothing else")
            source = {"key": f"{FOLDER}/unsigned/{digest}.zip", "version": put["VersionId"]}
            job = _job(boto3.client("signer", region_name=region), profile, bucket, source)
            made = job["signedObject"]["s3"]
            found = s3.get_object(Bucket=made["bucketName"], Key=made["key"])["Body"].read()
            _compare(content, found, f"s3://{bucket}/{made['key']}")
            s3.put_object(Bucket=bucket, Key=kept, Body=found)
        else:
            # Whoever may write to the bucket could have put an older bundle there.
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
        raise SigningError(f"{BUCKET}: nothing found; the pipeline's Build names its bucket by it")
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
    """A signing job that has succeeded, as Signer describes it."""
    name, version = profile.split("/")[-2:]
    started = signer.start_signing_job(
        source={"s3": {"bucketName": bucket, **source}},
        destination={"s3": {"bucketName": bucket, "prefix": f"{FOLDER}/jobs/"}},
        profileName=name,
    )
    identifier = started["jobId"]
    try:
        signer.get_waiter("successful_signing_job").wait(
            jobId=identifier, WaiterConfig={"Delay": _SECONDS, "MaxAttempts": _TIMES}
        )
    except WaiterError as error:
        last: Any = error.last_response
        why = {
            "Failed": f"failed: {last.get('statusReason')}",
            "InProgress": f"has not ended within {_SECONDS * _TIMES} s",
        }.get(last.get("status", ""), f"cannot be looked at: {error}")
        raise SigningError(f"signing job {identifier} {why}") from error
    job: dict[str, Any] = signer.describe_signing_job(jobId=identifier)
    if job["profileVersion"] != version:
        raise SigningError(
            f"signing profile {name} signs by its version {job['profileVersion']} and not by "
            f"{version}; name that version in pyproject.toml"
        )
    return job


def _compare(unsigned: bytes, content: bytes, place: str) -> None:
    """Make sure that a signed copy has every file of a bundle; Lambda looks at its signature."""
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
        raise SigningError(f"{place} is another bundle than the one that was built; delete it")


def main(arguments: Sequence[str]) -> int:
    """Sign the bundles of this checkout."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.builds.code_signing")
    parser.add_argument("profile", help="ARN of a signing profile's version")
    parser.add_argument("bundle", help="what they are built for: linux-arm64 or host")
    given = parser.parse_args(arguments)
    try:
        bucket = _bucket()
        bundles = bundle.build_all(given.bundle)
        for each in bundles:
            sign(each, given.profile, bucket)
    except (SigningError, bundle.BundleError) as error:
        sys.stderr.write(f"code signing: {' '.join(str(error).split())}\n")
        return 1
    sys.stdout.write(f"code signing: {len(bundles)} bundles are signed by {given.profile}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
