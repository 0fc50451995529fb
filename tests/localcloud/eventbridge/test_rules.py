from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud.core.ledger import Ledger
from localcloud.core.ports import InvocationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACCOUNT, REGION = "222222222222", "eu-west-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:judge"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/events"


def put(reached: Any, name: str, *targets: dict[str, Any], **rule: Any) -> str:
    arn: str = reached.events.put_rule(Name=name, **rule)["RuleArn"]
    if targets:
        answered = reached.events.put_targets(Rule=name, Targets=list(targets))
        assert answered["FailedEntryCount"] == 0
    return arn


def send(reached: Any, detail: Any = None, source: str = "mine") -> dict[str, Any]:
    entry = {"Source": source, "DetailType": "Thing Done", "Detail": json.dumps(detail or {})}
    answered: dict[str, Any] = reached.events.put_events(Entries=[entry])
    return answered


def seconds(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def next_day(reached: Any) -> Any:
    """Advance a day and return the invocation; simultaneous ones have no order."""
    reached.advance(86400)
    return reached.next()


def test_a_rate_invokes_its_function_period_by_period(reached: Any) -> None:
    before = reached.cloud.clock.timestamp()
    arn = put(
        reached,
        "daily",
        {"Id": "one", "Arn": f"{FUNCTION}:live"},
        ScheduleExpression="rate(1 day)",
    )
    calls = [next_day(reached) for _ in range(3)]
    assert {call["function"] for call in calls} == {(ACCOUNT, REGION, "judge", "live")}
    events = [call["payload"] for call in calls]
    assert events[0]["source"] == "aws.events"
    assert events[0]["detail-type"] == "Scheduled Event"
    assert events[0]["resources"] == [arn]
    assert seconds(events[0]) >= int(before) + 86400
    assert [seconds(event) - seconds(events[0]) for event in events] == [0, 86400, 172800]
    assert reached.functions.asked[0][-2:] == ("events.amazonaws.com", arn)
    reached.metrics.wait_for(3, "TriggeredRules", RuleName="daily")
    reached.metrics.wait_for(3, "Invocations", RuleName="daily")


def test_a_cron_fires_on_the_minute(reached: Any) -> None:
    put(reached, "cron", {"Id": "one", "Arn": FUNCTION}, ScheduleExpression="cron(7 9 * * ? *)")
    first, second = (next_day(reached)["payload"] for _ in range(2))
    assert seconds(first) % 86400 == 9 * 3600 + 7 * 60
    assert seconds(second) - seconds(first) == 86400


def test_a_disabled_rule_does_not_fire(reached: Any) -> None:
    target = {"Id": "one", "Arn": FUNCTION}
    put(reached, "off", target, EventPattern='{"source": ["mine"]}', State="DISABLED")
    put(reached, "on", target | {"Input": '"on"'}, EventPattern='{"source": ["mine"]}')
    send(reached)
    assert reached.next()["payload"] == "on"
    reached.events.disable_rule(Name="on")
    reached.events.enable_rule(Name="off")
    send(reached, {"second": True})
    assert reached.next()["payload"]["detail"] == {"second": True}
    assert reached.functions.invoked.empty()


def test_an_event_reaches_the_rules_that_match_it(reached: Any) -> None:
    pattern = {"source": ["mine"], "detail": {"size": [{"numeric": [">", 10]}]}}
    put(
        reached,
        "large",
        {
            "Id": "one",
            "Arn": FUNCTION,
            "InputTransformer": {
                "InputPathsMap": {"size": "$.detail.size"},
                "InputTemplate": '{"text": "size <size>"}',
            },
        },
        EventPattern=json.dumps(pattern),
    )
    send(reached, {"size": 5})
    send(reached, {"size": 50}, source="other")
    answered = send(reached, {"size": 50})
    assert answered["FailedEntryCount"] == 0
    assert answered["Entries"][0]["EventId"]
    assert reached.next()["payload"] == {"text": "size 50"}
    assert reached.functions.invoked.empty()


def test_events_of_the_developer_tools_reach_rules(reached: Any) -> None:
    put(
        reached,
        "failures",
        {"Id": "one", "Arn": FUNCTION},
        EventPattern='{"source": ["aws.codepipeline"], "detail": {"state": ["FAILED"]}}',
    )
    for state in ("STARTED", "FAILED"):
        reached.cloud.bus.publish(
            ACCOUNT, REGION, "aws.codepipeline", "State Change", {"state": state}, ("arn:p",)
        )
    event = reached.next()["payload"]
    assert (event["detail"], event["resources"], event["account"]) == (
        {"state": "FAILED"},
        ["arn:p"],
        ACCOUNT,
    )


def test_every_kind_of_target(reached: Any) -> None:
    sqs = reached.cloud.client("sqs", ACCOUNT, REGION)
    sns = reached.cloud.client("sns", ACCOUNT, REGION)
    queue = sqs.create_queue(QueueName="events")["QueueUrl"]
    topic = sns.create_topic(Name="events")["TopicArn"]
    logs = reached.cloud.client("logs", ACCOUNT, REGION)
    logs.create_log_group(logGroupName="/aws/events/all")
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:events",
        Attributes={"RawMessageDelivery": "true"},
    )
    arn = put(
        reached,
        "all",
        {"Id": "1", "Arn": topic, "Input": '"to the topic"'},
        {"Id": "2", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:events", "Input": '"to the queue"'},
        {"Id": "3", "Arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:delivery", "RoleArn": ROLE},
        {
            "Id": "4",
            "Arn": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/scan",
            "RoleArn": ROLE,
            "Input": '{"sourceVersion": "main"}',
        },
        {"Id": "5", "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/events/all"},
        EventPattern='{"source": ["mine"]}',
    )
    send(reached, {"n": 1})
    assert reached.pipelines.begun.get(timeout=60) == ("delivery", f"CloudWatchEvent: {arn}")
    build = reached.builds.started.get(timeout=60)
    assert (build.account, build.region, build.project) == (ACCOUNT, REGION, "scan")
    assert (build.source_version, build.initiator) == ("main", "rule/all")
    reached.metrics.wait_for(5, "Invocations", RuleName="all")
    got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert {each["Body"] for each in got} == {'"to the topic"', '"to the queue"'}
    [line] = logs.filter_log_events(logGroupName="/aws/events/all")["events"]
    assert json.loads(line["message"])["detail"] == {"n": 1}


def test_a_delivery_is_retried_until_it_succeeds(reached: Any) -> None:
    left = [2]

    def fail() -> None:
        if left[0]:
            left[0] -= 1
            raise InvocationError("TooManyRequestsException", "Rate exceeded")

    reached.functions.fail = fail
    put(reached, "again", {"Id": "one", "Arn": FUNCTION}, EventPattern='{"source": ["mine"]}')
    send(reached, {"n": 1})
    assert reached.next()["payload"]["detail"] == {"n": 1}
    reached.metrics.wait_for(1, "Invocations", RuleName="again")
    assert reached.cloud.ledger.all("schedules:delivery") == []


@pytest.mark.parametrize("case", ["no permission", "no function", "no more attempts", "too old"])
def test_an_undeliverable_event_is_dropped_with_a_metric(reached: Any, case: str) -> None:
    sqs = reached.cloud.client("sqs", ACCOUNT, REGION)
    name = f"dead-{case.replace(' ', '-')}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]

    def fail() -> None:
        code = "ResourceNotFoundException" if case == "no function" else "TooManyRequestsException"
        raise InvocationError(code, "no")

    reached.functions.fail = fail
    reached.functions.allowed = case != "no permission"
    policy = (
        {"MaximumRetryAttempts": 1}
        if case == "no more attempts"
        else {"MaximumEventAgeInSeconds": 60}
    )
    target = {
        "Id": "one",
        "Arn": FUNCTION,
        "RetryPolicy": policy,
        "DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"},
    }
    put(reached, name, target, EventPattern='{"source": ["mine"]}')
    send(reached, {"n": 1})
    reached.metrics.wait_for(1, "FailedInvocations", RuleName=name)
    [buried] = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])["Messages"]
    assert json.loads(buried["Body"])["detail"] == {"n": 1}
    assert buried["MessageAttributes"]["RULE_ARN"]["StringValue"].endswith(f"rule/{name}")
    assert reached.cloud.ledger.all("schedules:delivery") == []


