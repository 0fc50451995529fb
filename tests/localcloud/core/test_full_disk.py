"""A full disk: a rejected write stores nothing, and its client gets the reason."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from localcloud.codeconnections.authentication import sign
from localcloud.core.ledger import Ledger
from localcloud.core.storage import FullDiskError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
_SERVICES = ("logs", "sts")


@contextmanager
def _full(ledger: Ledger) -> Iterator[None]:
    """Make SQLite report a full disk: the file may not grow by one page.

    The free space within its pages is filled first.
    """
    ((most,),) = ledger.query("PRAGMA max_page_count")
    ledger.query("PRAGMA max_page_count = 1")
    try:
        for number in range(100_000):
            ledger.put("filler", str(number), {"text": "x" * 100})
    except StorageError:
        pass
    yield
    ledger.query(f"PRAGMA max_page_count = {most}")
    for key, _ in ledger.all("filler"):
        ledger.delete("filler", key)


def _exchange(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.delete("filler", "0")
        ledger.put("kind", "big", {"text": "x" * 10_000})


def test_a_rejected_write_is_an_error_and_stores_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with _full(ledger):
        with pytest.raises(
            FullDiskError,
            match=r"ledger.sqlite: the disk is full; nothing of this request was stored\. "
            r"Free disk space, then repeat the request",
        ):
            ledger.put("kind", "big", {"text": "x" * 10_000})
        with pytest.raises(FullDiskError):
            ledger.append("stream", {"text": "x" * 10_000})
        with pytest.raises(FullDiskError):
            _exchange(ledger)
        assert ledger.get("filler", "0")
    ledger.put("kind", "after", {})
    ledger.close()
    ledger = Ledger(tmp_path)
    assert [key for key, _ in ledger.all("kind")] == ["after"]
    assert ledger.read("stream") == []
    ledger.close()


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from localcloud.core.ledger import Ledger
from localcloud.core.storage import StorageError
ledger = Ledger(Path(sys.argv[1]))
ledger.put("kind", "before", {})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
refused = 0
for number in range(50):
    try:
        ledger.put("kind", str(number), {"text": "x" * 20_000})
    except StorageError:
        refused += 1
    else:
        print(number)
try:
    ledger.store(b"y" * 400_000)
except StorageError:
    print("blob")
assert refused
"""


def test_a_partial_write_corrupts_nothing(tmp_path: Path) -> None:
    """The files may not grow beyond a size, so the write at the end is partial."""
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *stored, blob = done.stdout.split()
    assert blob == "blob"
    assert list((tmp_path / "blobs").iterdir()) == []
    ledger = Ledger(tmp_path)
    assert {key for key, _ in ledger.all("kind")} == {"before", *stored}
    ledger.close()


def _refused(call: Callable[[], Any]) -> None:
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 507, answer
    assert answer["Error"]["Code"] == "InternalFailure"
    assert "the disk is full" in answer["Error"]["Message"]
    assert "repeat the request" in answer["Error"]["Message"]


def test_moto_drops_a_write_that_the_disk_rejected(start_cloud: Callable[..., LocalCloud]) -> None:
    server = start_cloud(services=_SERVICES)

    def client(service: str) -> Any:
        return server.cloud.client(service, ACCOUNT, REGION)

    def held() -> list[Any]:
        return [
            [
                each["Key"]
                for each in client("s3").list_objects_v2(Bucket="bucket").get("Contents", [])
            ],
            [each["Name"] for each in client("ssm").describe_parameters()["Parameters"]],
            [each["TopicArn"] for each in client("sns").list_topics()["Topics"]],
        ]

    where = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    client("s3").create_bucket(Bucket="bucket", **where)
    client("s3").put_object(Bucket="bucket", Key="before", Body=b"1")
    before = held()
    with _full(server.cloud.ledger):
        _refused(lambda: client("s3").put_object(Bucket="bucket", Key="k", Body=b"x" * 3000))
        _refused(lambda: client("ssm").put_parameter(Name="p", Type="String", Value="x" * 3000))
        _refused(lambda: client("kms").create_key(Description="x" * 4000))
        assert held() == before
    client("s3").put_object(Bucket="bucket", Key="after", Body=b"1")
    after = held()
    server.stop()
    server = start_cloud(services=_SERVICES)
    assert held() == after == [["after", "before"], [], []]


_TRUST = {
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": ["codebuild.amazonaws.com", "lambda.amazonaws.com"]},
        "Action": "sts:AssumeRole",
    }
}
_FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "FunctionName": "f",
        "Runtime": RUNTIME,
        "Architectures": [ARCHITECTURE],
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": "def handler(event, context): return 1"},
    },
}
_PROJECT = {
    "Type": "AWS::CodeBuild::Project",
    "Properties": {
        "Name": "project",
        "ServiceRole": {"Fn::GetAtt": ["Role", "Arn"]},
        "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Environment": {
            "Type": "LINUX_CONTAINER",
            "ComputeType": "BUILD_GENERAL1_SMALL",
            "Image": "aws/codebuild/standard:7.0",
        },
        "Source": {"Type": "NO_SOURCE", "BuildSpec": "version: 0.2\nphases: {}\n"},
    },
}
_TEMPLATE = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": _TRUST},
        },
        "Function": _FUNCTION,
        "Project": _PROJECT,
    }
}


