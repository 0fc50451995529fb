"""moto's state survives a restart: the next process has the same resources."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
_SERVICES = ("logs", "sts")


def _make(client: Callable[[str], Any]) -> dict[str, Any]:
    """Create resources of many services; return values that only a replay can know."""
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    for number in range(3):
        s3.put_object(
            Bucket="bucket", Key="k/é +", Body=b"x" * 5000 * number, Metadata={"n": str(number)}
        )
    s3.delete_object(Bucket="bucket", Key="k/é +")
    upload = s3.create_multipart_upload(Bucket="bucket", Key="big")["UploadId"]
    part = s3.upload_part(
        Bucket="bucket", Key="big", UploadId=upload, PartNumber=1, Body=b"y" * 6_000_000
    )
    s3.complete_multipart_upload(
        Bucket="bucket",
        Key="big",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    key = client("kms").create_key()["KeyMetadata"]["KeyId"]
    secret = client("kms").encrypt(KeyId=key, Plaintext=b"hush")["CiphertextBlob"]
    iam = client("iam")
    statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
    iam.create_policy(
        PolicyName="p",
        PolicyDocument=str({"Version": "2012-10-17", "Statement": [statement]}).replace("'", '"'),
    )
    iam.create_user(UserName="u")
    for value in ("one", "two"):
        client("ssm").put_parameter(Name="/p", Value=value, Type="String", Overwrite=True)
    topic = client("sns").create_topic(Name="t")["TopicArn"]
    queue = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
    )
    client("sns").publish(TopicArn=topic, Message="hello")
    client("sqs").send_message(QueueUrl=queue, MessageBody="m")
    api = client("apigateway").create_rest_api(name="a")["id"]
    parent = client("apigateway").get_resources(restApiId=api)["items"][0]["id"]
    client("apigateway").create_resource(restApiId=api, parentId=parent, pathPart="x")
    client("secretsmanager").create_secret(Name="s", SecretString="v")
    client("dynamodb").create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
    )
    client("dynamodb").put_item(TableName="t", Item={"a": {"S": "1"}})
    return {"key": key, "secret": secret, "queue": queue, "api": api}


def _state(client: Callable[[str], Any], made: dict[str, Any]) -> dict[str, Any]:
    s3, iam = client("s3"), client("iam")
    told = {
        "buckets": s3.list_buckets()["Buckets"],
        "versions": s3.list_object_versions(Bucket="bucket"),
        "big": s3.head_object(Bucket="bucket", Key="big"),
        "key": client("kms").describe_key(KeyId=made["key"]),
        "plain": client("kms").decrypt(CiphertextBlob=made["secret"])["Plaintext"],
        "policies": iam.list_policies(Scope="Local")["Policies"],
        "user": iam.get_user(UserName="u"),
        "parameters": client("ssm").get_parameter_history(Name="/p")["Parameters"],
        "subscriptions": client("sns").list_subscriptions()["Subscriptions"],
        "queue": client("sqs").get_queue_attributes(
            QueueUrl=made["queue"], AttributeNames=["ApproximateNumberOfMessages"]
        ),
        "resources": client("apigateway").get_resources(restApiId=made["api"])["items"],
        "secrets": client("secretsmanager").list_secrets()["SecretList"],
        "items": client("dynamodb").scan(TableName="t")["Items"],
    }
    for each in told.values():
        if isinstance(each, dict):
            each.pop("ResponseMetadata", None)
    # moto sets these two times by the wall clock.
    for each in told["secrets"]:
        each.pop("CreatedDate", None)
        each.pop("LastChangedDate", None)
    return told


def test_all_state_is_the_same_after_a_restart(start_cloud: Callable[..., LocalCloud]) -> None:
    server = start_cloud(services=_SERVICES, speed=1000)

    def client(service: str) -> Any:
        return server.cloud.client(service, ACCOUNT, REGION)

    made = _make(client)
    before = _state(client, made)
    assert before["plain"] == b"hush"
    server.stop()
    server = start_cloud(services=_SERVICES, speed=1000)
    assert _state(client, made) == before
    server.stop()
    server = start_cloud(services=_SERVICES, speed=1000)
    assert _state(client, made) == before


def test_timestamps_of_moto_are_cloud_time(start_cloud: Callable[..., LocalCloud]) -> None:
    server = start_cloud(services=_SERVICES, speed=100_000)
    s3 = server.cloud.client("s3", ACCOUNT, "us-east-1")
    s3.create_bucket(Bucket="bucket")
    before = server.cloud.clock.timestamp()
    s3.put_object(Bucket="bucket", Key="k", Body=b"")
    after = server.cloud.clock.timestamp()
    stamp = s3.list_objects_v2(Bucket="bucket")["Contents"][0]["LastModified"].timestamp()
    assert before - 1 <= stamp <= after + 1


def test_identifiers_do_not_repeat(start_cloud: Callable[..., LocalCloud]) -> None:
    server = start_cloud(services=_SERVICES)
    kms = server.cloud.client("kms", ACCOUNT, REGION)
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(4)]
    server.stop()
    server = start_cloud(services=_SERVICES)
    kms = server.cloud.client("kms", ACCOUNT, REGION)
    keys += [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(4)]
    assert len(set(keys)) == 8
    first, second = (kms.generate_random(NumberOfBytes=16)["Plaintext"] for _ in range(2))
    assert first != second


def test_reads_do_not_wait_for_a_write(start_cloud: Callable[..., LocalCloud]) -> None:
    server = start_cloud(services=_SERVICES)
    s3 = server.cloud.client("s3", ACCOUNT, "us-east-1")
    s3.create_bucket(Bucket="bucket")
    entered, go_on = threading.Event(), threading.Event()

    def slow(_document: dict[str, Any]) -> None:
        entered.set()
        assert go_on.wait(60)

    server.cloud.journal.register("slow", slow)
    writer = threading.Thread(target=server.cloud.journal.perform, args=("slow", {}))
    writer.start()
    assert entered.wait(60)
    assert s3.list_buckets()["Buckets"]
    go_on.set()
    writer.join()


def test_failed_calls_are_not_replayed(start_cloud: Callable[..., LocalCloud]) -> None:
    server = start_cloud(services=_SERVICES)
    s3 = server.cloud.client("s3", ACCOUNT, "us-east-1")
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.put_object(Bucket="none", Key="k", Body=b"")

    def fail(_document: dict[str, Any]) -> None:
        raise ZeroDivisionError

    server.cloud.journal.register("fails", fail)
    with pytest.raises(ZeroDivisionError):
        server.cloud.journal.perform("fails", {})
    assert server.cloud.ledger.read("moto") == []


def test_an_entry_that_cannot_be_replayed_is_logged_and_skipped(
    start_cloud: Callable[..., LocalCloud], caplog: pytest.LogCaptureFixture
) -> None:
    server = start_cloud(services=_SERVICES)
    server.cloud.journal.register("once", lambda _document: None)
    server.cloud.journal.perform("once", {"n": 1})
    server.cloud.client("s3", ACCOUNT, "us-east-1").create_bucket(Bucket="bucket")
    server.stop()
    server = start_cloud(services=_SERVICES)
    assert "Entry 1 of the journal is skipped: {'n': 1}: KeyError('once')" in caplog.text
    assert server.cloud.client("s3", ACCOUNT, "us-east-1").list_buckets()["Buckets"]


def test_a_kill_in_a_stream_of_writes_loses_nothing_acknowledged(tmp_path: Path) -> None:
    def run() -> tuple[subprocess.Popen[str], Any]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "localcloud",
                "--state",
                str(tmp_path),
                "--port",
                "0",
                "--gateway-port",
                "0",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        endpoint = process.stdout.readline().split()[-1]
        published = json.loads((tmp_path / "endpoint.json").read_text())
        return process, boto3.client(
            "s3", region_name="us-east-1", endpoint_url=endpoint, aws_access_key_id=ACCOUNT,
            aws_secret_access_key=published["secret_key"],
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    process, s3 = run()
    s3.create_bucket(Bucket="bucket")
    acknowledged: list[str] = []
    enough = threading.Event()

    def write(worker: int) -> None:
        for number in range(10_000):
            try:
                s3.put_object(Bucket="bucket", Key=f"{worker}-{number}", Body=str(number).encode())
            except Exception:  # noqa: BLE001  # the kill, as each client sees it
                return
            acknowledged.append(f"{worker}-{number}")
            if len(acknowledged) > 40:
                enough.set()

    workers = [threading.Thread(target=write, args=(each,)) for each in range(3)]
    for worker in workers:
        worker.start()
    assert enough.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    for worker in workers:
        worker.join()

    process, s3 = run()
    try:
        found = (
            s3.get_paginator("list_objects_v2").paginate(Bucket="bucket").search("Contents[].Key")
        )
        assert set(acknowledged) <= set(found)
        last = acknowledged[-1]
        assert (
            s3.get_object(Bucket="bucket", Key=last)["Body"].read() == last.split("-")[1].encode()
        )
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        process.communicate()


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"],
)
def test_an_object_with_a_form_content_type_keeps_its_bytes(
    start_cloud: Callable[..., LocalCloud], content_type: str
) -> None:
    s3 = start_cloud(services=()).cloud.client("s3", "111111111111", "eu-west-1")
    s3.create_bucket(Bucket="forms", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="forms", Key="form", Body=b"a=1&b=%20", ContentType=content_type)
    assert s3.get_object(Bucket="forms", Key="form")["Body"].read() == b"a=1&b=%20"
