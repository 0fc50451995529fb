"""Reports on resources that block a stack, because they exist already or are in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.corpus.report import report
from tests.corpus.stacks import OTHER, REGION, Bench, started

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud")) as made:
        yield made


@report(
    "serverless/serverless#3679",
    "CloudFormation",
    situation="A stack is deleted while its bucket has an object, and again when it is empty.",
    outcome="DELETE_FAILED because the bucket is not empty; then the stack is deleted.",
)
def test_a_bucket_that_holds_an_object(bench: Bench) -> None:
    properties = {"BucketName": "my-unique-bucket-5646524860"}
    bucket = {"Type": "AWS::S3::Bucket", "Properties": properties}
    bench.create("lambda", {"Resources": {"B": bucket}})
    s3 = bench.client("s3")
    s3.put_object(Bucket="my-unique-bucket-5646524860", Key="k", Body=b"x")
    assert bench.delete("lambda") == "DELETE_FAILED"
    assert "The bucket you tried to delete is not empty" in bench.failures("lambda", "B")[0]
    s3.delete_object(Bucket="my-unique-bucket-5646524860", Key="k")
    assert bench.delete("lambda") == "DELETE_COMPLETE"


@report(
    "aws/aws-cdk#24143",
    "CloudFormation",
    situation="Bootstrapping creates a bucket whose name exists in this or another account.",
    outcome="CREATE_FAILED: the bucket already exists; the stack rolls back.",
)
@pytest.mark.parametrize("account", ["own", "other"])
def test_a_bucket_that_exists(bench: Bench, account: str) -> None:
    owner = bench.client("s3", OTHER) if account == "other" else bench.client("s3")
    name = f"cdk-assets-{account}"
    owner.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}
    stack = f"toolkit-{account}"
    assert bench.create(stack, {"Resources": {"Staging": bucket}}) == "ROLLBACK_COMPLETE"
    assert f"{name} already exists" in bench.failures(stack)[0]


@report(
    "aws-solutions/amazon-marketing-cloud-uploader-from-aws#167",
    "CloudFormation",
    situation="A function has created its log group before a template declares it.",
    outcome="CREATE_FAILED names the type and the identifier that already exist.",
)
def test_a_log_group_that_exists(bench: Bench) -> None:
    name = "/aws/lambda/resource"
    bench.client("logs").create_log_group(logGroupName=name)
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}
    assert bench.create("groups", {"Resources": {"G": group}}) == "ROLLBACK_COMPLETE"
    assert (
        "Resource of type 'AWS::Logs::LogGroup' with identifier "
        f'\'{{"/properties/LogGroupName":"{name}"}}\' already exists.'
    ) in bench.failures("groups")[0]
