"""Rules and schedules need permissions for their targets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from tests.localcloud.eventbridge.conftest import ACCOUNT, REGION, SERVICES, Events, Fakes, document

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = f"{REGION}:{ACCOUNT}"
PIPELINE = f"arn:aws:codepipeline:{HERE}:delivery"
PROJECT = f"arn:aws:codebuild:{HERE}:project/scan"
FUNCTION = f"arn:aws:lambda:{HERE}:function:judge"
TOPIC, QUEUE = f"arn:aws:sns:{HERE}:told", f"arn:aws:sqs:{HERE}:told"
PATTERN = '{"source": ["mine"]}'
DEAD = {"DeadLetterConfig": {"Arn": f"arn:aws:sqs:{HERE}:dead"}}
ENTRY = {"Source": "mine", "DetailType": "Thing Done", "Detail": "{}"}
EVENTS = {"Principal": {"Service": "events.amazonaws.com"}}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, fakes: Fakes) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("guarded")
    made = LocalCloud(
        folder,
        services=SERVICES,
        speed=600,
        iam="enforce",
        delays=NO_DELAYS,
        substitutes=fakes.substitutes,
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def reached(guarded: LocalCloud, fakes: Fakes) -> Iterator[Events]:
    """A topic and two queues; `dead` is the dead-letter queue."""
    made = Events(guarded, fakes)
    made.cloud.client("sns", ACCOUNT, REGION).create_topic(Name="told")
    sqs = made.cloud.client("sqs", ACCOUNT, REGION)
    for name in ("told", "dead"):
        sqs.create_queue(QueueName=name)
    allow_queue(made, "dead", "rule/*")
    yield made
    made.close()
    for name in ("told", "dead"):
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def set_queue_policy(reached: Events, name: str, policy: str) -> None:
    sqs = reached.cloud.client("sqs", ACCOUNT, REGION)
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def from_rule(resource: str, action: str, source: str) -> dict[str, Any]:
    """Return CDK's statement that allows a rule to send."""
    condition = {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{HERE}:{source}"}}
    return EVENTS | {"Action": action, "Resource": resource, "Condition": condition}


def allow_queue(reached: Events, name: str, source: str) -> None:
    arn = f"arn:aws:sqs:{HERE}:{name}"
    set_queue_policy(reached, name, document(from_rule(arn, "sqs:SendMessage", source)))


def fire(reached: Events, name: str, target: dict[str, Any]) -> str:
    """Create and trigger a rule with one target and a dead-letter queue; return its ARN."""
    rule: str = reached.events.put_rule(Name=name, EventPattern=PATTERN)["RuleArn"]
    reached.events.put_targets(Rule=name, Targets=[{"Id": "one"} | target | DEAD])
    reached.events.put_events(Entries=[ENTRY])
    return rule


def buried(reached: Events, rule: str) -> tuple[str, str]:
    """Return code and message of a rule's entry in the dead-letter queue."""
    reached.metrics.wait_for(1, "FailedInvocations", RuleName=rule)
    sqs = reached.cloud.client("sqs", ACCOUNT, REGION)
    url = sqs.get_queue_url(QueueName="dead")["QueueUrl"]
    [message] = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    told = message["MessageAttributes"]
    return told["ERROR_CODE"]["StringValue"], told["ERROR_MESSAGE"]["StringValue"]


@pytest.mark.parametrize(
    ("action", "target"),
    [("codepipeline:StartPipelineExecution", PIPELINE), ("codebuild:StartBuild", PROJECT)],
    ids=["pipeline", "build"],
)
def test_a_rule_uses_the_role_of_its_target(reached: Events, action: str, target: str) -> None:
    name = target.split(":")[2]
    role = reached.role("events", {"Action": "s3:GetObject", "Resource": "*"})
    fire(reached, f"{name}-denied", {"Arn": target, "RoleArn": role})
    assert buried(reached, f"{name}-denied") == (
        "NO_PERMISSIONS",
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/events/events is not authorized to perform: "
        f"{action} on resource: {target} because no identity-based policy allows the {action} "
        "action",
    )
    reached.events.remove_targets(Rule=f"{name}-denied", Ids=["one"])
    reached.role("events", {"Action": action, "Resource": target})
    fire(reached, f"{name}-allowed", {"Arn": target, "RoleArn": role})
    reached.metrics.wait_for(1, "Invocations", RuleName=f"{name}-allowed")
    assert reached.pipelines.begun.qsize() + reached.builds.started.qsize() == 1


def test_the_role_of_a_target_must_trust_eventbridge(reached: Events) -> None:
    role = reached.role("codebuild", {"Action": "*", "Resource": "*"})
    text = f"Provided role '{role}' cannot be assumed by principal 'events.amazonaws.com'."
    with pytest.raises(ClientError, match=text):
        fire(reached, "untrusted", {"Arn": PIPELINE, "RoleArn": role})


def test_a_role_that_no_longer_trusts_eventbridge_delivers_nothing(reached: Events) -> None:
    iam = reached.cloud.client("iam", ACCOUNT, REGION)
    role = reached.role("events", {"Action": "*", "Resource": "*"})
    trust = iam.get_role(RoleName="events")["Role"]["AssumeRolePolicyDocument"]
    reached.events.put_rule(Name="distrusted", EventPattern=PATTERN)
    target = {"Id": "one", "Arn": PIPELINE, "RoleArn": role} | DEAD
    reached.events.put_targets(Rule="distrusted", Targets=[target])
    theirs = json.dumps(trust).replace("events.amazonaws.com", "lambda.amazonaws.com")
    iam.update_assume_role_policy(RoleName="events", PolicyDocument=theirs)
    reached.events.put_events(Entries=[ENTRY])
    assert buried(reached, "distrusted") == (
        "NO_PERMISSIONS",
        f"the trust policy of {role} does not allow events.amazonaws.com to assume it",
    )
    iam.update_assume_role_policy(RoleName="events", PolicyDocument=json.dumps(trust))


def test_a_topic_must_allow_a_rule_to_publish(reached: Events) -> None:
    rule = fire(reached, "topic-denied", {"Arn": TOPIC})
    assert buried(reached, "topic-denied") == (
        "NO_PERMISSIONS",
        f"Resource: {rule} is not authorized to perform: SNS:Publish on resource: {TOPIC} because "
        "no resource-based policy allows the SNS:Publish action",
    )
    reached.events.remove_targets(Rule="topic-denied", Ids=["one"])
    reached.cloud.client("sns", ACCOUNT, REGION).set_topic_attributes(
        TopicArn=TOPIC,
        AttributeName="Policy",
        AttributeValue=document(from_rule(TOPIC, "sns:Publish", "rule/topic-allowed")),
    )
    fire(reached, "topic-allowed", {"Arn": TOPIC})
    reached.metrics.wait_for(1, "Invocations", RuleName="topic-allowed")
    assert not reached.metrics.total("FailedInvocations", RuleName="topic-allowed")


def test_a_queue_policy_may_allow_one_rule_to_send(reached: Events) -> None:
    allow_queue(reached, "told", "rule/queue-allowed")
    fire(reached, "queue-denied", {"Arn": QUEUE})
    assert "sqs:SendMessage" in buried(reached, "queue-denied")[1]
    reached.events.remove_targets(Rule="queue-denied", Ids=["one"])
    fire(reached, "queue-allowed", {"Arn": QUEUE})
    reached.metrics.wait_for(1, "Invocations", RuleName="queue-allowed")
    assert not reached.metrics.total("FailedInvocations", RuleName="queue-allowed")


def test_a_queue_under_a_customers_key_needs_the_key(reached: Events) -> None:
    key = reached.cloud.client("kms", ACCOUNT, REGION).create_key()["KeyMetadata"]["Arn"]
    sqs = reached.cloud.client("sqs", ACCOUNT, REGION)
    arn = f"arn:aws:sqs:{HERE}:encrypted"
    policy = document(from_rule(arn, "sqs:SendMessage", "rule/*"))
    sqs.create_queue(QueueName="encrypted", Attributes={"KmsMasterKeyId": key, "Policy": policy})
    fire(reached, "encrypted", {"Arn": arn})
    code, message = buried(reached, "encrypted")
    assert code == "NO_PERMISSIONS"
    assert f"is not authorized to perform: kms:GenerateDataKey on resource: {key}" in message


def test_a_logs_resource_policy_allows_a_rule_to_write(reached: Events) -> None:
    logs = reached.cloud.client("logs", ACCOUNT, REGION)
    logs.create_log_group(logGroupName="/aws/events/told")
    group = f"arn:aws:logs:{HERE}:log-group:/aws/events/told"
    rule = fire(reached, "log-denied", {"Arn": group})
    assert buried(reached, "log-denied") == (
        "NO_PERMISSIONS",
        f"Resource: {rule} is not authorized to perform: logs:CreateLogStream on resource: "
        f"{group}:log-stream:log-denied because no resource-based policy allows the "
        "logs:CreateLogStream action",
    )
    reached.events.remove_targets(Rule="log-denied", Ids=["one"])
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    policy = document(EVENTS | {"Action": actions, "Resource": f"{group}:*"})
    logs.put_resource_policy(policyName="events", policyDocument=policy)
    fire(reached, "log-allowed", {"Arn": group})
    reached.metrics.wait_for(1, "Invocations", RuleName="log-allowed")
    assert not reached.metrics.total("FailedInvocations", RuleName="log-allowed")


def test_a_rule_cannot_write_to_a_group_under_an_unusable_key(reached: Events) -> None:
    kms, logs = (reached.cloud.client(each, ACCOUNT, REGION) for each in ("kms", "logs"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    root = {"Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    service = {"Service": f"logs.{REGION}.amazonaws.com"}
    policy = document(root, {"Principal": service, "Action": "kms:*", "Resource": "*"})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    logs.create_log_group(logGroupName="/aws/events/sealed", kmsKeyId=key)
    group = f"arn:aws:logs:{HERE}:log-group:/aws/events/sealed"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    allowed = document(EVENTS | {"Action": actions, "Resource": f"{group}:*"})
    logs.put_resource_policy(policyName="sealed", policyDocument=allowed)
    kms.disable_key(KeyId=key)
    fire(reached, "sealed", {"Arn": group})
    message = "CloudWatch Logs may not use the KMS key of log group /aws/events/sealed"
    assert buried(reached, "sealed") == ("NO_PERMISSIONS", message)


def test_a_dead_letter_queue_without_a_policy_stays_empty(reached: Events) -> None:
    set_queue_policy(reached, "dead", "")
    fire(reached, "lost", {"Arn": TOPIC + "-absent"})
    reached.metrics.wait_for(1, "FailedInvocations", RuleName="lost")
    sqs = reached.cloud.client("sqs", ACCOUNT, REGION)
    url = sqs.get_queue_url(QueueName="dead")["QueueUrl"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def schedule(reached: Events, name: str, role: str) -> None:
    reached.scheduler.create_schedule(
        Name=name,
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": FUNCTION, "RoleArn": role, "Input": json.dumps(name)},
    )


def test_a_schedule_uses_its_role(reached: Events) -> None:
    role = reached.role(
        "scheduler", {"Action": "lambda:InvokeFunction", "Resource": "arn:aws:x:::"}
    )
    schedule(reached, "denied", role)
    reached.advance(86400)
    reached.cloud.schedules._timer.at(0.0, lambda: None)
    reached.close()
    reached.role("scheduler", {"Action": "lambda:InvokeFunction", "Resource": FUNCTION})
    schedule(reached, "allowed", role)
    reached.advance(86400)
    assert reached.next()["payload"] == "allowed"
    assert reached.functions.invoked.empty()


def test_a_schedule_requires_a_role_that_scheduler_can_assume(reached: Events) -> None:
    role = reached.role("events")
    with pytest.raises(ClientError) as refused:
        schedule(reached, "untrusted", role)
    error = refused.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"].startswith(
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role"
    )
