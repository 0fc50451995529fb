"""The synthesised journeys: their environments, permissions and alarms."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from environments.schema import load
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from pipeline.names import ALIAS, synthetic_alarm_name

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT, REGION = "444444444444", "eu-west-1"
TRAVELLED = ("staging", "prod")
MINUTE = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
FUNCTIONS = (f"files-{number}" for number in itertools.count())


@pytest.fixture(scope="module", params=TRAVELLED)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def _only(stack: Any, type_: str) -> tuple[str, dict[str, Any]]:
    (found,) = (
        (key, each) for key, each in stack.of_type(type_).items() if key.startswith("Journeys")
    )
    return found


def _alarm(stack: Any, name: str) -> tuple[str, dict[str, Any]]:
    (found,) = (
        (key, each)
        for key, each in stack.of_type("AWS::CloudWatch::Alarm").items()
        if each["AlarmName"] == name
    )
    return found


def test_only_environments_that_configure_journeys_have_them(assembly: Any) -> None:
    assert load("dev").synthetic is None
    assert "Journeys" not in assembly.services["dev"].path.read_text()


def test_journeys_run_at_the_configured_rate_through_the_deployed_api(
    assembly: Any, name: str
) -> None:
    stack, synthetic = assembly.services[name], load(name).synthetic
    assert synthetic is not None
    logical_id, function = _only(stack, "AWS::Lambda::Function")
    _, rule = _only(stack, "AWS::Events::Rule")
    every = synthetic.every_minutes
    assert rule["ScheduleExpression"] == f"cron(0/{every} * * * ? *)"
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [logical_id, "Arn"]}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
    _, events = _only(stack, "AWS::Lambda::EventInvokeConfig")
    assert (events["MaximumEventAgeInSeconds"], events["MaximumRetryAttempts"]) == (60, 0)
    assert function["Handler"] == "pipeline.journeys.handler.handler"
    # The clean-up also fits after a journey that used all its time, and ends
    # before the next.
    assert synthetic.seconds + 5 < function["Timeout"] < 60
    variables = function["Environment"]["Variables"]
    outputs = json.loads(stack.path.read_text())["Outputs"]
    assert variables.pop("URL") == outputs["Url"]["Value"]
    assert variables == {
        "SERVICE": "files",
        "ENVIRONMENT": name,
        "SECONDS": str(synthetic.seconds),
    }


def test_the_first_journey_starts_after_the_api_is_deployed(assembly: Any, name: str) -> None:
    stack = assembly.services[name]
    rule, _ = _only(stack, "AWS::Events::Rule")
    ready = stack.waits_for(rule)
    assert {key for key in stack.resources if key.startswith("Api")} <= ready
    (alias,) = (
        key for key, each in stack.of_type("AWS::Lambda::Alias").items() if each["Name"] == ALIAS
    )
    assert alias in ready


def test_journeys_may_only_write_their_log(assembly: Any, name: str) -> None:
    stack = assembly.services[name]
    _, policy = _only(stack, "AWS::IAM::Policy")
    group, properties = _only(stack, "AWS::Logs::LogGroup")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"] == {"Fn::GetAtt": [group, "Arn"]}
    _, role = _only(stack, "AWS::IAM::Role")
    assert "ManagedPolicyArns" not in role
    assert properties["RetentionInDays"] == load(name).function.log_retention_days


def test_failed_or_missing_journeys_raise_an_alarm(assembly: Any, name: str) -> None:
    synthetic = load(name).synthetic
    assert synthetic is not None
    _, alarm = _alarm(assembly.services[name], synthetic_alarm_name(name))
    assert alarm["TreatMissingData"] == "breaching"
    assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (3, 2)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    metrics = [each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each]
    assert {each["Period"] for each in metrics} == {60 * synthetic.every_minutes}
    for each in metrics:
        assert each["Metric"]["Namespace"] == "Pithead/Synthetic"
        dimensions = {d["Name"]: d["Value"] for d in each["Metric"]["Dimensions"]}
        assert dimensions == {"service": "files", "environment": name}


def _guard(stack: Any) -> tuple[str, dict[str, Any]]:
    """Return the alarm on journeys that guards a release."""
    (found,) = (
        (key, each)
        for key, each in stack.of_type("AWS::CloudWatch::Alarm").items()
        if key.startswith("ReleaseShiftsynthetic")
    )
    return found


def test_failed_journeys_roll_back_in_the_bake_and_not_during_the_shift(assembly: Any) -> None:
    prod = assembly.services["prod"]
    journeys, _ = _alarm(prod, synthetic_alarm_name("prod"))
    guard, alarm = _guard(prod)
    guards = prod.only("AWS::CodeDeploy::DeploymentGroup")["AlarmConfiguration"]["Alarms"]
    assert {journeys, guard} & {each["Name"]["Ref"] for each in guards} == {guard}
    # A first release must pass its bake, and no journey runs before it.
    assert alarm["TreatMissingData"] == "notBreaching"
    synthetic, shift = load("prod").synthetic, load("prod").shift
    assert synthetic is not None
    assert synthetic.every_minutes * alarm["EvaluationPeriods"] < shift.bake_minutes  # type: ignore[union-attr]  # it is a canary


def test_deleted_files_of_journeys_do_not_accumulate(assembly: Any) -> None:
    (bucket,) = (
        each
        for key, each in assembly.services["prod"].of_type("AWS::S3::Bucket").items()
        if key.startswith("Files")
    )
    (rule,) = (
        each for each in bucket["LifecycleConfiguration"]["Rules"]
        if each.get("Prefix") == "synthetic/"
    )  # fmt: skip
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert rule["ExpiredObjectDeleteMarker"] is True
    # No user can be kept from a folder of this name; a file there stays.
    assert not {"ExpirationInDays", "ExpirationDate"} & set(rule)


@pytest.fixture(scope="module")
def cloudwatch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    server = LocalCloud(
        tmp_path_factory.mktemp("state"),
        services=("logs", "sts", "cloudwatch"),
        delays=NO_DELAYS,
    )
    server.start()
    yield boto3.client(
        "cloudwatch",
        region_name=REGION,
        endpoint_url=server.cloud.endpoint,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key=server.cloud.credentials.secret_key,
    )
    server.stop()


@pytest.mark.parametrize(
    ("mine", "others", "failed", "told"),
    [
        pytest.param(9, 0, 1, [1], id="the new version alone served"),
        pytest.param(9, 1, 1, [0], id="an old one served, too"),
        pytest.param(0, 9, 1, [0], id="the old one alone served"),
        pytest.param(None, None, 1, [1], id="nothing could be reached"),
        pytest.param(9, 0, 0, [0], id="it went well"),
        pytest.param(9, 0, None, [], id="no journey was made"),
        pytest.param(None, None, None, [], id="nothing has ever been"),
    ],
)
def test_the_bake_attributes_failed_journeys_to_the_new_version(
    assembly: Any,
    cloudwatch: Any,
    mine: int | None,
    others: int | None,
    failed: int | None,
    told: list[int],
) -> None:
    _, alarm = _guard(assembly.services["prod"])
    function = next(FUNCTIONS)
    queries = []
    for query in (dict(each) for each in alarm["Metrics"]):
        if "MetricStat" in query:
            stat = query["MetricStat"] = dict(query["MetricStat"])
            # Names that only the deployed stack knows.
            known = {
                "FunctionName": function, "Resource": f"{function}:live", "ExecutedVersion": "3",
                "environment": function,
            }  # fmt: skip
            stat["Metric"] = stat["Metric"] | {
                # Only Lambda itself may write names that begin with AWS/.
                "Namespace": stat["Metric"]["Namespace"].removeprefix("AWS/"),
                "Dimensions": [
                    each | {"Value": known.get(each["Name"], each["Value"])}
                    for each in stat["Metric"]["Dimensions"]
                ],
            }
            id_, metric = query["Id"], stat["Metric"]
            every = None if mine is None or others is None else mine + others
            value = {"mine": mine, "every": every, "failed": failed}[id_]
            if value is not None:
                datum = {
                    "MetricName": metric["MetricName"],
                    "Dimensions": metric["Dimensions"],
                    "Timestamp": MINUTE,
                    "Value": value,
                }
                cloudwatch.put_metric_data(Namespace=metric["Namespace"], MetricData=[datum])
        queries.append(query)
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=MINUTE, EndTime=MINUTE + timedelta(minutes=1)
    )
    (result,) = answer["MetricDataResults"]
    assert result["Values"] == told
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == (
        "GreaterThanOrEqualToThreshold",
        1,
    )