def test_the_api_describes_what_was_put(reached: Any) -> None:
    put(
        reached,
        "told",
        {"Id": "b", "Arn": FUNCTION, "InputPath": "$.detail"},
        {"Id": "a", "Arn": FUNCTION, "RetryPolicy": {"MaximumRetryAttempts": 3}},
        ScheduleExpression="rate(2 days)",
        Description="Every other day",
    )
    rule = reached.events.describe_rule(Name="told")
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(2 days)", "ENABLED")
    assert rule["Description"] == "Every other day"
    assert "EventPattern" not in rule
    targets = reached.events.list_targets_by_rule(Rule="told")["Targets"]
    assert [each["Id"] for each in targets] == ["b", "a"]
    assert targets[0]["InputPath"] == "$.detail"
    assert [each["Name"] for each in reached.events.list_rules(NamePrefix="to")["Rules"]] == [
        "told"
    ]
    names = reached.events.list_rule_names_by_target(TargetArn=FUNCTION)["RuleNames"]
    assert names == ["told"]
    with pytest.raises(ClientError, match="since it has targets"):
        reached.events.delete_rule(Name="told")
    removed = reached.events.remove_targets(Rule="told", Ids=["a", "b", "c"])
    assert removed["FailedEntryCount"] == 1
    reached.events.delete_rule(Name="told")
    with pytest.raises(ClientError) as caught:
        reached.events.describe_rule(Name="told")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert reached.events.list_event_buses()["EventBuses"][0]["Name"] == "default"
    assert reached.events.describe_event_bus()["Arn"].endswith("event-bus/default")
    assert reached.events.test_event_pattern(
        EventPattern='{"source": [{"prefix": "m"}]}', Event='{"source": "mine"}'
    )["Result"]


