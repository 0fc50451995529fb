"""Alarm actions need the policies of topics, keys and functions."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "222222222222", "eu-west-1"
HERE = f"{REGION}:{ACCOUNT}"
ALARM = f"arn:aws:cloudwatch:{HERE}:alarm:errors"
DEFINITION: dict[str, Any] = {
    "MetricName": "Errors", "Namespace": "N", "Statistic": "Sum", "Period": 60,
    "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
}  # fmt: skip
SERVICES = ("logs", "cloudwatch", "functions")


@pytest.fixture
def server(start_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    return start_cloud(services=SERVICES, iam="enforce")


def act(server: LocalCloud, start_cloud: Callable[..., LocalCloud], target: str) -> dict[str, Any]:
    """Return the history item of an alarm's only action."""
    client = server.cloud.client("cloudwatch", ACCOUNT, REGION)
    client.put_metric_alarm(AlarmName="errors", AlarmActions=[target], **DEFINITION)
    client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="by hand")
    server.stop()  # returns after all due actions
    again = start_cloud(services=("logs", "cloudwatch"), iam="enforce")
    client = again.cloud.client("cloudwatch", ACCOUNT, REGION)
    found = client.describe_alarm_history(AlarmName="errors", HistoryItemType="Action")
    [item] = found["AlarmHistoryItems"]
    data: dict[str, Any] = json.loads(item["HistoryData"])
    return data | {"summary": item["HistorySummary"]}


def topic(server: LocalCloud, *statements: dict[str, Any], **attributes: str) -> str:
    """Create a topic with these statements instead of the default policy."""
    if statements:
        stated = [{"Effect": "Allow"} | each for each in statements]
        attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": stated})
    sns = server.cloud.client("sns", ACCOUNT, REGION)
    return str(sns.create_topic(Name="ops", Attributes=attributes)["TopicArn"])


def allow_statement(resource: str, service: str, **more: Any) -> dict[str, Any]:
    principal = {"Service": f"{service}.amazonaws.com"}
    return {"Principal": principal, "Action": "sns:Publish", "Resource": resource} | more


def test_a_new_topics_policy_allows_alarms_of_its_account_to_publish(
    server: LocalCloud, start_cloud: Callable[..., LocalCloud]
) -> None:
    assert act(server, start_cloud, topic(server))["actionState"] == "Succeeded"


def test_a_policy_that_names_cloudwatch_allows_it_to_publish(
    server: LocalCloud, start_cloud: Callable[..., LocalCloud]
) -> None:
    condition = {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": ALARM},
    }
    arn = topic(server, allow_statement("*", "cloudwatch", Condition=condition))
    assert act(server, start_cloud, arn)["actionState"] == "Succeeded"


def test_a_policy_without_cloudwatch_fails_the_action(
    server: LocalCloud, start_cloud: Callable[..., LocalCloud]
) -> None:
    arn = topic(server, allow_statement("*", "events"))
    said = act(server, start_cloud, arn)
    error = (
        f"Resource: {ALARM} is not authorized to perform: SNS:Publish on resource: {arn} because "
        "no resource-based policy allows the SNS:Publish action"
    )
    assert (said["actionState"], said["error"]) == ("Failed", error)
    assert said["summary"] == f'Failed to execute action {arn}. Received error: "{error}"'


@pytest.mark.parametrize("key", ["alias/aws/sns", "customer"])
def test_a_topics_key_must_allow_cloudwatch_to_encrypt(
    server: LocalCloud, start_cloud: Callable[..., LocalCloud], key: str
) -> None:
    if key == "customer":
        kms = server.cloud.client("kms", ACCOUNT, REGION)
        key = kms.create_key()["KeyMetadata"]["Arn"]
    said = act(server, start_cloud, topic(server, KmsMasterKeyId=key))
    assert said["error"] == (
        "CloudWatch Alarms does not have authorization to access the SNS topic encryption key."
    )


@pytest.mark.parametrize("source", ["errors", "another", ""], ids=["allowed", "other", "none"])
def test_a_function_must_allow_the_alarm_to_invoke_it(
    server: LocalCloud, start_cloud: Callable[..., LocalCloud], source: str
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): pass")
    trust = {"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = server.cloud.client("iam", ACCOUNT, REGION).create_role(
        RoleName="function",
        AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow"} | trust}
        ),
    )["Role"]["Arn"]
    client = server.cloud.client("lambda", ACCOUNT, REGION)
    function = client.create_function(
        FunctionName="act",
        Role=role,
        Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
        Handler="app.handler",
        Code={"ZipFile": content.getvalue()},
    )["FunctionArn"]
    if source:
        client.add_permission(
            FunctionName="act",
            StatementId="alarm",
            Action="lambda:InvokeFunction",
            Principal="lambda.alarms.cloudwatch.amazonaws.com",
            SourceAccount=ACCOUNT,
            SourceArn=ALARM.replace("errors", source),
        )
    said = act(server, start_cloud, function)
    if source == "errors":
        assert said["actionState"] == "Succeeded", said
    else:
        assert said["error"] == (
            f"Resource: {ALARM} is not authorized to perform: lambda:InvokeFunction on resource: "
            f"{function} because no resource-based policy allows the lambda:InvokeFunction action"
        )
