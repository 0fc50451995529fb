"""EventBridge: rejected rules and schedules, and a rule whose target is not invoked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.corpus.deliveries import (
    REGION,
    Watched,
    make_function,
    make_role,
    refusal,
    running,
    trust,
)
from tests.corpus.report import report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.server import LocalCloud

SERVICES = ("logs", "cloudwatch", "sts", "functions", "schedules", "cloudformation")
RATE = {"ScheduleExpression": "rate(1 hour)"}


class Events(Watched):
    """EventBridge in a separate account."""

    def __init__(self, server: LocalCloud) -> None:
        super().__init__(server)
        self.server = server
        self.events = server.cloud.client("events", self.account, REGION)
        self.scheduler = server.cloud.client("scheduler", self.account, REGION)

    def topic(self, number: int) -> dict[str, str]:
        """The topic that is a target."""
        arn = f"arn:aws:sns:{REGION}:{self.account}:topic-{number}"
        return {"Id": str(number), "Arn": arn}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with running(tmp_path_factory.mktemp("events"), *SERVICES) as started:
        yield started


@pytest.fixture
def reached(server: LocalCloud) -> Events:
    return Events(server)


@report(
    "buildkite/buildkite-agent-scaler#100",
    "EventBridge",
    situation="A rate has a plural unit with 1, or a singular unit with 3.",
    outcome="PutRule fails: Parameter ScheduleExpression is not valid.",
)
def test_the_unit_of_a_rate_agrees_with_its_number(reached: Events) -> None:
    for rate in ("rate(3 minute)", "rate(1 minutes)"):
        code, message = refusal(reached.events.put_rule, Name="timer", ScheduleExpression=rate)
        assert code == "ValidationException"
        assert message.startswith("Parameter ScheduleExpression is not valid")
    for rate in ("rate(2 minutes)", "rate(1 minute)"):
        reached.events.put_rule(Name="timer", ScheduleExpression=rate)


@report(
    "rebuy-de/aws-nuke#877",
    "EventBridge",
    situation="A rule with targets is deleted.",
    outcome="DeleteRule fails with a ValidationException until they are removed.",
)
def test_a_rule_with_targets_is_not_deleted(reached: Events) -> None:
    reached.events.put_rule(Name="timer", **RATE)
    reached.events.put_targets(Rule="timer", Targets=[reached.topic(1)])
    assert refusal(reached.events.delete_rule, Name="timer") == (
        "ValidationException",
        "Rule can't be deleted since it has targets.",
    )
    reached.events.remove_targets(Rule="timer", Ids=["1"])
    reached.events.delete_rule(Name="timer")
    assert reached.events.list_rules()["Rules"] == []


@report(
    "SWO-GS/athena-cloudtrail-partitioner#3",
    "EventBridge",
    situation="A scheduled rule's target is a function whose policy does not allow it.",
    outcome="The function is not invoked; only FailedInvocations counts it.",
)
def test_a_function_without_permission_for_the_rule_is_not_invoked(reached: Events) -> None:
    make_role(reached.server, reached.account, "runner", "lambda")
    arn = make_function(reached.server, reached.account, "partition")
    reached.alarm(
        "failed",
        Namespace="AWS/Events",
        MetricName="FailedInvocations",
        Dimensions=[{"Name": "RuleName", "Value": "timer"}],
    )
    reached.events.put_rule(Name="timer", ScheduleExpression="rate(1 minute)")
    put = reached.events.put_targets(Rule="timer", Targets=[{"Id": "1", "Arn": arn}])
    assert put["FailedEntryCount"] == 0
    reached.changes.wait("failed", "ALARM")
    assert reached.client.list_metrics(Namespace="AWS/Lambda")["Metrics"] == []


@report(
    "awslabs/aws-deployment-framework#455",
    "EventBridge",
    situation="A field of an event pattern is a string, not an array.",
    outcome="InvalidEventPatternException: the field must be an object or an array.",
)
def test_a_field_of_a_pattern_is_an_array(reached: Events) -> None:
    pattern = {"source": ["aws.codecommit"], "resources": "arn:aws:codecommit:r:1:pipelines"}
    code, message = refusal(
        reached.events.put_rule, Name="pushed", EventPattern=json.dumps(pattern)
    )
    assert code == "InvalidEventPatternException"
    assert message.startswith(
        'Event pattern is not valid. Reason: "resources" must be an object or an array'
    )


@report(
    "aws/serverless-application-model#1455",
    "EventBridge",
    situation="An event pattern has strings as values of `exists` and `numeric`.",
    outcome="The pattern is not valid: exists must be true or false.",
)
def test_true_in_a_pattern_is_not_a_string(reached: Events) -> None:
    for value in ([{"exists": "true"}], [{"numeric": [">", "25"]}]):
        pattern = json.dumps({"source": ["test"], "detail": {"age": value}})
        code, message = refusal(reached.events.put_rule, Name="aged", EventPattern=pattern)
        assert code == "InvalidEventPatternException"
        assert message.startswith("Event pattern is not valid. Reason: ")
        if "exists" in pattern:
            assert "exists match pattern must be either true or false." in message


@report(
    "uktrade/data-workspace-frontend#1248",
    "EventBridge",
    situation="A rule gets its sixth target.",
    outcome="PutTargets fails with a LimitExceededException; the five stay.",
)
def test_a_rule_has_five_targets(reached: Events) -> None:
    reached.events.put_rule(Name="daily", **RATE)
    reached.events.put_targets(Rule="daily", Targets=[reached.topic(n) for n in range(5)])
    assert refusal(reached.events.put_targets, Rule="daily", Targets=[reached.topic(5)]) == (
        "LimitExceededException",
        "The requested resource exceeds the maximum number allowed.",
    )
    assert len(reached.events.list_targets_by_rule(Rule="daily")["Targets"]) == 5


@report(
    "ansible/ansible-modules-extras#2101",
    "EventBridge",
    situation="A rule has the role of a function, which trusts only Lambda.",
    outcome="PutRule fails: events.amazonaws.com cannot assume the role.",
)
def test_the_role_of_a_rule_trusts_eventbridge(reached: Events) -> None:
    role = make_role(reached.server, reached.account, "basic", "lambda")
    code, message = refusal(reached.events.put_rule, Name="timer", RoleArn=role, **RATE)
    assert code == "ValidationException"
    assert f"Provided role '{role}' cannot be assumed by principal 'events.amazonaws.com'" in (
        message
    )
    iam = reached.server.cloud.client("iam", reached.account, REGION)
    iam.update_assume_role_policy(RoleName="basic", PolicyDocument=trust("lambda", "events"))
    reached.events.put_rule(Name="timer", RoleArn=role, **RATE)


@report(
    "aws/aws-sdk-js-v3#6494",
    "EventBridge",
    situation="A schedule is made with a role whose trust policy does not name Scheduler.",
    outcome="CreateSchedule fails: the role must allow Scheduler to assume it.",
)
def test_the_role_of_a_schedule_trusts_scheduler(reached: Events) -> None:
    target: dict[str, Any] = {
        "Arn": f"arn:aws:lambda:{REGION}:{reached.account}:function:f",
        "RoleArn": make_role(reached.server, reached.account, "schedule", "events"),
    }
    parameters = {
        "Name": "nightly",
        "Target": target,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ScheduleExpression": "rate(1 day)",
    }
    assert refusal(reached.scheduler.create_schedule, **parameters) == (
        "ValidationException",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    )
    iam = reached.server.cloud.client("iam", reached.account, REGION)
    iam.update_assume_role_policy(RoleName="schedule", PolicyDocument=trust("scheduler"))
    reached.scheduler.create_schedule(**parameters)
