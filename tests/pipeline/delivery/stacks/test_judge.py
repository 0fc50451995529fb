"""The synthesised judge of prod: its permissions, its schedule, and its effects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from environments.schema import load, load_home
from pipeline.judge.arrival import ARRIVAL_BOUND
from pipeline.judge.settings import Settings
from pipeline.judge.statistics.judging import line
from pipeline.names import RAILS, again_role
from pipeline.planning.policy import parameters, shift


@pytest.fixture(scope="module")
def stack(assembly: Any) -> Any:
    return assembly.services["prod"]


def _only(stack: Any, type_: str) -> tuple[str, dict[str, Any]]:
    (found,) = ((key, each) for key, each in stack.of_type(type_).items() if "Judge" in key)
    return found


def _alarms(stack: Any, when: str) -> dict[str, dict[str, Any]]:
    return {
        key.removeprefix(f"Release{when}")[:-8]: each
        for key, each in stack.of_type("AWS::CloudWatch::Alarm").items()
        if key.startswith(f"Release{when}")
    }


def test_only_environments_that_shift_traffic_have_a_judge(assembly: Any) -> None:
    for name in ("dev", "staging"):
        text = assembly.services[name].path.read_text()
        assert "Judge" not in text
        assert "Decisions" not in text


def test_the_judge_gets_its_deployment_group_and_its_rule(stack: Any) -> None:
    prod = load("prod")
    assert prod.judge is not None
    _, function = _only(stack, "AWS::Lambda::Function")
    variables = function["Environment"]["Variables"]
    texts = {name: text if isinstance(text, str) else "a token" for name, text in variables.items()}
    settings = Settings.of(texts)
    assert settings.parameters == parameters(prod, prod.judge)
    assert settings.shift == shift(prod)
    assert settings.bake_minutes == prod.shift.bake_minutes  # type: ignore[union-attr]  # a canary
    assert (settings.service, settings.environment) == ("files", "prod")
    (group,) = stack.of_type("AWS::CodeDeploy::DeploymentGroup")
    assert variables["DEPLOYMENT_GROUP"] == {"Ref": group}
    assert function["Handler"] == "pipeline.judge.handler.handler"


def test_the_judge_runs_every_minute_and_late_events_are_dropped(stack: Any) -> None:
    name, _ = _only(stack, "AWS::Lambda::Function")
    _, rule = _only(stack, "AWS::Events::Rule")
    assert rule["ScheduleExpression"] == "cron(* * * * ? *)"
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [name, "Arn"]}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
    _, events = _only(stack, "AWS::Lambda::EventInvokeConfig")
    assert (events["MaximumEventAgeInSeconds"], events["MaximumRetryAttempts"]) == (60, 0)


def test_codedeploy_calls_the_judge_as_a_hook_before_a_shift_succeeds(stack: Any) -> None:
    judge, _ = _only(stack, "AWS::Lambda::Function")
    ((alias, _),) = stack.of_type("AWS::Lambda::Alias").items()
    policy = stack.resources[alias]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert policy["AfterAllowTrafficHook"] == {"Ref": judge}
    assert policy["BeforeAllowTrafficHook"] == {"Ref": judge}
    # The judge runs before there is anything to judge.
    ready = stack.waits_for(alias)
    assert {key for key in stack.resources if key.startswith("ReleaseJudge")} <= ready


def test_the_bake_needs_no_cross_account_access(stack: Any, assembly: Any) -> None:
    """CodeDeploy's role may call the hook, and the pipeline's roles read no alarms."""
    judge, _ = _only(stack, "AWS::Lambda::Function")
    group = stack.only("AWS::CodeDeploy::DeploymentGroup")
    role = group["ServiceRoleArn"]["Fn::GetAtt"][0]
    statements = [
        statement
        for policy in stack.of_type("AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    assert any(
        statement["Action"] == "lambda:InvokeFunction"
        and {"Fn::GetAtt": [judge, "Arn"]} in statement["Resource"]
        for statement in statements
    )
    assert "CloudWatchAlarm" not in assembly.delivery.path.read_text()


def test_the_judges_role_has_only_the_permissions_it_uses(stack: Any) -> None:
    statements = _policy(stack, "ReleaseJudgeRole")["PolicyDocument"]["Statement"]
    allowed: dict[str, list[dict[str, Any]]] = {}
    for statement in statements:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            allowed.setdefault(action, []).append(statement)
    assert set(allowed) == {
        "logs:CreateLogStream", "logs:PutLogEvents", "lambda:GetAlias",
        "lambda:GetFunctionConfiguration",
        "codedeploy:ListDeployments", "codedeploy:GetDeployment",
        "codedeploy:ListDeploymentTargets", "codedeploy:GetDeploymentTarget",
        "codedeploy:PutLifecycleEventHookExecutionStatus", "codedeploy:StopDeployment",
        "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:PutMetricData",
        "s3:ListBucket", "s3:GetObject", "s3:PutObject",
    }  # fmt: skip
    assert {
        action
        for action, statements in allowed.items()
        if any(each["Resource"] == "*" for each in statements)
    } == {
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "cloudwatch:PutMetricData",
    }
    (put,) = allowed["cloudwatch:PutMetricData"]
    assert put["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Pithead/Judge"}}
    (written,) = allowed["s3:PutObject"]
    assert _keys(written) == ["/bakes/*.json", "/condemned/*.json", "/decisions/*.json"]
    read = [key for statement in allowed["s3:GetObject"] for key in _keys(statement)]
    assert sorted(read) == [
        "/bakes/*.json", "/condemned/*.json", "/decisions/*.json", "/permitted/*.json"
    ]  # fmt: skip


def test_only_a_person_can_permit_a_condemned_version(stack: Any) -> None:
    """Only the pipeline's account may, by a role with no other permission."""
    ((_, role),) = (
        (key, each)
        for key, each in stack.of_type("AWS::IAM::Role").items()
        if each.get("RoleName") == again_role("prod")
    )
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert load_home().account in json.dumps(trust["Principal"])
    (statement,) = _policy(stack, "ReleaseJudgeAgain")["PolicyDocument"]["Statement"]
    assert (statement["Action"], _keys(statement)) == ("s3:PutObject", ["/permitted/*.json"])


