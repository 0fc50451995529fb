"""Reports on policies and access control lists that S3 rejects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.corpus.report import report
from tests.corpus.stacks import ACCOUNT, REGION, Bench, refused, started, statements

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud")) as made:
        yield made


def site(**properties: Any) -> dict[str, Any]:
    """A bucket that everyone may read."""
    read = {
        "Action": "s3:GetObject",
        "Resource": {"Fn::Sub": "${Site.Arn}/*"},
        "Principal": "*",
    }
    policy = {"Bucket": {"Ref": "Site"}, "PolicyDocument": statements(read)}
    return {
        "Resources": {
            "Site": {"Type": "AWS::S3::Bucket", "Properties": properties},
            "Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": policy},
        }
    }


@report(
    "aws-samples/aws-cdk-examples#919",
    "S3",
    situation="A public website's bucket does not set the block on public access.",
    outcome="Its policy fails with Access Denied until the template removes the block.",
)
def test_a_public_policy_of_a_bucket_with_its_defaults(bench: Bench) -> None:
    assert bench.create("site", site()) == "ROLLBACK_COMPLETE"
    assert bench.failures("site", "Policy")[0].startswith("Access Denied")
    opened = {"BlockPublicPolicy": False, "RestrictPublicBuckets": False}
    assert bench.create("open", site(PublicAccessBlockConfiguration=opened)) == "CREATE_COMPLETE"


def test_a_policy_for_everyone_of_an_account_is_not_public(bench: Bench) -> None:
    s3 = bench.client("s3")
    s3.create_bucket(Bucket="narrow", CreateBucketConfiguration={"LocationConstraint": REGION})
    stated = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::narrow/*", "Principal": "*"}
    condition = {"Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}}
    s3.put_bucket_policy(Bucket="narrow", Policy=json.dumps(statements(stated | condition)))
    anyone = {"Condition": {"StringLike": {"aws:PrincipalAccount": "*"}}}
    policy = json.dumps(statements(stated | anyone))
    assert refused(s3.put_bucket_policy, Bucket="narrow", Policy=policy)[0] == "AccessDenied"


@report(
    "awslabs/landing-zone-accelerator-on-aws#146",
    "S3",
    situation="An update of the bootstrap stack gives its bucket an access control list.",
    outcome="AccessControlListNotSupported: the bucket does not allow ACLs; it rolls back.",
)
def test_an_access_control_list_of_a_new_bucket(bench: Bench) -> None:
    def toolkit(**properties: Any) -> dict[str, Any]:
        return {"Resources": {"Staging": {"Type": "AWS::S3::Bucket", "Properties": properties}}}

    name = {"BucketName": "cdk-assets"}
    bench.create("toolkit", toolkit(**name))
    template = toolkit(**name, AccessControl="LogDeliveryWrite")
    assert bench.update("toolkit", template) == "UPDATE_ROLLBACK_COMPLETE"
    assert bench.failures("toolkit", "Staging")[0].startswith("The bucket does not allow ACLs")
    acl = {"Bucket": "cdk-assets", "ACL": "log-delivery-write"}
    assert refused(bench.client("s3").put_bucket_acl, **acl) == (
        "AccessControlListNotSupported", "The bucket does not allow ACLs",
    )  # fmt: skip
    owned = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    template = toolkit(**name, AccessControl="LogDeliveryWrite", OwnershipControls=owned)
    assert bench.update("toolkit", template) == "UPDATE_COMPLETE"