@pytest.mark.parametrize(
    ("rule", "code", "message"),
    [
        ({}, "ValidationException", "must be specified"),
        ({"ScheduleExpression": "rate(1 minutes)"}, "ValidationException", "singular"),
        ({"EventPattern": '{"a": 1}'}, "InvalidEventPatternException", "is not valid. Reason"),
        (
            {"EventPattern": '{"a": [1]}', "EventBusName": "other"},
            "ResourceNotFoundException",
            "Event bus other",
        ),
    ],
)
def test_an_invalid_rule_is_an_error(reached: Any, rule: Any, code: str, message: str) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        reached.events.put_rule(Name="wrong", **rule)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"Arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/c"}, "cluster/c is not part of"),
        ({"Arn": FUNCTION, "KinesisParameters": {"PartitionKeyPath": "$"}}, "KinesisParameters"),
        ({"Arn": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/p"}, "RoleArn is required"),
        ({"Arn": FUNCTION, "Input": "{"}, "JSON syntax error"),
        (
            {"Arn": FUNCTION, "InputTransformer": {"InputTemplate": "<x>"}},
            "Invalid InputTemplate",
        ),
    ],
)
def test_an_unsupported_target_is_an_error(reached: Any, target: Any, message: str) -> None:
    put(reached, "rule", EventPattern='{"source": ["mine"]}')
    with pytest.raises(ClientError, match=message):
        reached.events.put_targets(Rule="rule", Targets=[{"Id": "one"} | target])
    assert reached.events.list_targets_by_rule(Rule="rule")["Targets"] == []


def test_at_most_five_targets(reached: Any) -> None:
    put(reached, "rule", EventPattern='{"source": ["mine"]}')
    targets = [{"Id": str(number), "Arn": FUNCTION} for number in range(6)]
    with pytest.raises(ClientError) as caught:
        reached.events.put_targets(Rule="rule", Targets=targets)
    assert caught.value.response["Error"]["Code"] == "LimitExceededException"


def test_events_that_are_not_valid_fail_alone(reached: Any) -> None:
    good = {"Source": "mine", "DetailType": "d", "Detail": "{}"}
    answered = reached.events.put_events(
        Entries=[
            good,
            good | {"Detail": "[]"},
            good | {"Source": "aws.ec2"},
            good | {"EventBusName": "other"},
            {"Source": "mine", "Detail": "{}"},
        ]
    )
    assert answered["FailedEntryCount"] == 4
    assert [each.get("ErrorCode") for each in answered["Entries"]] == [
        None,
        "MalformedDetail",
        "NotAuthorizedForSourceException",
        "ResourceNotFoundException",
        "InvalidArgument",
    ]