def _policy(stack: Any, role: str) -> dict[str, Any]:
    """Return the policy of the judge's role whose logical id has this prefix."""
    (found,) = (
        each
        for each in stack.of_type("AWS::IAM::Policy").values()
        if each["Roles"][0]["Ref"].startswith(role)
    )
    policy: dict[str, Any] = found
    return policy


def _keys(statement: dict[str, Any]) -> list[str]:
    """Return the keys of the judge's bucket that a statement allows."""
    resources = statement["Resource"]
    resources = resources if isinstance(resources, list) else [resources]
    return [each["Fn::Join"][1][-1] for each in resources]


def test_the_records_bucket_is_private_versioned_and_retained(stack: Any) -> None:
    name, bucket = _only(stack, "AWS::S3::Bucket")
    assert stack.resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    # The first permission of a version is never overwritten.
    expiring = [
        each["Prefix"]
        for each in bucket["LifecycleConfiguration"]["Rules"]
        if "NoncurrentVersionExpiration" in each
    ]
    assert expiring == ["decisions/"]
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    _, policy = _only(stack, "AWS::S3::BucketPolicy")
    assert "aws:SecureTransport" in json.dumps(policy)
    outputs = json.loads(stack.path.read_text())["Outputs"]
    assert outputs["Decisions"]["Value"] == {"Ref": name}


def test_evidence_above_its_threshold_raises_the_alarm(stack: Any) -> None:
    prod = load("prod")
    assert prod.judge is not None
    alarm = _alarms(stack, "Shift")["evidence"]
    assert alarm["Threshold"] == line(parameters(prod, prod.judge))
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert (alarm["Namespace"], alarm["MetricName"]) == ("Pithead/Judge", "Evidence")
    assert (alarm["Statistic"], alarm["Period"], alarm["DatapointsToAlarm"]) == ("Maximum", 60, 1)


def test_a_stop_by_policy_raises_the_alarm(stack: Any) -> None:
    for verdict in ("undecided", "incident", "testimony"):
        alarm = _alarms(stack, "Shift")[verdict]
        assert alarm["MetricName"] == verdict.capitalize()
        assert (alarm["Threshold"], alarm["DatapointsToAlarm"]) == (1, 1)


def test_a_silent_judge_raises_an_alarm_while_the_version_serves(stack: Any) -> None:
    alarm = _alarms(stack, "Shift")["heartbeat"]
    metrics = {each["Id"]: each for each in alarm["Metrics"]}
    served = metrics["served"]["MetricStat"]["Metric"]
    assert (served["Namespace"], served["MetricName"]) == ("AWS/Lambda", "Invocations")
    heartbeat = metrics["heartbeat"]["MetricStat"]["Metric"]
    assert (heartbeat["Namespace"], heartbeat["MetricName"]) == ("Pithead/Judge", "Heartbeat")
    assert {each["Name"] for each in heartbeat["Dimensions"]} == {"service", "environment"}
    prod = load("prod")
    # The alarm fires within the shift; otherwise only CodeDeploy's hook would report it.
    assert alarm["DatapointsToAlarm"] < shift(prod).length.total_seconds() / 60


def test_missing_metrics_raise_an_alarm_of_their_own(stack: Any) -> None:
    alarm = _alarms(stack, "Shift")["blind"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("Pithead/Judge", "Blind")
    assert alarm["Threshold"] == ARRIVAL_BOUND.total_seconds() / 60
    assert (alarm["Statistic"], alarm["DatapointsToAlarm"]) == ("Maximum", 1)


def test_guard_rails_tolerate_the_same_metric_delay_as_the_judge(stack: Any) -> None:
    for rail in RAILS:
        alarm = _alarms(stack, "Shift")[rail.replace("-", "")]
        assert alarm["DatapointsToAlarm"] == 1
        assert 60 * alarm["EvaluationPeriods"] >= ARRIVAL_BOUND.total_seconds()
