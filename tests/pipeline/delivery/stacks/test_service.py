"""The synthesised service of each environment."""

from __future__ import annotations

import json
from typing import Any

import pytest

from environments.schema import load_all, load_home
from pipeline.names import ALIAS, GUARDS, PROMOTED, RAILS, promoted_role

NAMES = ("dev", "staging", "prod")


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def stack(assembly: Any, name: str) -> Any:
    return assembly.services[name]


def _dimensions(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    metrics = [m["MetricStat"]["Metric"] for m in alarm.get("Metrics", []) if "MetricStat" in m]
    return [{d["Name"]: d["Value"] for d in m["Dimensions"]} for m in metrics or [alarm]]


def _periods(alarm: dict[str, Any]) -> set[int]:
    if "Period" in alarm:
        return {alarm["Period"]}
    return {m["MetricStat"]["Period"] for m in alarm["Metrics"] if "MetricStat" in m}


def _own(stack: Any, type_: str) -> dict[str, Any]:
    """Return the service's own resource of a type."""
    found = {
        key: each
        for key, each in stack.of_type(type_).items()
        if "Judge" not in key and not key.startswith(("Journeys", "Promoted"))
    }
    (logical_id,) = (key for key in found if "ServiceRole" not in key)
    own: dict[str, Any] = stack.resources[logical_id]
    return own


def _alarms(stack: Any) -> dict[str, dict[str, Any]]:
    """Return the alarms of a release; tests/pipeline/journeys tests those of journeys."""
    return {
        key: each
        for key, each in stack.of_type("AWS::CloudWatch::Alarm").items()
        if not key.startswith("Journeys")
    }


def _version(stack: Any) -> dict[str, Any]:
    (version,) = stack.of_type("AWS::Lambda::Version")
    return {"Fn::GetAtt": [version, "Version"]}


def test_the_shift_matches_the_environment_file(stack: Any, name: str) -> None:
    shift = load_all()[name].shift
    configured = stack.of_type("AWS::CodeDeploy::DeploymentConfig")
    group = stack.only("AWS::CodeDeploy::DeploymentGroup")
    if shift.type == "all-at-once":
        assert not configured
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"
        return
    (routing,) = (each["TrafficRoutingConfig"] for each in configured.values())
    assert routing == {
        "Type": "TimeBasedCanary",
        "TimeBasedCanary": {
            "CanaryInterval": shift.minutes,
            "CanaryPercentage": shift.percent,
        },
    }
    assert group["AutoRollbackConfiguration"]["Events"] == [
        "DEPLOYMENT_FAILURE",
        "DEPLOYMENT_STOP_ON_REQUEST",
        "DEPLOYMENT_STOP_ON_ALARM",
    ]


def test_the_guard_rails_measure_only_the_new_version(stack: Any, name: str) -> None:
    new = _version(stack)
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    group = stack.only("AWS::CodeDeploy::DeploymentGroup")
    guards = [each["Name"]["Ref"] for each in group["AlarmConfiguration"]["Alarms"]]
    assert group["AlarmConfiguration"]["Enabled"] is True
    watched = GUARDS if name == "prod" else RAILS
    assert len(watched) <= 10  # the limit of a group (AWS::CodeDeploy::DeploymentGroup)
    assert [alarms[guard]["AlarmName"] for guard in guards] == [
        {"Fn::Join": ["", [f"files-{name}-version-", new, f"-{each}"]]} for each in watched
    ]
    for alarm in _alarms(stack).values():
        versions = [
            new in (dimensions.get("version"), dimensions.get("ExecutedVersion"))
            for dimensions in _dimensions(alarm)
        ]
        assert any(versions)
        # Of what is compared with all versions, both the requests and the bad ones are its own;
        # a journey has no version, and counts where there is one alone.
        assert sum(versions) * 2 >= len(versions) or "-synthetic" in json.dumps(alarm["AlarmName"])
        assert alarm["TreatMissingData"] == "notBreaching"


def test_each_alarm_period_is_short_enough_to_stop_a_canary(stack: Any, name: str) -> None:
    shift = load_all()[name].shift
    for alarm in _alarms(stack).values():
        (period,) = _periods(alarm)
        if shift.type != "all-at-once":
            assert period * alarm["EvaluationPeriods"] < shift.minutes * 60


def test_the_alarms_exist_before_the_alias_shifts(stack: Any) -> None:
    (alias,) = (
        key for key, each in stack.of_type("AWS::Lambda::Alias").items() if each["Name"] == ALIAS
    )
    (group,) = stack.of_type("AWS::CodeDeploy::DeploymentGroup")
    alarms = set(_alarms(stack))
    (version,) = stack.of_type("AWS::Lambda::Version")
    assert {group, version} | alarms <= stack.waits_for(alias)
    for alarm in alarms:
        assert version in stack.waits_for(alarm)
        assert alias not in stack.waits_for(alarm)


def test_the_function_matches_the_environment_file(stack: Any, name: str) -> None:
    environment = load_all()[name]
    function = _own(stack, "AWS::Lambda::Function")["Properties"]
    assert function["MemorySize"] == environment.function.memory_mb
    assert function["Timeout"] == environment.function.timeout_seconds
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    variables = function["Environment"]["Variables"]
    assert variables["ENVIRONMENT"] == name
    assert variables["COMMIT"] == "c" * 40
    assert variables["LATENCY_OBJECTIVE_MS"] == str(environment.guard.latency_objective_ms)


def test_each_api_is_throttled_traced_and_logged(stack: Any, name: str) -> None:
    environment = load_all()[name]
    stages = stack.of_type("AWS::ApiGateway::Stage").values()
    assert len(stages) == (2 if environment.load else 1)
    for stage in stages:
        (settings,) = stage["MethodSettings"]
        assert settings["ThrottlingRateLimit"] == environment.api.requests_per_second
        assert settings["ThrottlingBurstLimit"] == environment.api.burst
        assert settings["MetricsEnabled"] is False
        assert settings["DataTraceEnabled"] is False
        assert stage["TracingEnabled"] is True
        assert stage["StageName"] == name
        assert "requestId" in json.loads(stage["AccessLogSetting"]["Format"])
    for api in stack.of_type("AWS::ApiGateway::RestApi").values():
        assert api["BinaryMediaTypes"] == ["*/*"]
        assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    stack.only("AWS::ApiGateway::Account")  # one per account and region


def test_an_environment_with_a_load_gate_also_serves_the_promoted_release(
    stack: Any, name: str
) -> None:
    aliases = {each["Name"]: each for each in stack.of_type("AWS::Lambda::Alias").values()}
    if not load_all()[name].load:
        assert set(aliases) == {ALIAS}
        return
    assert set(aliases) == {ALIAS, PROMOTED}
    assert aliases[PROMOTED]["FunctionVersion"] == _version(stack)
    (role,) = (
        key
        for key, each in stack.of_type("AWS::IAM::Role").items()
        if each.get("RoleName") == promoted_role(name)
    )
    trusted = stack.resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert f"::{load_home().account}:root" in json.dumps(trusted)
    (policy,) = (
        each
        for each in stack.of_type("AWS::IAM::Policy").values()
        if each["Roles"] == [{"Ref": role}]
    )
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["lambda:ListVersionsByFunction", "lambda:UpdateAlias"]
    (function,) = (key for key in stack.of_type("AWS::Lambda::Function") if key.startswith("Func"))
    assert statement["Resource"] == {"Fn::GetAtt": [function, "Arn"]}


def test_log_retention_matches_the_environment_file(stack: Any, name: str) -> None:
    groups = stack.of_type("AWS::Logs::LogGroup")
    assert len(groups) == {"dev": 2, "staging": 4, "prod": 4}[name]
    for group in groups.values():
        assert group["RetentionInDays"] == load_all()[name].function.log_retention_days


def test_the_functions_role_has_only_the_permissions_its_storage_needs(stack: Any) -> None:
    policy = _own(stack, "AWS::IAM::Policy")["Properties"]
    allowed = {
        action: statement["Resource"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }
    assert set(allowed) == {
        "logs:CreateLogStream", "logs:PutLogEvents", "s3:ListBucket", "s3:GetObject",
        "s3:PutObject", "s3:DeleteObject", "kms:Decrypt", "kms:GenerateDataKey",
        "xray:PutTelemetryRecords", "xray:PutTraceSegments",
    }  # fmt: skip
    assert {action for action, resource in allowed.items() if resource == "*"} == {
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }


def test_a_version_is_deleted_only_when_its_own_deployment_rolls_back(stack: Any) -> None:
    version = _own(stack, "AWS::Lambda::Version")
    assert version["DeletionPolicy"] == "RetainExceptOnCreate"
    assert version["UpdateReplacePolicy"] == "Retain"


def test_the_files_bucket_is_encrypted_private_versioned_and_retained(stack: Any) -> None:
    bucket = _own(stack, "AWS::S3::Bucket")
    properties = bucket["Properties"]
    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(properties["PublicAccessBlockConfiguration"].values())
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert stack.only("AWS::KMS::Key")["EnableKeyRotation"] is True
    assert "aws:SecureTransport" in json.dumps(_own(stack, "AWS::S3::BucketPolicy"))
