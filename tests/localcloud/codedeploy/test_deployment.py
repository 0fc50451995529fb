"""Deployments: shifts, stops and rollbacks."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.ports import DeploymentFailedError, Invocation, InvocationError, Routing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT_TEN = Routing("1", {"2": 0.1})


class Deploy:
    """Runs `deploy` in a thread."""

    def __init__(self, scene: Any, **changes: Any) -> None:
        self.cancel = threading.Event()
        self.error: DeploymentFailedError | None = None
        self._thread = threading.Thread(target=self._deploy, args=(scene, scene.request(**changes)))
        self._thread.start()

    def _deploy(self, scene: Any, request: Any) -> None:
        try:
            scene.cloud.codedeploy.deploy(request, self.cancel)
        except DeploymentFailedError as error:
            self.error = error

    def ended(self) -> str:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return str(self.error) if self.error else ""


def the_deployment(scene: Any) -> str:
    found = scene.client.list_deployments(applicationName="files")["deployments"]
    return str(found[-1])


def lifecycle(target: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["lifecycleEventName"], each["status"]) for each in target["lifecycleEvents"]]


def test_a_canary_shifts_in_cloud_time(make_scene: Callable[..., Any]) -> None:
    scene = make_scene()
    scene.group(scene.canary(10, 5))
    scene.cloud.codedeploy.deploy(scene.request(), threading.Event())
    assert scene.functions.history == [Routing("1"), AT_TEN, Routing("2")]
    deployment = scene.cloud.codedeploy.deployments.of(scene.account, scene.region)[0]
    (first, ten), (second, hundred) = deployment.shifts
    assert (ten, hundred) == (10, 100)
    # Not from the first shift's recorded time, which is after the change of the alias.
    allowing = deployment.events[1].started
    assert allowing <= first
    assert second - allowing >= 300
    info = scene.info(deployment.id)
    assert info["status"] == "Succeeded"
    assert info["creator"] == "CloudFormation"
    assert info["createTime"] <= info["startTime"] <= info["completeTime"]
    assert "errorInformation" not in info
    assert scene.heard.states(deployment.id) == ["START", "SUCCESS"]


def test_a_linear_shift_takes_every_step(make_scene: Callable[..., Any]) -> None:
    scene = make_scene()
    scene.group(scene.linear(40, 1))
    scene.cloud.codedeploy.deploy(scene.request(), threading.Event())
    assert scene.functions.history[1:] == [
        Routing("1", {"2": 0.4}),
        Routing("1", {"2": 0.8}),
        Routing("2"),
    ]


def test_every_shift_is_recorded_and_published(make_scene: Callable[..., Any]) -> None:
    scene = make_scene()
    scene.group(scene.canary(10, 5))
    scene.cloud.codedeploy.deploy(scene.request(), threading.Event())
    target = scene.target(the_deployment(scene))
    assert target["status"] == "Succeeded"
    assert target["lambdaFunctionInfo"] == {
        "functionName": "files",
        "functionAlias": "live",
        "currentVersion": "1",
        "targetVersion": "2",
        "targetVersionWeight": 100.0,
    }
    assert lifecycle(target) == [
        ("BeforeAllowTraffic", "Succeeded"),
        ("AllowTraffic", "Succeeded"),
        ("AfterAllowTraffic", "Succeeded"),
    ]
    log = target["lifecycleEvents"][1]["diagnostics"]["logTail"].splitlines()
    assert [line.split(" ", 1)[1] for line in log] == [
        "10% of the traffic of alias live on version 2",
        "100% of the traffic of alias live on version 2",
    ]
    shifts = [each.detail for each in scene.heard.events if each.source == "aws.lambda"]
    assert [each["requestParameters"]["functionVersion"] for each in shifts] == ["1", "2"]
    assert [
        each["requestParameters"]["routingConfig"]["additionalVersionWeights"] for each in shifts
    ] == [{"2": 0.1}, {}]
    assert shifts[0]["userIdentity"]["invokedBy"] == "codedeploy.amazonaws.com"


def test_an_alarm_stops_the_shift_at_once_and_rolls_back(make_scene: Callable[..., Any]) -> None:
    scene = make_scene(speed=0.1)  # the next poll is too late for this test
    scene.group(scene.canary(10, 60), **scene.guarded)
    deploy = Deploy(scene)
    scene.heard.await_shift(scene.region)
    assert scene.target(the_deployment(scene))["lambdaFunctionInfo"]["targetVersionWeight"] == 10
    scene.alarms.set("failures", "ALARM", "Threshold Crossed: 17 of 79 requests failed.")
    said = deploy.ended()
    assert scene.functions.history == [Routing("1"), AT_TEN, Routing("1")]
    deployment_id = the_deployment(scene)
    info = scene.info(deployment_id)
    assert info["status"] == "Stopped"
    assert info["errorInformation"]["code"] == "ALARM_ACTIVE"
    assert "<failures>" in info["errorInformation"]["message"]
    rollback = scene.info(info["rollbackInfo"]["rollbackDeploymentId"])
    assert (rollback["status"], rollback["creator"]) == ("Succeeded", "codeDeployRollback")
    assert rollback["rollbackInfo"]["rollbackTriggeringDeploymentId"] == deployment_id
    for part in (deployment_id, "stopped", "<failures>", "17 of 79", "back to version 1"):
        assert part in said
    target = scene.target(deployment_id)
    assert target["status"] == "Failed"
    assert target["lambdaFunctionInfo"]["targetVersionWeight"] == 0
    assert lifecycle(target) == [
        ("BeforeAllowTraffic", "Succeeded"),
        ("AllowTraffic", "Failed"),
        ("AfterAllowTraffic", "Skipped"),
    ]
    assert scene.heard.states(deployment_id) == ["START", "STOP"]
    assert scene.heard.states(rollback["deploymentId"]) == ["START", "SUCCESS"]


def test_an_alarm_without_an_event_is_polled(make_scene: Callable[..., Any]) -> None:
    scene = make_scene()
    scene.group(scene.canary(10, 2880), **scene.guarded)
    deploy = Deploy(scene)
    scene.functions.await_routing(AT_TEN)
    scene.alarms.states["slow"] = type(scene.alarms.states["slow"])("ALARM", "slow", 0)
    assert "<slow>" in deploy.ended()


def test_an_active_alarm_prevents_the_shift(make_scene: Callable[..., Any]) -> None:
    scene = make_scene()
    scene.group(scene.canary(), **scene.guarded)
    scene.alarms.set("slow", "ALARM", "It was slow before.")
    assert "<slow>" in Deploy(scene).ended()
    assert {each.version for each in scene.functions.history} == {"1"}
    assert not any(each.weights for each in scene.functions.history)


def test_an_alarm_that_does_not_exist_stops_unless_that_is_ignored(
    make_scene: Callable[..., Any],
) -> None:
    scene = make_scene()
    alarms = {"enabled": True, "alarms": [{"name": "absent"}]}
    scene.group(scene.canary(), alarmConfiguration=alarms)
    assert "<absent>" in Deploy(scene).ended()
    scene.client.update_deployment_group(
        applicationName="files",
        currentDeploymentGroupName="prod",
        alarmConfiguration=alarms | {"ignorePollAlarmFailure": True},
    )
    assert Deploy(scene).ended() == ""


def test_disabled_alarms_are_not_checked(make_scene: Callable[..., Any]) -> None:
    scene = make_scene()
    alarms = {"enabled": False, "alarms": [{"name": "failures"}]}
    scene.group(scene.canary(), alarmConfiguration=alarms)
    scene.alarms.set("failures", "ALARM")
    assert Deploy(scene).ended() == ""


def test_without_automatic_rollback_the_alias_stays_and_the_next_deployment_fails(
    make_scene: Callable[..., Any],
) -> None:
    scene = make_scene(speed=0.1)
    scene.group(scene.canary(), alarmConfiguration=scene.guarded["alarmConfiguration"])
    deploy = Deploy(scene)
    scene.functions.await_routing(AT_TEN)
    scene.alarms.set("failures", "ALARM")
    deploy.ended()
    assert scene.functions.history == [Routing("1"), AT_TEN]
    assert scene.info(the_deployment(scene))["rollbackInfo"] == {}
    scene.alarms.set("failures", "OK")
    said = Deploy(scene).ended()
    assert "alias version does not match the current version" in said
    assert scene.functions.history[-1] == AT_TEN
    latest = scene.client.list_deployments()["deployments"][0]
    assert scene.info(latest)["errorInformation"]["code"] == "INVALID_LAMBDA_CONFIGURATION"


def test_a_deployment_is_stopped_manually(make_scene: Callable[..., Any]) -> None:
    scene = make_scene(speed=0.1)
    scene.group(scene.canary(), **scene.guarded)
    deploy = Deploy(scene)
    scene.functions.await_routing(AT_TEN)
    assert scene.client.stop_deployment(deploymentId=the_deployment(scene))["status"] == "Pending"
    assert f"arn:aws:iam::{scene.account}:root" in deploy.ended()
    info = scene.info(the_deployment(scene))
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert scene.functions.history[-1] == Routing("1")


@pytest.mark.parametrize(("asked", "left"), [(True, Routing("1")), (False, AT_TEN)])
def test_a_manual_stop_chooses_whether_to_roll_back(
    make_scene: Callable[..., Any], asked: bool, left: Routing
) -> None:
    scene = make_scene(speed=0.1)
    scene.group(scene.canary())
    deployment_id = scene.begin()
    scene.functions.await_routing(AT_TEN)
    scene.client.stop_deployment(deploymentId=deployment_id, autoRollbackEnabled=asked)
    scene.await_end(deployment_id)
    assert scene.functions.history[-1] == left


def test_a_cancelled_deployment_is_rolled_back(make_scene: Callable[..., Any]) -> None:
    scene = make_scene(speed=0.1)
    scene.group(scene.canary())  # even without automatic rollback
    deploy = Deploy(scene)
    scene.functions.await_routing(AT_TEN)
    deploy.cancel.set()
    assert "CloudFormation cancelled it" in deploy.ended()
    assert scene.functions.history[-1] == Routing("1")


def test_hooks_run_before_and_after_the_shift(make_scene: Callable[..., Any]) -> None:
    scene = make_scene()
    scene.group(scene.canary())
    seen = []

    def hook(event: dict[str, str]) -> Invocation:
        seen.append(scene.functions.history[-1])
        scene.client.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status="Succeeded",
        )
        return Invocation(b"null", None, "1")

    scene.functions.hooks = {"before": hook, "after": hook}
    assert Deploy(scene, before_hook="before", after_hook="after").ended() == ""
    assert seen == [Routing("1"), Routing("2")]


def test_a_hook_that_reports_failure_stops_before_any_traffic(
    make_scene: Callable[..., Any],
) -> None:
    scene = make_scene()
    scene.group(scene.canary(), **scene.guarded)

    def hook(event: dict[str, str]) -> Invocation:
        scene.client.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status="Failed",
        )
        return Invocation(b"null", None, "1")

    scene.functions.hooks = {"before": hook}
    assert "BeforeAllowTraffic (before)" in Deploy(scene, before_hook="before").ended()
    info = scene.info(the_deployment(scene))
    assert (info["status"], info["errorInformation"]["code"]) == (
        "Failed",
        "HOOK_EXECUTION_FAILURE",
    )
    assert not any(each.weights for each in scene.functions.history)
    event = scene.target(the_deployment(scene))["lifecycleEvents"][0]
    assert event["status"] == "Failed"
    assert "reported Failed" in event["diagnostics"]["message"]


def answering(scene: Any, event: dict[str, str], status: str) -> None:
    scene.client.put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )


class Waiting:
    """An AfterAllowTraffic hook that returns before its result is reported."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._event: dict[str, str] = {}
        self._invoked = threading.Event()
        scene.functions.hooks = {"after": self._hook}

    def _hook(self, event: dict[str, str]) -> Invocation:
        self._event = event
        self._invoked.set()
        return Invocation(b"null", None, "1")

    def begun(self) -> str:
        """Return the deployment once it waits for the hook."""
        assert self._invoked.wait(60)
        return self._event["DeploymentId"]

    def answer(self, status: str) -> None:
        answering(self._scene, self._event, status)


