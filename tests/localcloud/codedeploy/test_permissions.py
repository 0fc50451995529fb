"""CodeDeploy calls other services with its service role."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.ports import Invocation
from tests.localcloud.codedeploy.conftest import ACCOUNT, GUARDED, REGIONS, Faked, Scene
from tests.localcloud.fakes import FakeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("real_roles")
LIMITED = "arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deployer"
CALLS = ("lambda:GetAlias", "lambda:UpdateAlias", "cloudwatch:DescribeAlarms")
SHIFT = Scene.canary(minutes=1)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faked]:
    """A local cloud with a service role without permissions."""
    folder = tmp_path_factory.mktemp("guarded")
    faked = Faked(folder, 6000.0, "enforce")
    server = faked.server
    server.start()
    trust = {"Principal": {"Service": "codedeploy.amazonaws.com"}, "Action": "sts:AssumeRole"}
    server.cloud.client("iam", ACCOUNT, "eu-west-1").create_role(
        RoleName="deployer", AssumeRolePolicyDocument=document(trust)
    )
    yield faked
    server.stop()


@pytest.fixture
def scene(guarded: Faked) -> Iterator[Scene]:
    made = Scene(guarded, FakeAlias(), next(REGIONS))
    made.role_arn = ROLE
    yield made
    made.stop_deployments()
    iam = made.cloud.client("iam", ACCOUNT, "eu-west-1")
    for each in iam.list_attached_role_policies(RoleName="deployer")["AttachedPolicies"]:
        iam.detach_role_policy(RoleName="deployer", PolicyArn=each["PolicyArn"])


def document(*statements: dict[str, Any]) -> str:
    stated = [{"Effect": "Allow"} | each for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": stated})


def grant(scene: Scene, *actions: str, resource: str = "*", managed: bool = False) -> None:
    """Set the role's permissions; `managed` adds AWS's managed policy."""
    iam = scene.cloud.client("iam", ACCOUNT, "eu-west-1")
    if managed:
        iam.attach_role_policy(RoleName="deployer", PolicyArn=LIMITED)
    policy = document({"Action": list(actions) or ["s3:ListBucket"], "Resource": resource})
    iam.put_role_policy(RoleName="deployer", PolicyName="own", PolicyDocument=policy)


def refused(service: str) -> dict[str, str]:
    return {
        "code": "IAM_ROLE_PERMISSIONS",
        "message": f"The IAM role {ROLE} does not give you permission to perform operations in "
        f"the following AWS service: {service}. Contact your AWS administrator if you need help. "
        "If you are an AWS administrator, you can grant permissions to your users or groups by "
        "creating IAM policies.",
    }


def ended(scene: Scene, **settings: Any) -> dict[str, Any]:
    """Return the end of a deployment."""
    return scene.await_end(scene.begin(**settings))


def answering(scene: Scene, *names: str) -> None:
    """Hooks that report success."""

    def hook(event: dict[str, str]) -> Invocation:
        scene.client.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status="Succeeded",
        )
        return Invocation(b"", None, "1")

    scene.functions.hooks = dict.fromkeys(names, hook)


def test_the_grants_of_cdk_suffice(scene: Scene) -> None:
    hook = f"arn:aws:lambda:{scene.region}:{ACCOUNT}:function:judge"
    grant(scene, "lambda:InvokeFunction", resource=hook, managed=True)
    answering(scene, "judge")
    scene.group(SHIFT, **GUARDED)
    found = ended(scene, hooks={"BeforeAllowTraffic": "judge"})
    assert found["status"] == "Succeeded", found


def test_the_managed_policy_allows_hooks_by_their_name(scene: Scene) -> None:
    grant(scene, managed=True)
    answering(scene, "judge", "CodeDeployHook_judge")
    scene.group(SHIFT)
    found = ended(scene, hooks={"BeforeAllowTraffic": "CodeDeployHook_judge"})
    assert found["status"] == "Succeeded", found
    scene.functions.history.append(scene.functions.history[0])
    found = ended(scene, hooks={"BeforeAllowTraffic": "judge"})
    assert (found["status"], found["errorInformation"]) == ("Failed", refused("AWSLambda"))


@pytest.mark.parametrize("missing", CALLS)
def test_each_call_is_made_with_the_service_role(scene: Scene, missing: str) -> None:
    grant(scene, *(each for each in CALLS if each != missing))
    scene.group(SHIFT, alarmConfiguration=GUARDED["alarmConfiguration"])
    found = ended(scene)
    service = "AmazonCloudWatch" if missing.startswith("cloudwatch") else "AWSLambda"
    assert (found["status"], found["errorInformation"]) == ("Failed", refused(service))


def test_a_group_may_ignore_unreadable_alarms(scene: Scene) -> None:
    grant(scene, "lambda:GetAlias", "lambda:UpdateAlias")
    alarms = GUARDED["alarmConfiguration"] | {"ignorePollAlarmFailure": True}
    scene.group(SHIFT, alarmConfiguration=alarms)
    found = ended(scene)
    assert found["status"] == "Succeeded", found


def test_a_trigger_publishes_as_the_role(scene: Scene) -> None:
    grant(scene, managed=True)
    topic = f"arn:aws:sns:eu-west-1:{ACCOUNT}:told"
    events = ["DeploymentSuccess"]
    trigger = {"triggerName": "t", "triggerTargetArn": topic, "triggerEvents": events}
    scene.group(SHIFT, triggerConfigurations=[trigger])
    found = ended(scene)
    assert found["status"] == "Succeeded"
    [note] = found["deploymentStatusMessages"]
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/{found['deploymentId']}"
    assert note == (
        f"Trigger t failed: User: {session} is not authorized to perform: SNS:Publish on resource: "
        f"{topic} because no identity-based policy allows the SNS:Publish action"
    )