def test_a_template_creates_updates_and_deletes_a_rule(reached: Any) -> None:
    # The shape of CDK's `events.Rule` with a Lambda target.
    properties: dict[str, Any] = {
        "EventPattern": {"source": ["mine"]},
        "State": "ENABLED",
        "Targets": [
            {"Id": "Target0", "Arn": FUNCTION, "RetryPolicy": {"MaximumRetryAttempts": "2"}}
        ],
    }
    rule = {"Rule": {"Type": "AWS::Events::Rule", "Properties": properties}}
    stack = reached.deploy(rule)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack["Reasons"]
    assert len(reached.events.list_rules()["Rules"]) == 1
    send(reached, {"n": 1})
    assert reached.next()["payload"]["detail"] == {"n": 1}
    properties["Targets"] = [{"Id": "Target1", "Arn": FUNCTION, "Input": '"changed"'}]
    assert reached.deploy(rule)["StackStatus"] == "UPDATE_COMPLETE"
    send(reached)
    assert reached.next()["payload"] == "changed"
    assert reached.functions.invoked.empty()
    reached.delete()
    assert reached.events.list_rules()["Rules"] == []


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ({"Type": "AWS::Events::EventBus", "Properties": {"Name": "b"}}, "AWS::Events::EventBus"),
        (
            {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "ScheduleExpression": "rate(1 day)",
                    "Targets": [{"Id": "a", "Arn": "arn:aws:ecs:x", "EcsParameters": {}}],
                },
            },
            "EcsParameters of target arn:aws:ecs:x is not part of the local cloud",
        ),
        (
            {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "cron(1)"}},
            "Parameter ScheduleExpression is not valid",
        ),
    ],
)
def test_an_unsupported_template_is_an_error(reached: Any, resource: Any, reason: str) -> None:
    stack = reached.deploy({"It": resource})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any(reason in each for each in stack["Reasons"]), stack["Reasons"]
    reached.delete()
    assert reached.events.list_rules()["Rules"] == []


_PROCESS = """
import sys
from pathlib import Path
from types import SimpleNamespace
from localcloud.compose import Substitutes
from localcloud.core.ports import InvocationError
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud

def throttled(*_arguments, **_named):
    raise InvocationError("TooManyRequestsException", "Rate exceeded")

fakes = Substitutes(
    event_functions=SimpleNamespace(queue=throttled, allows=lambda *_a, **_n: True),
    metrics=SimpleNamespace(put=lambda *_arguments: None),
)
server = LocalCloud(
    Path(sys.argv[1]), services=("logs", "schedules"), delays=NO_DELAYS, substitutes=fakes
)
server.start()
print(server.cloud.endpoint, flush=True)
sys.stdin.read()
"""


def test_an_acknowledged_event_survives_a_kill(
    tmp_path: Path, start: Callable[[Path], Any]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROCESS, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    with process:
        assert process.stdout is not None
        killed = SimpleNamespace(
            events=boto3.client(
                "events",
                endpoint_url=process.stdout.readline().strip(),
                region_name=REGION,
                aws_access_key_id=ACCOUNT,
                aws_secret_access_key=json.loads((tmp_path / "endpoint.json").read_text())[
                    "secret_key"
                ],
            )
        )
        put(killed, "kept", {"Id": "one", "Arn": FUNCTION}, EventPattern='{"source": ["mine"]}')
        put(killed, "daily", ScheduleExpression="rate(1 day)")
        send(killed, {"n": 1})
        process.send_signal(signal.SIGKILL)
    again = start(tmp_path)
    assert again.next()["payload"]["detail"] == {"n": 1}
    rules = again.events.list_rules()["Rules"]
    assert [each["Name"] for each in rules] == ["daily", "kept"]


def test_missed_triggers_are_not_run_after_a_restart(
    tmp_path: Path, start: Callable[[Path], Any]
) -> None:
    first = start(tmp_path)
    put(first, "daily", {"Id": "one", "Arn": FUNCTION}, ScheduleExpression="rate(1 day)")
    next_day(first)
    first.server.stop()
    # Ten days pass.
    ledger = Ledger(tmp_path)
    later = first.cloud.clock.timestamp() + 10 * 86400
    ledger.put("clock", "last", {"timestamp": later})
    ledger.close()
    assert seconds(next_day(start(tmp_path))["payload"]) > later