@pytest.mark.parametrize(
    ("status", "history", "event"),
    [
        ("Succeeded", [Routing("1"), AT_TEN, Routing("2")], "Succeeded"),
        ("Failed", [Routing("1"), AT_TEN, Routing("2"), Routing("1")], "Failed"),
    ],
)
def test_an_after_allow_traffic_hook_reports_its_result_later(
    make_scene: Callable[..., Any], status: str, history: list[Routing], event: str
) -> None:
    """Until the result, the deployment and its stack are in progress."""
    scene = make_scene(speed=600.0)
    scene.group(scene.canary(), **scene.guarded)
    hook = Waiting(scene)
    deploy = Deploy(scene, after_hook="after")
    deployment_id = hook.begun()
    assert scene.info(deployment_id)["status"] == "InProgress"
    assert lifecycle(scene.target(deployment_id))[-1] == ("AfterAllowTraffic", "InProgress")
    assert scene.functions.history[-1] == Routing("2")
    hook.answer(status)
    assert bool(deploy.ended()) == (status == "Failed")
    assert scene.functions.history == history
    assert lifecycle(scene.target(deployment_id))[-1] == ("AfterAllowTraffic", event)


def test_an_alarm_in_the_bake_rolls_back_by_a_new_deployment(
    make_scene: Callable[..., Any],
) -> None:
    scene = make_scene(speed=600.0)
    scene.group(scene.canary(), **scene.guarded)
    hook = Waiting(scene)
    deploy = Deploy(scene, after_hook="after")
    deployment_id = hook.begun()
    scene.alarms.set("slow", "ALARM", "30 of 100 requests were slow.")
    assert "<slow>" in deploy.ended()
    assert scene.functions.history == [Routing("1"), AT_TEN, Routing("2"), Routing("1")]
    info = scene.info(deployment_id)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    rollback = scene.info(info["rollbackInfo"]["rollbackDeploymentId"])
    assert (rollback["status"], rollback["creator"]) == ("Succeeded", "codeDeployRollback")
    with pytest.raises(scene.client.exceptions.LifecycleEventAlreadyCompletedException):
        hook.answer("Succeeded")


