"""The load gate in a new account: its roles, its quotas, and a throttled service.

The first part of a path selects how the service behaves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from environments.schema import load, load_home
from localcloud.core.delays import NO_DELAYS
from localcloud.core.quotas import NEW_ACCOUNT
from localcloud.server import LocalCloud
from pipeline.builds import bundle
from pipeline.delivery.stacks.api import rest_api
from pipeline.gates.load import program
from pipeline.gates.report.result import CouldNotRunError
from pipeline.names import ALIAS, lookup_role, service_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from environments.gates import Load

STAGING, HOME = load("staging"), load_home()
COMMIT = "abcdef1234"
SERVICE = """
import time

def handler(event, context):
    how = event["path"].split("/")[1]
    time.sleep({"slow": 0.6, "busy": 0.5}.get(how, 0.2))
    return {"statusCode": 503 if how == "failing" else 200, "body": "file"}
"""
SPEED = 60.0


@dataclass(frozen=True)
class Staging:
    """Staging's API address, and credentials of a build that may read staging's stack."""

    url: str
    build: dict[str, str]


def _template(folder: Path) -> str:
    """Return a stack like the service's: a function, its alias and its API."""
    host = bundle.target("host")
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "Stack", synthesizer=cdk.LegacyStackSynthesizer())
    function = lambda_.Function(
        stack,
        "Service",
        runtime=lambda_.Runtime(
            host.runtime, lambda_.RuntimeFamily.PYTHON, supports_inline_code=True
        ),
        handler="index.handler",
        code=lambda_.Code.from_inline(SERVICE),
    )
    alias = lambda_.Alias(stack, "Live", alias_name=ALIAS, version=function.current_version)
    api = rest_api(
        stack, "Api", name="files-staging", stage="staging", environment=STAGING, alias=alias
    )
    cdk.CfnOutput(stack, "ApiId", value=api.rest_api_id)
    app.synth()
    return (folder / "Stack.template.json").read_text()


def _client(cloud: LocalCloud, service: str, account: str) -> Any:
    return cloud.cloud.client(service, account, STAGING.region)


def _trust(account: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _roles(cloud: LocalCloud) -> dict[str, str]:
    """Create the lookup role and a build role; return the build role's session."""
    staging, home = (_client(cloud, "iam", each.account) for each in (STAGING, HOME))
    lookup = lookup_role(STAGING.account, STAGING.region)
    name = lookup.rsplit("/", 1)[1]
    staging.create_role(RoleName=name, AssumeRolePolicyDocument=_trust(HOME.account))
    staging.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    build = home.create_role(RoleName="load", AssumeRolePolicyDocument=_trust(HOME.account))
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": lookup}
    home.put_role_policy(
        RoleName="load",
        PolicyName="looks-up",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    given = _client(cloud, "sts", HOME.account).assume_role(
        RoleArn=build["Role"]["Arn"], RoleSessionName="build"
    )["Credentials"]
    return {
        "AWS_ENDPOINT_URL": cloud.cloud.endpoint,
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    cloud = LocalCloud(
        tmp_path_factory.mktemp("state"),
        gateway_port=0,
        speed=SPEED,
        quotas=NEW_ACCOUNT,
        iam="enforce",
        delays=NO_DELAYS,
    )
    cloud.start()
    cloudformation = _client(cloud, "cloudformation", STAGING.account)
    name = service_stack("staging")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=_template(tmp_path_factory.mktemp("cdk.out")),
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    yield Staging(f"{cloud.cloud.gateway_endpoint}/{outputs['ApiId']}/staging", _roles(cloud))
    cloud.stop()


@pytest.fixture
def limits(limits: Load) -> Load:
    """Limits that no machine crosses, for users that fit into the quota."""
    patient = dict.fromkeys(("max_p50_ms", "max_p95_ms", "max_p99_ms"), 60_000)
    return limits.model_copy(
        update=patient | {"users": 4, "requests_per_second": 8, "seconds": 4, "max_cold_share": 1}
    )


@pytest.fixture
def explain(staging: Staging, limits: Load, monkeypatch: pytest.MonkeyPatch) -> program.Explain:
    for name, value in staging.build.items():
        monkeypatch.setenv(name, value)
    return program.explanation(STAGING, limits)


def test_requests_above_the_concurrency_quota_are_throttled_not_failed(
    staging: Staging, limits: Load, explain: program.Explain
) -> None:
    busy = limits.model_copy(update={"users": 40, "requests_per_second": 60})
    with pytest.raises(CouldNotRunError) as raised:
        program.alone(f"{staging.url}/busy", busy, "nothing was promoted before", explain)
    said = str(raised.value)
    assert raised.value.rule == "throttled"
    assert said.startswith("could not measure: AWS throttled ")
    assert (
        'because Lambda\'s quota "Concurrent executions" of account 333333333333 in eu-west-1 is 10'
    ) in said
    step = raised.value.next_step or ""
    assert step.startswith("run `pithead preflight`; with credentials of account 333333333333 run ")
    assert (
        "`aws service-quotas request-service-quota-increase --service-code lambda "
        "--quota-code L-B99A9384 --desired-value 200 --region eu-west-1`"
    ) in step


def test_a_slow_release_is_reported_as_slow(
    staging: Staging, limits: Load, explain: program.Explain
) -> None:
    outcome = program.compared(
        f"{staging.url}/slow", f"{staging.url}/good", COMMIT, limits, explain
    )
    assert outcome.status == "refused"
    assert {each.rule for each in outcome.findings} >= {"p50-regression"}


def test_a_failing_release_is_reported_as_failing(
    staging: Staging, limits: Load, explain: program.Explain
) -> None:
    outcome = program.alone(
        f"{staging.url}/failing", limits, "nothing was promoted before", explain
    )
    assert {each.rule for each in outcome.findings} >= {"failures-limit"}
    assert " status 503)" in outcome.sentence
