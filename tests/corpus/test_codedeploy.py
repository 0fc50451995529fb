"""CodeDeploy: deployments that do not start, fail or are stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.corpus.deliveries import REGION, Shop, make_function, refusal, running
from tests.corpus.report import report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.server import LocalCloud

SERVICES = ("logs", "cloudwatch", "sts", "signer", "functions", "codedeploy")
INVALID = (
    "The deployment failed because the AppSpec file that specifies the AWS Lambda deployment "
    "configuration is missing or has an invalid configuration."
)
ON_ALARM = {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]}
ALWAYS = {"enabled": True, "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with running(tmp_path_factory.mktemp("deployments"), *SERVICES, speed=6000) as started:
        yield started


@pytest.fixture
def shop(server: LocalCloud) -> Shop:
    made = Shop(server)
    made.release()
    return made


@report(
    "aws/serverless-application-model#291",
    "CodeDeploy",
    situation="An alias points to another version than the AppSpec file's CurrentVersion.",
    outcome="The deployment fails with INVALID_LAMBDA_CONFIGURATION, and the alias stays.",
)
def test_an_alias_that_was_moved_by_another_is_not_shifted(shop: Shop) -> None:
    shop.group()
    shop.functions.update_alias(FunctionName="shop", Name="live", FunctionVersion="2")
    started = shop.deploy.create_deployment(**shop.revision("1", "2"))
    info = shop.ended(started["deploymentId"])
    assert info["status"] == "Failed"
    assert info["errorInformation"] == {
        "code": "INVALID_LAMBDA_CONFIGURATION",
        "message": f"{INVALID} The Lambda function alias version does not match the current "
        "version in AppSpec file.",
    }
    assert shop.served() == ("2", {})


@report(
    "terraform-aws-modules/terraform-aws-lambda#82",
    "CodeDeploy",
    situation="A deployment shifts from a version to itself: the release changed nothing.",
    outcome="It is created; a gradual one fails as invalid, an all-at-once one succeeds.",
)
@pytest.mark.parametrize(
    ("configuration", "status"),
    [
        ("LambdaCanary10Percent5Minutes", "Failed"),
        ("LambdaLinear10PercentEvery1Minute", "Failed"),
        ("LambdaAllAtOnce", "Succeeded"),
    ],
)
def test_a_deployment_to_the_same_version(shop: Shop, configuration: str, status: str) -> None:
    shop.group(configuration)
    started = shop.deploy.create_deployment(**shop.revision("1", "1"))
    info = shop.ended(started["deploymentId"])
    assert info["status"] == status
    assert shop.served() == ("1", {})
    if status == "Failed":
        assert info["errorInformation"]["message"] == INVALID


@report(
    "CircleCI-Public/aws-ecs-orb#181",
    "CodeDeploy",
    situation="Two workflows deploy to the same deployment group at the same time.",
    outcome="The second is rejected with DeploymentLimitExceededException, not queued.",
)
def test_a_group_has_one_deployment_at_a_time(shop: Shop) -> None:
    shop.group("LambdaCanary10Percent30Minutes", autoRollbackConfiguration=ALWAYS)
    hook = {"BeforeAllowTraffic": "never-answers"}
    make_function(shop.server, shop.account, "never-answers")
    first = shop.deploy.create_deployment(**shop.revision(**hook))["deploymentId"]
    assert refusal(shop.deploy.create_deployment, **shop.revision()) == (
        "DeploymentLimitExceededException",
        f"The Deployment Group 'prod' already has an active Deployment '{first}'",
    )
    shop.deploy.stop_deployment(deploymentId=first)
    assert shop.ended(first)["status"] == "Stopped"


@report(
    "davidgf/serverless-plugin-canary-deployments#82",
    "CodeDeploy",
    situation="An all-at-once deployment starts while an alarm of the group is in ALARM.",
    outcome="The deployment is stopped: an all-at-once deployment does not skip alarms.",
)
def test_all_at_once_does_not_skip_alarms(shop: Shop) -> None:
    shop.alarm("failures", TreatMissingData="ignore")
    alarms = {"enabled": True, "alarms": [{"name": "failures"}]}
    shop.group("LambdaAllAtOnce", alarmConfiguration=alarms, autoRollbackConfiguration=ON_ALARM)
    shop.client.set_alarm_state(AlarmName="failures", StateValue="ALARM", StateReason="it fails")
    info = shop.ended(shop.deploy.create_deployment(**shop.revision())["deploymentId"])
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert shop.served() == ("1", {})


@report(
    "davidgf/serverless-plugin-canary-deployments#93",
    "CodeDeploy",
    situation="The role of a hook's function may not report a status to CodeDeploy.",
    outcome="The hook's call is denied; the deployment waits an hour and fails.",
)
def test_a_hook_that_may_not_answer_costs_an_hour(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.group("LambdaAllAtOnce", autoRollbackConfiguration=ALWAYS)
    shop.permit_deployer()
    make_function(shop.server, shop.account, "check")
    hook = {"BeforeAllowTraffic": "check"}
    started = shop.deploy.create_deployment(**shop.revision(**hook))["deploymentId"]
    session = shop.server.cloud.credentials.assume(shop.runner, "check")
    checking = shop.server.cloud.client("codedeploy", shop.account, REGION, session)
    with monkeypatch.context() as patch:
        patch.setattr(shop.server.cloud.access, "mode", "enforce")
        code, message = refusal(
            checking.put_lifecycle_event_hook_execution_status,
            deploymentId=started,
            lifecycleEventHookExecutionId="x",
            status="Succeeded",
        )
    assert code == "AccessDeniedException"
    assert (
        "is not authorized to perform: codedeploy:PutLifecycleEventHookExecutionStatus on "
        f"resource: arn:aws:codedeploy:{REGION}:{shop.account}:deploymentgroup:shop/prod"
    ) in message
    info = shop.ended(started)
    assert (info["status"], info["errorInformation"]["code"]) == (
        "Failed",
        "HOOK_EXECUTION_FAILURE",
    )
    assert (info["completeTime"] - info["createTime"]).total_seconds() >= 3600
    assert shop.served() == ("1", {})