@pytest.mark.parametrize("error", [None, "Unhandled"], ids=["silent", "crashes"])
def test_a_hook_without_a_result_times_out_after_an_hour(
    make_scene: Callable[..., Any], error: str | None
) -> None:
    """serverless-application-model#1963: a hook that timed out left the deployment waiting."""
    scene = make_scene()
    scene.group(scene.canary(), **scene.guarded)
    payload = json.dumps({"errorMessage": "boom"}).encode()
    scene.functions.hooks = {"after": lambda _event: Invocation(payload, error, "1")}
    assert "no result was reported within one hour" in Deploy(scene, after_hook="after").ended()
    (events,) = (
        each.events for each in scene.cloud.codedeploy.deployments.of(scene.account, scene.region)
        if not each.rollback_of
    )  # fmt: skip
    assert events[-1].ended - events[-1].started >= 3600
    assert scene.functions.history[-2:] == [Routing("2"), Routing("1")]


def test_a_hook_that_cannot_be_invoked_fails(
    make_scene: Callable[..., Any],
) -> None:
    scene = make_scene()
    scene.group(scene.canary(), **scene.guarded)

    def absent(_event: dict[str, str]) -> Invocation:
        raise InvocationError("ResourceNotFoundException", "Function not found: absent")

    scene.functions.hooks = {"absent": absent}
    assert "Function not found: absent" in Deploy(scene, before_hook="absent").ended()