def test_services_drop_a_write_that_the_disk_rejected(
    start_cloud: Callable[..., LocalCloud],
) -> None:
    server = start_cloud()

    def client(service: str) -> Any:
        return server.cloud.client(service, ACCOUNT, REGION)

    def held() -> list[Any]:
        function = client("lambda").get_function(FunctionName="f")["Configuration"]
        return [
            [each["StackName"] for each in client("cloudformation").describe_stacks()["Stacks"]],
            client("cloudwatch").list_metrics(Namespace="N")["Metrics"],
            client("codebuild").list_builds()["ids"],
            function["CodeSha256"],
            client("logs").describe_log_groups(logGroupNamePrefix="new")["logGroups"],
            client("cloudwatch").describe_alarms()["MetricAlarms"],
        ]

    client("cloudformation").create_stack(
        StackName="before", TemplateBody=json.dumps(_TEMPLATE), Capabilities=["CAPABILITY_IAM"]
    )
    client("cloudformation").get_waiter("stack_create_complete").wait(StackName="before")
    before = held()
    large = "x" * 6000
    new = json.dumps(_TEMPLATE | {"Description": large[:1000], "Metadata": {"Large": large}})
    variables = [{"name": "LARGE", "value": large[:4096], "type": "PLAINTEXT"}]
    with _full(server.cloud.ledger):
        _refused(
            lambda: client("cloudformation").create_stack(
                StackName="new", TemplateBody=new, Capabilities=["CAPABILITY_IAM"]
            )
        )
        data = [
            {"MetricName": f"m{number}", "Value": 1.0, "Dimensions": [{"Name": "d", "Value": "v"}]}
            for number in range(500)
        ]
        _refused(lambda: client("cloudwatch").put_metric_data(Namespace="N", MetricData=data))
        _refused(
            lambda: [
                client("codebuild").start_build(
                    projectName="project", environmentVariablesOverride=variables
                )
                for _ in range(20)
            ]
        )
        _refused(
            lambda: client("lambda").update_function_configuration(
                FunctionName="f", Environment={"Variables": {"LARGE": large[:4000]}}
            )
        )
        _refused(
            lambda: client("logs").create_log_group(
                logGroupName="new", tags={f"{n}": "v" * 200 for n in range(40)}
            )
        )
        _refused(
            lambda: client("cloudwatch").put_metric_alarm(
                AlarmName="a", AlarmDescription="x" * 1000, MetricName="m", Namespace="N" * 200,
                ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, Period=60,
                Statistic="Sum", Threshold=1.0,
                AlarmActions=[f"arn:aws:sns:{REGION}:{ACCOUNT}:{'t' * 250}{n}" for n in range(5)],
            )
        )  # fmt: skip
        assert held()[0:2] == before[0:2]
        assert held()[3:] == before[3:]
        listed = held()[2]
    server.stop()
    server = start_cloud()
    assert held()[0:2] == before[0:2]
    assert held()[3:] == before[3:]
    assert sorted(held()[2]) == sorted(listed)


def test_a_push_is_rejected_before_git_stores_it(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_cloud(services=("sts", "codeconnections"))
    connections = server.cloud.codeconnections
    arn = connections.create(ACCOUNT, REGION, "c", "GitHub", {})
    connections.ensure_repository(arn, "acme/app")
    url = connections.clone_url(arn, "acme/app")
    user, password = sign(url, ACCOUNT, server.cloud.credentials.secret_key)
    url = url.replace("://", f"://{user}:{password}@")
    me = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        [*me, "commit", "--quiet", "--allow-empty", "--message", "m"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    push = ["git", "push", url, "HEAD:main"]
    with monkeypatch.context() as patched:
        patched.setattr("localcloud.core.storage.RESERVED_BYTES", 1 << 60)
        done = subprocess.run(push, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "the disk is full" in done.stderr
    assert connections.resolve(arn, "acme/app", "main") is None
    subprocess.run([*push, "--quiet"], cwd=tmp_path, check=True)
    assert connections.resolve(arn, "acme/app", "main")


def test_a_blob_that_the_disk_rejects_creates_no_object(
    start_cloud: Callable[..., LocalCloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_cloud(services=_SERVICES)
    s3 = server.cloud.client("s3", ACCOUNT, "us-east-1")
    s3.create_bucket(Bucket="bucket")

    def full(_self: Path, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", full)
        _refused(lambda: s3.put_object(Bucket="bucket", Key="k", Body=b"x" * 10_000))
    assert "Contents" not in s3.list_objects_v2(Bucket="bucket")
    assert len(server.cloud.ledger.read("moto")) == 1


def test_writes_are_rejected_before_the_disk_is_full(
    start_cloud: Callable[..., LocalCloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Running operations need the remaining space for their end; deletes free space."""
    server = start_cloud(services=_SERVICES)
    s3 = server.cloud.client("s3", ACCOUNT, "us-east-1")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=b"1")
    monkeypatch.setattr("localcloud.core.storage.RESERVED_BYTES", 1 << 60)
    _refused(lambda: s3.put_object(Bucket="bucket", Key="l", Body=b"1"))
    assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"1"
    s3.delete_object(Bucket="bucket", Key="k")
    assert "Contents" not in s3.list_objects_v2(Bucket="bucket")
