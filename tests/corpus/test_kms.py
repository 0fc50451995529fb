"""Reports on requests that KMS rejects: key policies, and keys of other accounts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.corpus.report import report
from tests.corpus.stacks import ACCOUNT, OTHER, REGION, Bench, refused, started, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud"), iam="enforce") as made:
        yield made


def key(*principals: Any) -> dict[str, Any]:
    """Return a template with a key that principals may use."""
    stated = [{"Action": "kms:*", "Resource": "*", "Principal": each} for each in principals]
    properties = {"KeyPolicy": statements(*stated)}
    return {"Resources": {"Key": {"Type": "AWS::KMS::Key", "Properties": properties}}}


@report(
    "data-dot-all/dataall#539",
    "KMS",
    situation="A role of the target account reads an artifact under the pipeline's key.",
    outcome="S3 answers AccessDenied until the key's policy allows the account to decrypt.",
)
def test_an_artifact_under_a_key_of_another_account(bench: Bench) -> None:
    kms, s3 = bench.client("kms"), bench.client("s3")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    reads = {"Action": ["s3:GetObject", "kms:Decrypt"], "Resource": "*"}
    deploy = bench.session("deploy", OTHER, reads)
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    shared = {
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::artifacts/*",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
    }
    s3.put_bucket_policy(Bucket="artifacts", Policy=json.dumps(statements(shared)))
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": arn}
    s3.put_object(Bucket="artifacts", Key="template", Body=b"{}", **encrypted)
    reader = bench.client("s3", OTHER, session=deploy)
    code, _ = refused(reader.get_object, Bucket="artifacts", Key="template")
    assert code == "AccessDenied"
    owners = {"Action": "kms:*", "Resource": "*", "Principal": {"AWS": ROOT}}
    theirs = {"Action": "kms:Decrypt", "Resource": "*", "Principal": shared["Principal"]}
    policy = json.dumps(statements(owners, theirs))
    kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=policy)
    assert reader.get_object(Bucket="artifacts", Key="template")["Body"].read() == b"{}"


@report(
    "aws-samples/aws-cdk-pipelines-datalake-infrastructure#17",
    "KMS",
    situation="A key's policy in a pipeline's stack names a role that does not exist.",
    outcome="CREATE_FAILED: the policy has invalid principals; the stack rolls back.",
)
def test_a_key_policy_names_an_absent_role(bench: Bench) -> None:
    template = key({"AWS": ROOT}, {"AWS": f"arn:aws:iam::{OTHER}:role/absent"})
    assert bench.create("key", template) == "ROLLBACK_COMPLETE"
    assert bench.failures("key")[0].startswith(
        "Policy contains a statement with one or more invalid principals."
    )


@report(
    "cloudposse/terraform-aws-vpc-flow-logs-s3-bucket#3",
    "KMS",
    situation="A key's policy allows only a service, and not its account.",
    outcome="MalformedPolicyDocumentException: nobody could update the policy any more.",
)
def test_a_key_policy_that_nobody_can_change(bench: Bench) -> None:
    template = key({"Service": "delivery.logs.amazonaws.com"})
    said = "The new key policy will not allow you to update the key policy in the future."
    policy = json.dumps(template["Resources"]["Key"]["Properties"]["KeyPolicy"])
    assert refused(bench.client("kms").create_key, Policy=policy) == (
        "MalformedPolicyDocumentException", said,
    )  # fmt: skip
    assert bench.create("locked", template) == "ROLLBACK_COMPLETE"
    assert bench.failures("locked")[0].startswith(said)


@report(
    "hashicorp/terraform-provider-aws#17889",
    "KMS",
    situation="A key that is already scheduled for deletion is deleted.",
    outcome="KMSInvalidStateException: the key is pending deletion.",
)
def test_a_key_that_is_pending_deletion(bench: Bench) -> None:
    kms = bench.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    expected = ("KMSInvalidStateException", f"{arn} is pending deletion.")
    assert refused(kms.schedule_key_deletion, KeyId=arn, PendingWindowInDays=7) == expected
    assert refused(kms.encrypt, KeyId=arn, Plaintext=b"x") == expected
