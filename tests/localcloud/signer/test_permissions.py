"""A signing job reads and writes S3 with the caller's permissions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.signer.conftest import ACCOUNT, REGION, Signing

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

SIGN = {"Effect": "Allow", "Action": "signer:*", "Resource": "*"}
READ = {"Effect": "Allow", "Action": "s3:GetObjectVersion", "Resource": "arn:aws:s3:::code/*"}
WRITE = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::code/signed/*"}


@pytest.fixture
def signing(start_cloud: Callable[..., LocalCloud]) -> Signing:
    made = Signing(start_cloud(services=("sts", "signer"), iam="enforce"))
    made.s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
    made.s3.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})
    made.profile()
    return made


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def by_role(signing: Signing, *statements: dict[str, Any]) -> None:
    """Start jobs as a role with these permissions."""
    cloud = signing.server.cloud
    iam = cloud.client("iam", ACCOUNT, REGION)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    iam.create_role(RoleName="build", AssumeRolePolicyDocument=document(trust))
    iam.put_role_policy(RoleName="build", PolicyName="own", PolicyDocument=document(*statements))
    session = cloud.credentials.assume(f"arn:aws:iam::{ACCOUNT}:role/build", "me")
    signing.client = cloud.client("signer", ACCOUNT, REGION, session)


def test_a_job_with_sufficient_permissions_succeeds(signing: Signing) -> None:
    by_role(signing, SIGN, READ, WRITE)
    assert signing.job(signing.zipped("pass"))["status"] == "Succeeded"


@pytest.mark.parametrize(
    ("allowed", "action"),
    [(WRITE, "s3:GetObjectVersion"), (READ, "s3:PutObject")],
    ids=["source", "destination"],
)
def test_the_caller_reads_the_source_and_writes_the_destination(
    signing: Signing, allowed: dict[str, Any], action: str
) -> None:
    by_role(signing, SIGN, allowed)
    job = signing.job(signing.zipped("pass"))
    assert job["status"] == "Failed"
    assert f"is not authorized to perform: {action} on resource" in job["statusReason"]


@pytest.mark.parametrize("current", [True, False], ids=["current", "another"])
def test_a_policy_names_the_version_of_the_profile(signing: Signing, current: bool) -> None:
    version = signing.client.get_signing_profile(profileName="release")["profileVersion"]
    condition = {"StringEquals": {"signer:ProfileVersion": version if current else "0123456789"}}
    start = SIGN | {"Action": "signer:StartSigningJob", "Condition": condition}
    describe = SIGN | {"Action": "signer:DescribeSigningJob"}
    by_role(signing, start, describe, READ, WRITE)
    if current:
        assert signing.job(signing.zipped("pass"))["status"] == "Succeeded"
    else:
        with pytest.raises(ClientError, match="signer:StartSigningJob"):
            signing.job(signing.zipped("pass"))