def test_an_alarm_stops_a_deployment_that_waits_for_its_hook(
    make_scene: Callable[..., Any],
) -> None:
    scene = make_scene(speed=0.1)
    scene.group(scene.canary(), **scene.guarded)
    invoked = threading.Event()

    def silent(_event: dict[str, str]) -> Invocation:
        invoked.set()
        return Invocation(b"", None, "1")

    scene.functions.hooks = {"silent": silent}
    deploy = Deploy(scene, before_hook="silent")
    assert invoked.wait(60)
    scene.alarms.set("failures", "ALARM")
    assert "<failures>" in deploy.ended()


def test_a_shift_that_fails_is_a_failed_deployment(make_scene: Callable[..., Any]) -> None:
    scene = make_scene()
    scene.group(scene.canary(), **scene.guarded)
    scene.functions.failing = RuntimeError("the alias is gone")
    said = Deploy(scene).ended()
    assert "the alias is gone" in said
    info = scene.info(the_deployment(scene))
    assert info["status"] == "Failed"
    rollback = scene.info(info["rollbackInfo"]["rollbackDeploymentId"])
    assert rollback["status"] == "Failed"
    assert "failed" in info["rollbackInfo"]["rollbackMessage"]


def test_one_deployment_at_a_time_goes_to_a_group(make_scene: Callable[..., Any]) -> None:
    scene = make_scene(speed=0.1)
    scene.group(scene.canary())
    first = scene.begin()
    with pytest.raises(scene.client.exceptions.DeploymentLimitExceededException, match=first):
        scene.begin()
    assert f"already has an active Deployment '{first}'" in Deploy(scene).ended()
    scene.client.stop_deployment(deploymentId=first)
    scene.await_end(first)
    scene.functions.history.append(Routing("1"))
    assert scene.begin() != first


