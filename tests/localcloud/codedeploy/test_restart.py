"""A kill in the middle of a shift, and the recovery at the next start."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.ports import DeploymentFailedError, Routing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT_TEN = Routing("1", {"2": 0.1})

DYING = """
import json, sys, threading
from pathlib import Path
from localcloud.core.ports import AliasDeployment, Routing
from localcloud.compose import Substitutes
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud

ACCOUNT, REGION = "222222222222", "eu-west-1"

class Functions:
    def routing(self, *where):
        return Routing("1")
    def route(self, *where_and_routing):
        print("shifted", flush=True)

server = LocalCloud(
    Path(sys.argv[1]), services=("codedeploy",), delays=NO_DELAYS,
    substitutes=Substitutes(aliases=Functions()),
)
server.start()
iam = server.cloud.client("iam", ACCOUNT, "us-east-1")
trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                        "Principal": {"Service": "codedeploy.amazonaws.com"}}]}
role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust))
client = server.cloud.client("codedeploy", ACCOUNT, REGION)
client.create_application(applicationName="files", computePlatform="Lambda")
client.create_deployment_group(
    applicationName="files", deploymentGroupName="prod", serviceRoleArn=role["Role"]["Arn"],
    deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes",
)
server.cloud.codedeploy.deploy(
    AliasDeployment(ACCOUNT, REGION, "files", "prod", "files", "live", "1", "2"),
    threading.Event(),
)
"""


def assert_interrupted(scene: Any, deployment_id: str) -> None:
    info = scene.info(deployment_id)
    assert info["status"] == "Failed"
    assert info["errorInformation"]["code"] == "INTERNAL_ERROR"
    assert "interrupted" in info["errorInformation"]["message"]
    rollback = scene.info(info["rollbackInfo"]["rollbackDeploymentId"])
    assert rollback["status"] == "Succeeded"
    assert rollback["rollbackInfo"]["rollbackTriggeringDeploymentId"] == deployment_id
    assert scene.target(deployment_id)["lambdaFunctionInfo"]["targetVersionWeight"] == 0


@pytest.mark.usefixtures("real_roles")
def test_a_killed_shift_is_rolled_back_by_the_next_start(
    tmp_path: Path, open_scene: Callable[..., Any], make_functions: Callable[..., Any]
) -> None:
    dying = subprocess.Popen(
        [sys.executable, "-c", DYING, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert dying.stdout is not None
    assert dying.stdout.readline() == "shifted\n"
    dying.send_signal(signal.SIGKILL)
    dying.wait()
    dying.stdout.close()
    functions = make_functions(AT_TEN)
    scene = open_scene(tmp_path, functions)
    assert functions.history[-1] == Routing("1")
    newest, oldest = scene.client.list_deployments()["deployments"]
    assert_interrupted(scene, oldest)
    assert scene.info(newest)["creator"] == "codeDeployRollback"
    # The group has no active deployment, and the alias is on the current version.
    scene.cloud.codedeploy.deploy(scene.request(), threading.Event())
    assert functions.history[-1] == Routing("2")


def test_a_stop_does_not_wait_for_a_shift_and_the_next_start_rolls_it_back(
    tmp_path: Path, open_scene: Callable[..., Any], make_functions: Callable[..., Any]
) -> None:
    functions = make_functions(Routing("1"))
    scene = open_scene(tmp_path, functions, speed=1.0)
    scene.group(scene.canary())
    errors: list[str] = []

    def deploy() -> None:
        try:
            scene.cloud.codedeploy.deploy(scene.request(), threading.Event())
        except DeploymentFailedError as error:
            errors.append(str(error))

    caller = threading.Thread(target=deploy)
    caller.start()
    functions.await_routing(AT_TEN)
    scene.server.stop()
    caller.join(60)
    assert "interrupted" in errors[0]
    assert functions.history[-1] == AT_TEN
    again = open_scene(tmp_path, functions)
    assert functions.history[-1] == Routing("1")
    assert_interrupted(again, again.client.list_deployments()["deployments"][-1])


def test_a_rollback_that_was_cut_short_is_completed(
    tmp_path: Path, open_scene: Callable[..., Any], make_functions: Callable[..., Any]
) -> None:
    functions = make_functions(Routing("1"))
    scene = open_scene(tmp_path, functions, speed=1.0)
    scene.group(scene.canary())
    stopped = scene.begin()
    functions.await_routing(AT_TEN)
    scene.client.stop_deployment(deploymentId=stopped, autoRollbackEnabled=True)
    rollback = scene.await_end(stopped)["rollbackInfo"]["rollbackDeploymentId"]
    # The ledger after the record of the rollback and before the change of the alias.
    half = scene.cloud.ledger.get("codedeploy:deployment", rollback)
    half |= {"status": "InProgress", "shifts": [], "ended": None}
    scene.cloud.ledger.put("codedeploy:deployment", rollback, half)
    functions.history.append(AT_TEN)
    scene.server.stop()
    again = open_scene(tmp_path, functions)
    assert functions.history[-1] == Routing("1")
    assert again.info(rollback)["status"] == "Succeeded"
    assert again.info(stopped)["errorInformation"]["code"] == "MANUAL_STOP"


def test_a_missing_alias_does_not_prevent_a_start(
    tmp_path: Path, open_scene: Callable[..., Any], make_functions: Callable[..., Any]
) -> None:
    functions = make_functions(Routing("1"))
    scene = open_scene(tmp_path, functions, speed=1.0)
    scene.group(scene.canary())
    deployment_id = scene.begin()
    functions.await_routing(AT_TEN)
    scene.server.stop()
    functions.failing = KeyError("live")
    again = open_scene(tmp_path, functions)
    info = again.info(deployment_id)
    assert info["status"] == "Failed"
    assert again.info(info["rollbackInfo"]["rollbackDeploymentId"])["status"] == "Failed"


def test_acknowledged_calls_survive_a_restart(
    tmp_path: Path, open_scene: Callable[..., Any], make_functions: Callable[..., Any]
) -> None:
    functions = make_functions(Routing("1"))
    scene = open_scene(tmp_path, functions)
    scene.group(scene.canary(), **scene.guarded)
    deployment_id = scene.begin()
    scene.await_end(deployment_id)
    asked = {"applicationName": "files", "deploymentGroupName": "prod"}

    def remembered(of: Any) -> Any:
        group = of.client.get_deployment_group(**asked)["deploymentGroupInfo"]
        configuration = of.client.get_deployment_config(deploymentConfigName="shift")
        application = of.client.get_application(applicationName="files")["application"]
        return (
            group,
            configuration["deploymentConfigInfo"],
            application,
            of.info(deployment_id),
            of.target(deployment_id),
        )

    before = remembered(scene)
    scene.server.stop()
    assert remembered(open_scene(tmp_path, functions)) == before
