"""PH301 to PH305: alarms that stop a bad release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = {"Fn::GetAtt": ["Version", "Version"]}
ON_THE_ALIAS = {
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Dimensions": [
        {"Name": "FunctionName", "Value": {"Ref": "Function"}},
        {"Name": "Resource", "Value": {"Fn::Join": [":", [{"Ref": "Function"}, "live"]]}},
    ],
}
ON_THE_VERSION = {
    **ON_THE_ALIAS,
    "Dimensions": [
        *ON_THE_ALIAS["Dimensions"],
        {"Name": "ExecutedVersion", "Value": VERSION},
    ],
}
OWN = {
    "Namespace": "Shop",
    "MetricName": "Failures",
    "Dimensions": [{"Name": "release", "Value": VERSION}],
}


def _alarm(metric: dict[str, Any] = ON_THE_VERSION, **properties: Any) -> dict[str, Any]:
    """Return a valid alarm; properties given as None are omitted."""
    whole = {
        **metric,
        "Period": 60,
        "EvaluationPeriods": 1,
        "TreatMissingData": "notBreaching",
        **properties,
    }
    kept = {key: value for key, value in whole.items() if value is not None}
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": kept}


def _release(
    config: Any = "CodeDeployDefault.LambdaCanary10Percent5Minutes",
    group: dict[str, Any] | None = None,
    **alarms: dict[str, Any],
) -> dict[str, Any]:
    """Return a function whose alias shifts under alarms."""
    named = [{"Name": {"Ref": name}} for name in alarms if name != "Unnamed"]
    return {
        "Function": {"Type": "AWS::Lambda::Function"},
        "Version": {"Type": "AWS::Lambda::Version"},
        "Group": {
            "Type": "AWS::CodeDeploy::DeploymentGroup",
            "Properties": {
                "DeploymentConfigName": config,
                "AlarmConfiguration": {"Enabled": True, "Alarms": named},
                "AutoRollbackConfiguration": {
                    "Enabled": True,
                    "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"],
                },
                **(group or {}),
            },
        },
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "UpdatePolicy": {
                "CodeDeployLambdaAliasUpdate": {"DeploymentGroupName": {"Ref": "Group"}}
            },
        },
        **alarms,
    }


def test_an_alarm_on_the_new_version_guards_a_canary(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    assert found(_release(Alarm=_alarm())) == []


def test_an_alarm_on_the_alias_mixes_both_versions(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    release = _release(Alias1=_alarm(ON_THE_ALIAS), Version1=_alarm())
    assert found(release) == [("PH301", "Alias1")]


def test_metrics_in_expressions_are_checked(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    def share(metric: dict[str, Any]) -> dict[str, Any]:
        queries = [
            {"Id": "e", "Expression": "bad / all"},
            {"Id": "bad", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}},
        ]
        return _alarm({}, Period=None, Metrics=queries)

    assert found(_release(Alarm=share(ON_THE_VERSION))) == []
    assert found(_release(Alarm=share(ON_THE_ALIAS))) == [("PH301", "Alarm")]


def test_an_alarm_on_an_api_mixes_both_versions(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    api = {"Namespace": "AWS/ApiGateway", "MetricName": "5XXError", "Dimensions": []}
    assert found(_release(Alarm=_alarm(api), Other=_alarm())) == [("PH301", "Alarm")]


def test_at_least_one_alarm_must_select_the_version(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    queue = {"Namespace": "AWS/SQS", "MetricName": "Depth", "Dimensions": []}
    assert found(_release(Alarm=_alarm(queue))) == [("PH301", "Group")]
    assert found(_release(Alarm=_alarm(queue), Own=_alarm(OWN))) == []


def test_members_of_a_composite_alarm_count_as_guards(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    composite = {
        "Type": "AWS::CloudWatch::CompositeAlarm",
        "Properties": {"AlarmRule": {"Fn::Sub": 'ALARM("${Unnamed}") OR ALARM("by-name")'}},
    }
    release = _release(Composite=composite, Unnamed=_alarm(ON_THE_ALIAS))
    release["Named"] = _alarm(ON_THE_ALIAS, AlarmName="by-name")
    assert found(release) == [("PH301", "Named"), ("PH301", "Unnamed")]


@pytest.mark.parametrize(
    ("config", "period", "datapoints", "late"),
    [
        ("CodeDeployDefault.LambdaCanary10Percent5Minutes", 300, 1, True),  # as CDK generates them
        ("CodeDeployDefault.LambdaCanary10Percent5Minutes", 60, 5, True),
        ("CodeDeployDefault.LambdaCanary10Percent5Minutes", 60, 4, False),
        ("CodeDeployDefault.LambdaCanary10Percent30Minutes", 300, 1, False),
        ("CodeDeployDefault.LambdaLinear10PercentEvery1Minute", 300, 1, False),
        ("CodeDeployDefault.LambdaLinear10PercentEvery1Minute", 540, 1, True),
        ("CodeDeployDefault.LambdaAllAtOnce", 3600, 1, False),
    ],
)
def test_an_alarm_must_fire_before_the_shift_ends(
    config: str,
    period: int,
    datapoints: int,
    late: bool,
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    alarm = _alarm(Period=period, EvaluationPeriods=10, DatapointsToAlarm=datapoints)
    assert found(_release(config, Alarm=alarm)) == ([("PH302", "Alarm")] if late else [])


@pytest.mark.parametrize(
    ("routing", "late"),
    [
        ({"TimeBasedCanary": {"CanaryInterval": 5, "CanaryPercentage": 10}}, True),
        ({"TimeBasedCanary": {"CanaryInterval": 6, "CanaryPercentage": 10}}, False),
        ({"TimeBasedLinear": {"LinearInterval": 5, "LinearPercentage": 50}}, True),
        ({"TimeBasedLinear": {"LinearInterval": 5, "LinearPercentage": 25}}, False),
    ],
)
def test_a_custom_deployment_configuration_is_read(
    routing: dict[str, Any], late: bool, found: Callable[..., list[tuple[str, str]]]
) -> None:
    config = {
        "Type": "AWS::CodeDeploy::DeploymentConfig",
        "Properties": {"TrafficRoutingConfig": routing},
    }
    release = _release({"Ref": "Config"}, Alarm=_alarm(Period=300))
    assert found({**release, "Config": config}) == ([("PH302", "Alarm")] if late else [])


@pytest.mark.parametrize(
    ("treat", "bites"),
    [(None, True), ("missing", True), ("ignore", True), ("breaching", False)],
)
def test_a_guard_alarm_declares_how_it_treats_missing_data(
    treat: str | None, bites: bool, found: Callable[..., list[tuple[str, str]]]
) -> None:
    alarm = _alarm(TreatMissingData=treat)
    assert found(_release(Alarm=alarm)) == ([("PH303", "Alarm")] if bites else [])


@pytest.mark.parametrize(
    "group",
    [
        {"AlarmConfiguration": {"Enabled": False, "Alarms": [{"Name": {"Ref": "Alarm"}}]}},
        {
            "AlarmConfiguration": {
                "IgnorePollAlarmFailure": True,
                "Alarms": [{"Name": {"Ref": "Alarm"}}],
            }
        },
        {"AutoRollbackConfiguration": {"Enabled": True, "Events": ["DEPLOYMENT_FAILURE"]}},
        {"AutoRollbackConfiguration": {"Enabled": False, "Events": ["DEPLOYMENT_STOP_ON_ALARM"]}},
        {"AutoRollbackConfiguration": None},
    ],
)
def test_a_shift_rolls_back_on_an_alarm(
    group: dict[str, Any], found: Callable[..., list[tuple[str, str]]]
) -> None:
    assert found(_release(group=group, Alarm=_alarm())) == [("PH304", "Group")]


def test_a_shift_without_alarms_is_named(found: Callable[..., list[tuple[str, str]]]) -> None:
    assert found(_release()) == [("PH304", "Group")]
    assert found(_release("CodeDeployDefault.LambdaAllAtOnce")) == []


def test_an_alarm_on_lambda_errors_alone_misses_http_errors(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    def asked_by(principal: str) -> dict[str, Any]:
        return {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Principal": principal,
                "FunctionName": {"Ref": "Alias"},
                "SourceArn": "arn:aws:execute-api:eu-west-1:222222222222:x/*",
            },
        }

    errors = _release(Alarm=_alarm())
    assert found({**errors, "May": asked_by("apigateway.amazonaws.com")}) == [("PH305", "Group")]
    assert found({**errors, "May": asked_by("events.amazonaws.com")}) == []
    both = _release(Alarm=_alarm(), Own=_alarm(OWN))
    assert found({**both, "May": asked_by("apigateway.amazonaws.com")}) == []