def test_a_group_that_does_not_exist_fails_by_name(make_scene: Callable[..., Any]) -> None:
    scene = make_scene()
    scene.group(scene.canary())
    assert (
        "No Deployment Group found for name: none" in Deploy(scene, deployment_group="none").ended()
    )
    assert "No application found for name: none" in Deploy(scene, application="none").ended()


def test_triggers_publish_to_their_topics(
    tmp_path: Path, open_scene: Callable[..., Any], make_functions: Callable[..., Any]
) -> None:
    scene = open_scene(tmp_path, make_functions())
    sns = scene.cloud.client("sns", scene.account, scene.region)
    sqs = scene.cloud.client("sqs", scene.account, scene.region)
    topic = sns.create_topic(Name="deployments")["TopicArn"]
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{scene.region}:{scene.account}:told",
        Attributes={"RawMessageDelivery": "true"},
    )
    events = ["DeploymentStart", "DeploymentStop", "DeploymentRollback"]
    told = {"triggerName": "t", "triggerTargetArn": topic, "triggerEvents": events}
    lost = told | {"triggerName": "lost", "triggerTargetArn": f"{topic}-gone"}
    scene.group(scene.canary(), triggerConfigurations=[told, lost], **scene.guarded)
    scene.alarms.set("failures", "ALARM")
    Deploy(scene).ended()
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    bodies = [json.loads(each["Body"]) for each in messages]
    deployment_id = the_deployment(scene)
    assert [each["status"] for each in bodies] == ["InProgress", "Stopped", "InProgress"]
    assert [each["deploymentId"] == deployment_id for each in bodies] == [True, True, False]
    assert bodies[1]["errorInformation"]["ErrorCode"] == "ALARM_ACTIVE"
    notes = scene.info(deployment_id)["deploymentStatusMessages"]
    assert any("Trigger lost failed" in each for each in notes)
