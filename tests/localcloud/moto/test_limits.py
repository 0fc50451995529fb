"""AWS's own limits on the size and the form of what is sent to it.

Sources: "CloudFormation quotas" (user guide), "Lambda quotas" (developer guide), "PutLogEvents"
(CloudWatch Logs API reference), "PutEvents" (EventBridge API reference), "IAM and AWS STS quotas"
(IAM user guide), "Parameter Store tiers" (Systems Manager user guide), "PutMetricData" (CloudWatch
API reference).
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from botocore.exceptions import ClientError

from localcloud.cloudformation import limits
from localcloud.cloudformation.template import TemplateError, parse
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT, REGION = "111111111111", "eu-west-1"
_TOPIC = {"Type": "AWS::SNS::Topic"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    server = LocalCloud(tmp_path_factory.mktemp("state"), delays=NO_DELAYS)
    server.start()
    yield lambda service: server.cloud.client(service, ACCOUNT, REGION)
    server.stop()


def _padded(size: int) -> str:
    """Return a template of exactly this many bytes."""
    template: dict[str, Any] = {"Resources": {"T": _TOPIC}, "Metadata": {"Padding": ""}}
    template["Metadata"]["Padding"] = "x" * (size - len(json.dumps(template)))
    return json.dumps(template)


def test_an_inline_template_has_51200_bytes(client: Callable[[str], Any]) -> None:
    cloudformation = client("cloudformation")
    cloudformation.validate_template(TemplateBody=_padded(limits.MAX_INLINE_BYTES))
    with pytest.raises(
        ClientError, match=r"'templateBody' failed .* length less than or equal to 51200"
    ):
        cloudformation.create_stack(
            StackName="large", TemplateBody=_padded(limits.MAX_INLINE_BYTES + 1)
        )
    assert cloudformation.describe_stacks()["Stacks"] == []


def test_an_uploaded_template_has_1000000_bytes(client: Callable[[str], Any]) -> None:
    client("s3").create_bucket(
        Bucket="templates", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    url = "https://templates.s3.eu-west-1.amazonaws.com/t"
    for size in (limits.MAX_UPLOADED_BYTES, limits.MAX_UPLOADED_BYTES + 1):
        client("s3").put_object(Bucket="templates", Key="t", Body=_padded(size).encode())
        if size == limits.MAX_UPLOADED_BYTES:
            client("cloudformation").validate_template(TemplateURL=url)
    with pytest.raises(ClientError, match="Template may not exceed 1000000 bytes in size"):
        client("cloudformation").validate_template(TemplateURL=url)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            {"Resources": {f"T{n}": _TOPIC for n in range(501)}},
            "Number of resources, 501, is greater than maximum allowed, 500",
        ),
        (
            {"Parameters": {f"P{n}": {"Type": "String"} for n in range(201)}},
            "Number of parameters, 201, is greater than maximum allowed, 200",
        ),
        (
            {"Outputs": {f"O{n}": {"Value": "v"} for n in range(201)}},
            "Number of outputs, 201, is greater than maximum allowed, 200",
        ),
        ({"Description": "x" * 1025}, "'Description' length is greater than 1024"),
    ],
)
def test_a_template_declares_no_more_than_on_aws(template: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        limits.check_declarations({"Resources": {"T": _TOPIC}} | template)


@pytest.mark.parametrize("name", ["with_underscore", "1st", "x" * 129, ""])
def test_a_stack_name_is_one_of_aws(name: str) -> None:
    with pytest.raises(TemplateError, match="at 'stackName' failed to satisfy constraint"):
        limits.check_stack_name(name)


@pytest.mark.parametrize(
    "text",
    [
        '{"Resources": {"T": {"Type": "AWS::SNS::Topic"},}}',
        '{"Resources": {"T": {"Type": "AWS::SNS::Topic", "Metadata": {"n": NaN}}}}',
        '{"Resources": {"T": {"Type": "AWS::SNS::Topic"}, "T": {"Type": "AWS::SQS::Queue"}}}',
        '{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}} trailing',
        '{"Resources": ' + "[" * 100_000,
    ],
)
def test_a_template_that_is_no_json_is_rejected(text: str) -> None:
    with pytest.raises(TemplateError, match="Template format error: JSON not well-formed"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "Resources:\n  T:\n    Type: AWS::SNS::Topic\n  T:\n    Type: AWS::SQS::Queue\n",
        "Resources: {T: [",
        "Resources: !!python/object:os.system {}",
    ],
)
def test_a_template_that_is_no_yaml_is_rejected(text: str) -> None:
    with pytest.raises(TemplateError, match="Template format error: YAML not well-formed"):
        parse(text)


def test_yaml_merges_its_anchors() -> None:
    text = "Resources:\n  A: &a\n    Type: AWS::SNS::Topic\n  B:\n    <<: *a\n"
    assert parse(text)["Resources"]["B"] == _TOPIC


@pytest.mark.parametrize("body", [b'{"limit": NaN}', b'{"limit": 1,}', b"[]", b"{" * 50_000])
@pytest.mark.parametrize("service", ["logs", "lambda"])
def test_a_request_that_is_no_json_is_rejected(
    client: Callable[[str], Any], service: str, body: bytes
) -> None:
    """Of the JSON protocol, and of the REST-JSON protocol, which has no target."""
    scope = f"{ACCOUNT}/20260101/{REGION}/{service}/aws4_request"
    target = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups"} if service == "logs" else {}
    answer = requests.post(
        f"{client(service).meta.endpoint_url}/2015-03-31/functions",
        data=body,
        headers=target
        | {
            "Content-Type": "application/x-amz-json-1.1" if target else "application/json",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, "
            f"Signature={'0' * 64}",
        },
        timeout=60,
    )
    assert answer.status_code == 400
    assert answer.json()["__type"] == "SerializationException"


@pytest.mark.parametrize("body", [b'{"a": NaN', b'{"a": 1, "a": 2}', b"text"])
def test_an_object_may_have_a_json_content_type(client: Callable[[str], Any], body: bytes) -> None:
    s3 = client("s3")
    where = {"Bucket": f"json-{len(body)}"}
    s3.create_bucket(**where, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(**where, Key="k", Body=body, ContentType="application/json")
    assert s3.get_object(**where, Key="k")["Body"].read() == body


@pytest.mark.parametrize("text", ['{"Version": NaN}', '{"Version": 1, "Version": 1}', "{"])
def test_a_policy_that_is_no_json_is_rejected(client: Callable[[str], Any], text: str) -> None:
    """See "Grammar of the IAM JSON policy language" of the IAM user guide."""
    iam = client("iam")
    with pytest.raises(ClientError, match=r"MalformedPolicyDocument.*invalid Json"):
        iam.create_policy(PolicyName="malformed", PolicyDocument=text)
    with pytest.raises(ClientError, match=r"MalformedPolicyDocument.*invalid Json"):
        iam.create_role(RoleName="malformed", AssumeRolePolicyDocument=text)


def test_a_batch_of_log_events(client: Callable[[str], Any]) -> None:
    logs = client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")

    def put(number: int, size: int) -> None:
        events = [{"timestamp": int(time.time() * 1000), "message": "x" * size}] * number
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)

    put(1, 1_048_576 - 26)
    with pytest.raises(ClientError, match="Upload too large: 1048577 bytes exceeds"):
        put(1, 1_048_577 - 26)
    with pytest.raises(ClientError, match="length less than or equal to 10000"):
        put(10_001, 1)


def test_policies_of_iam(client: Callable[[str], Any]) -> None:
    iam = client("iam")

    def policy(size: int) -> str:
        statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Sid": "x"}
        statement["Sid"] = "x" * size
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="r",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    with pytest.raises(ClientError, match="Cannot exceed quota for PolicySize: 6144"):
        iam.create_policy(PolicyName="p", PolicyDocument=policy(6200))
    with pytest.raises(ClientError, match="10240"):
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=policy(10_300))
    with pytest.raises(ClientError, match="Cannot exceed quota for ACLSizePerRole: 2048"):
        iam.update_assume_role_policy(
            RoleName="r",
            PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": [trust | {"Sid": "x" * 2100}]}
            ),
        )


def test_other_services(client: Callable[[str], Any]) -> None:
    with pytest.raises(ClientError, match="maximum parameter value of 4096 characters"):
        client("ssm").put_parameter(Name="p", Type="String", Value="x" * 4097)
    entry = {"Source": "s", "DetailType": "d", "Detail": json.dumps({"x": "y" * 262_144})}
    with pytest.raises(ClientError, match="Total size of the entries"):
        client("events").put_events(Entries=[entry])
    with pytest.raises(ClientError, match="at most 1000"):
        client("cloudwatch").put_metric_data(
            Namespace="N", MetricData=[{"MetricName": "m", "Value": 1.0}] * 1001
        )


def test_a_request_of_metrics_has_1_mb_as_it_is_sent(client: Callable[[str], Any]) -> None:
    """See "PutMetricData" of the CloudWatch API reference; the compressed size counts."""
    dimensions = [{"Name": f"d{n}", "Value": "v" * 1000} for n in range(2)]
    data = [{"MetricName": f"m{n}", "Value": 1.0, "Dimensions": dimensions} for n in range(1000)]
    compressing = client("cloudwatch")
    compressing.put_metric_data(Namespace="N", MetricData=data)
    compressing.meta.config.disable_request_compression = True
    try:
        with pytest.raises(ClientError, match=r"Request size \d+ exceeded 1048576 bytes"):
            compressing.put_metric_data(Namespace="N", MetricData=data)
    finally:
        compressing.meta.config.disable_request_compression = False
