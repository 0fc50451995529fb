"""The deployed judge: its part of the stack in a local cloud, at rehearsal speed.

The service is a stand-in behind API Gateway. It logs the same line of metrics as the real one,
and reports false counts where a test needs it.
"""

from __future__ import annotations

import gc
import io
import itertools
import json
import threading
import time
import zipfile
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import boto3
import pytest
import urllib3
from aws_cdk import CfnOutput

from environments.schema import Canary, load
from localcloud.core.delays import Delays
from localcloud.server import LocalCloud
from pipeline.builds import bundle
from pipeline.delivery.stacks.api import rest_api
from pipeline.delivery.stacks.release import Release
from pipeline.judge.statistics.condemnation import Permission, permission_key, text
from pipeline.judge.statistics.judging import judge
from pipeline.judge.statistics.record import read
from pipeline.names import ALIAS, again_role, api_name, decision_key, version_alarm_name
from tests.pipeline.deployed import ACCOUNT, NAME, Deployed, synthesise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    import aws_cdk as cdk
    from aws_cdk import aws_lambda as lambda_

    from pipeline.delivery.stacks.artifact import Artifact
    from tests.pipeline.deployed import Part

pytestmark = pytest.mark.timeout(900)

SPEEDS = (60.0, 20.0, 6.0)
"""Speeds of a release: the next is used if this machine did not keep pace."""
ENOUGH = 60
"""Responses of the old version during a shift that suffice for a verdict."""
LONGEST_GAP = timedelta(minutes=2)
"""Of the cloud's time between two responses: a longer one is a pause of this machine."""
REGIONS = iter(boto3.Session().get_available_regions("lambda"))
"""Each is used once: all clouds of a process share moto's state."""
SOURCE = """
import json, os, time
def handler(event, context):
    odd = event["path"].endswith("/odd")
    bad, lies = os.environ["BAD"].strip(), os.environ.get("LIES")
    status = {"yes": 500, "refuses": 403, "no": 200}[bad] if odd else 200
    counted = 200 if lies == "none failed" else status
    metrics = {"Requests": 20 if lies == "twenty for each" else 1, "Failures": int(counted >= 500),
               "ClientErrors": int(400 <= counted < 500), "SlowRequests": 0, "ColdStarts": 0}
    directive = {"Namespace": "Pithead/Service",
                 "Dimensions": [["service", "environment", "version"], ["service", "environment"]],
                 "Metrics": [{"Name": name, "Unit": "Count"} for name in metrics]}
    aws = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    if lies != "too few" or not odd:
        print(json.dumps({"_aws": aws, "service": "files", "environment": "prod",
                          "version": context.function_version, **metrics}))
    return {"statusCode": status, "headers": {"version": context.function_version}, "body": "{}"}
"""
_NO_STOP = {"Effect": "Deny", "Action": "codedeploy:StopDeployment", "Resource": "*"}
RELEASES = {
    "first": {"BAD": "no"},
    "good": {"BAD": "no "},
    "bad": {"BAD": "yes"},
    "refuses": {"BAD": "refuses"},
    "none failed": {"BAD": "yes", "LIES": "none failed"},
    "twenty for each": {"BAD": "no", "LIES": "twenty for each"},
    "too few": {"BAD": "no", "LIES": "too few"},
}
"""Variables of the service by behaviour: version 1 has `1`, version 2 another one."""


@pytest.fixture(scope="module", autouse=True)
def no_pauses() -> Iterator[None]:
    """Exclude the objects of earlier tests from garbage collections.

    In a process of 1.7 GB a full collection stops the cloud for seconds: minutes of its time.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Part]:
    """Return the release of each version by behaviour: 1, then a good or a bad one."""
    environment = load(NAME).model_copy(
        update={"shift": Canary(type="canary", percent=30, minutes=7, bake_minutes=4)}
    )

    def fill(stack: cdk.Stack, artifact: Artifact, function: lambda_.Function) -> None:
        release = Release(
            stack,
            "Release",
            environment_name=NAME,
            environment=environment,
            artifact=artifact,
            function=function,
            home_account=ACCOUNT,
        )
        api = rest_api(
            stack,
            "Api",
            name=api_name(NAME),
            stage=NAME,
            environment=environment,
            alias=release.alias,
        )
        CfnOutput(stack, "Url", value=api.url)

    zipped = bundle.build_judge("host")
    made = {
        version: synthesise(
            tmp_path_factory.mktemp("part"), zipped, fill, source=SOURCE, environment=variables
        )
        for version, variables in RELEASES.items()
    }
    # Shorter where the judge does not see the release to its end.
    quick = made["good"].template.replace('"CanaryInterval": 7', '"CanaryInterval": 2')
    return made | {"quick": replace(made["good"], template=quick)}


class Prod(Deployed):
    """A region in which version 1 serves."""

    def __init__(self, cloud: LocalCloud, parts: dict[str, Part], region: str) -> None:
        # An account's roles are the same in all regions.
        self.speed = cloud.cloud.clock.speed
        self._again = f"{again_role(NAME)}-{region}"
        self._parts = {
            version: replace(part, template=part.template.replace(again_role(NAME), self._again))
            for version, part in parts.items()
        }
        super().__init__(cloud, self._parts["first"], region)
        (stack,) = self.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        self.url: str = outputs["Url"]

    def release(self, version: str) -> tuple[str, dict[str, Any]]:
        """Return the stack's status after an update, and its deployment."""
        status = self.stack("update", self._parts[version].template)
        codedeploy = self.client("codedeploy")
        infos = [
            codedeploy.get_deployment(deploymentId=each)["deploymentInfo"]
            for each in codedeploy.list_deployments()["deployments"]
        ]
        mine = [each for each in infos if each["creator"] != "codeDeployRollback"]
        return status, max(mine, key=lambda each: each["createTime"])

    def retire(self) -> None:
        """End the judge's evaluations and the alarms: they would slow down later tests."""
        self.client("events").disable_rule(Name=self.name("AWS::Events::Rule", "JudgeMinute"))
        cloudwatch = self.client("cloudwatch")
        alarms = cloudwatch.describe_alarms()["MetricAlarms"]
        cloudwatch.delete_alarms(AlarmNames=[each["AlarmName"] for each in alarms])

    def serves(self) -> str:
        function = self.name("AWS::Lambda::Function", "Service")
        alias = self.client("lambda").get_alias(FunctionName=function, Name=ALIAS)
        assert not (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
        version: str = alias["FunctionVersion"]
        return version

    def has_all_traffic_on_2(self) -> bool:
        function = self.name("AWS::Lambda::Function", "Service")
        alias = self.client("lambda").get_alias(FunctionName=function, Name=ALIAS)
        routed = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
        return alias["FunctionVersion"] == "2" and not routed

    def lifecycle(self, deployment: str) -> list[str]:
        """Return the states of a deployment's lifecycle events, in order."""
        codedeploy = self.client("codedeploy")
        (target,) = codedeploy.list_deployment_targets(deploymentId=deployment)["targetIds"]
        found = codedeploy.get_deployment_target(deploymentId=deployment, targetId=target)
        events = found["deploymentTarget"]["lambdaTarget"]["lifecycleEvents"]
        return [each["status"] for each in events]

    def record(self, deployment: str) -> str:
        """Return the decision record once the judge has seen the release's end."""
        bucket = self.name("AWS::S3::Bucket", "Decisions")
        for _ in self.polls():
            found = self.client("s3").get_object(Bucket=bucket, Key=decision_key(deployment))
            text: str = found["Body"].read().decode()
            if read(text).outcome != "in progress":
                return text
        raise AssertionError(text)

    def permit(self, digest: str) -> None:
        """Permit a version as a person does, by the role with no other permission."""
        role = f"arn:aws:iam::{ACCOUNT}:role/{self._again}"
        sts = self.client("sts")
        given = sts.assume_role(RoleArn=role, RoleSessionName="ops")["Credentials"]
        person = boto3.client(
            "s3",
            region_name=self._region,
            endpoint_url=self._cloud.endpoint,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        permission = Permission(digest, self._cloud.clock.now(), "ops", "the bucket was away")
        bucket = self.name("AWS::S3::Bucket", "Decisions")
        person.put_object(Bucket=bucket, Key=permission_key(digest), Body=text(permission).encode())

    def break_judge(self, how: str) -> None:
        judge = self.name("AWS::Lambda::Function", "Judge")
        functions = self.client("lambda")
        if how == "throttled":
            functions.put_function_concurrency(FunctionName=judge, ReservedConcurrentExecutions=0)
            return
        if how == "may not stop":
            self.client("iam").put_role_policy(
                RoleName=self.name("AWS::IAM::Role", "JudgeRole"),
                PolicyName="denies",
                PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": _NO_STOP}),
            )
            return
        content = io.BytesIO()
        does = "import os; os._exit(1)" if how == "crashes" else "import time; time.sleep(600)"
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("pipeline/judge/handler.py", f"def handler(*_):\n    {does}\n")
        functions.update_function_configuration(FunctionName=judge, Timeout=1)
        functions.get_waiter("function_updated_v2").wait(FunctionName=judge)
        functions.update_function_code(FunctionName=judge, ZipFile=content.getvalue())


class Customers:
    """Use the service while entered; a bad version fails every second request."""

    def __init__(
        self,
        prod: Prod,
        shifted: Callable[[], None] = lambda: None,
        *,
        until: Callable[[], bool] = lambda: True,
    ) -> None:
        """`shifted` is called at version 2's first response; the end waits for `until`."""
        self._url, self._speed = prod.url, prod.speed
        self._until = until
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._use)
        self._canary = False
        self._shifted = shifted
        self.shifted = 0
        """Responses of version 1 since the first one of version 2."""
        self._gap = 0.0

    def kept_pace(self) -> bool:
        """Whether this machine served enough, without a pause, for a verdict on the service."""
        return self.shifted >= ENOUGH and self._gap * self._speed < LONGEST_GAP.total_seconds()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _use(self) -> None:
        client = urllib3.PoolManager()
        while not self._until():
            if self._over.wait(0.1):
                return
        answered = time.monotonic()
        for number in itertools.count():
            if self._over.wait(0.02):
                return
            answer = client.request("GET", f"{self._url}{'odd' if number % 2 else 'even'}")
            self._gap = max(self._gap, time.monotonic() - answered)
            answered = time.monotonic()
            if answer.headers["version"] == "2" and not self._canary:
                self._canary = True
                self._shifted()
            self.shifted += self._canary and answer.headers["version"] == "1"


@pytest.fixture(scope="module")
def prods(
    tmp_path_factory: pytest.TempPathFactory, parts: dict[str, Part]
) -> Iterator[Callable[[float], Prod]]:
    """Return a maker of regions in which version 1 serves, at a cloud's speed.

    Each call retires the region before it.
    """
    clouds: dict[float, LocalCloud] = {}
    made: list[Prod] = []

    def make(speed: float) -> Prod:
        if made:
            made[-1].retire()
        if speed not in clouds:
            clouds[speed] = LocalCloud(
                tmp_path_factory.mktemp("state"), gateway_port=0, speed=speed, iam="enforce"
            )
            clouds[speed].start()
        made.append(Prod(clouds[speed], parts, next(REGIONS)))
        return made[-1]

    yield make
    for server in clouds.values():
        server.stop()


def used(
    prods: Callable[[float], Prod], version: str, *, how: str = "", stop: str = ""
) -> tuple[Prod, str, dict[str, Any]]:
    """Return the first release that ended by `stop`, or whose machine kept pace.

    A broken judge breaks in the way of `how`, after traffic has begun to shift.
    """
    for speed in SPEEDS:
        prod = prods(speed)
        broken = (lambda prod=prod: prod.break_judge(how)) if how else (lambda: None)
        with Customers(prod, broken) as customers:
            status, deployment = prod.release(version)
        if stopper(prod, deployment) == stop or customers.kept_pace():
            break
    return prod, status, deployment


def stopper(prod: Prod, deployment: dict[str, Any]) -> str:
    """Return what stopped a deployment: `judge`, or the last part of an alarm's name."""
    why = deployment.get("errorInformation") or {"code": "", "message": ""}
    role = prod.name("AWS::IAM::Role", "JudgeRole")
    if why["code"] == "MANUAL_STOP" and f"assumed-role/{role}/" in why["message"]:
        return "judge"
    if why["code"] == "ALARM_ACTIVE":
        prefix = version_alarm_name(NAME, "2", "")
        return str(why["message"].partition(f"Activated alarms: <{prefix}")[2].partition(">")[0])
    return ""


def test_a_good_release_is_promoted_and_recorded(prods: Callable[[float], Prod]) -> None:
    prod, status, deployment = used(prods, "good")
    record = read(prod.record(deployment["deploymentId"]))
    assert (status, deployment["status"]) == ("UPDATE_COMPLETE", "Succeeded")
    assert prod.serves() == "2"
    assert record.outcome in {"promoted", "promoted undecided"}
    assert (record.stable, record.canary, record.percent) == ("1", "2", 30)
    assert len(record.periods) >= 3
    seen = [each.counts["failures"] for each in record.periods]
    canary, stable = (
        sum(getattr(pair, version).requests for pair in seen) for version in ("canary", "stable")
    )
    assert 0 < canary < stable
    assert judge(record.parameters, record.periods).evidence == record.evidence


def test_a_bad_release_is_stopped_by_the_judge_and_recorded(
    prods: Callable[[float], Prod],
) -> None:
    prod, status, deployment = used(prods, "bad", stop="judge")
    record = read(prod.record(deployment["deploymentId"]))
    assert (status, deployment["status"]) == ("UPDATE_ROLLBACK_COMPLETE", "Stopped")
    assert stopper(prod, deployment) == "judge"
    assert prod.serves() == "1"
    assert (record.verdict, record.outcome) == ("rollback", "rolled back")
    assert judge(record.parameters, record.periods).evidence == record.evidence


def test_an_alarm_stops_what_the_judge_cannot_stop(prods: Callable[[float], Prod]) -> None:
    prod, status, deployment = used(prods, "bad", how="may not stop", stop="evidence")
    record = read(prod.record(deployment["deploymentId"]))
    assert (status, deployment["status"]) == ("UPDATE_ROLLBACK_COMPLETE", "Stopped")
    assert stopper(prod, deployment) == "evidence"
    assert prod.serves() == "1"
    assert (record.verdict, record.outcome) == ("rollback", "rolled back")


def test_a_release_bad_only_under_full_traffic_is_rolled_back_in_its_bake(
    prods: Callable[[float], Prod],
) -> None:
    """No requests come during the shift, so neither judge nor guard rail has data."""
    alarm = version_alarm_name(NAME, "2", "failures")
    for speed in SPEEDS:
        prod = prods(speed)
        with Customers(prod, until=prod.has_all_traffic_on_2):
            status, deployment = prod.release("bad")
        stopped = deployment.get("errorInformation", {}).get("message", "")
        if alarm in stopped:  # otherwise this machine served too little
            break
    assert (status, deployment["status"]) == ("UPDATE_ROLLBACK_COMPLETE", "Stopped")
    assert alarm in stopped
    assert prod.lifecycle(deployment["deploymentId"]) == ["Succeeded", "Succeeded", "Failed"]
    assert prod.serves() == "1"
    assert read(prod.record(deployment["deploymentId"])).outcome == "stopped by another"


def test_reads_that_answer_403_to_real_clients_are_rolled_back(
    prods: Callable[[float], Prod],
) -> None:
    """Nothing fails or is slow; clients get 403 where the old version served them."""
    prod, status, deployment = used(prods, "refuses", stop="judge")
    record = read(prod.record(deployment["deploymentId"]))
    assert (status, deployment["status"]) == ("UPDATE_ROLLBACK_COMPLETE", "Stopped")
    assert stopper(prod, deployment) == "judge"
    assert (record.verdict, record.outcome) == ("rollback", "rolled back")
    assert "were answered with an error (4xx or 5xx)" in record.sentence
    assert not any(each.counts["failures"].canary.failures for each in record.periods)
    assert prod.serves() == "1"


@pytest.mark.parametrize(
    ("version", "what"),
    [
        ("none failed", "5xx responses"),
        ("twenty for each", "requests"),
        ("too few", "requests"),
    ],
)
def test_a_service_with_contradicted_metrics_is_stopped(
    prods: Callable[[float], Prod], version: str, what: str
) -> None:
    prod, status, deployment = used(prods, version, stop="judge")
    record = read(prod.record(deployment["deploymentId"]))
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    why = deployment["errorInformation"]
    # Counts of the last minute of the shift alone fail the hook.
    if deployment["status"] == "Stopped":
        assert stopper(prod, deployment) == "judge"
        assert record.outcome == "stopped as inconsistent"
    else:
        assert (deployment["status"], why["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
    assert record.verdict == "inconsistent"
    assert what in {each.what for each in record.discrepancies}
    assert prod.serves() == "1"


def test_a_condemned_version_gets_no_traffic_again_until_it_is_permitted(
    prods: Callable[[float], Prod],
) -> None:
    prod, _, first = used(prods, "bad", stop="judge")
    condemned = read(prod.record(first["deploymentId"]))
    status, second = prod.release("bad")
    assert (status, second["status"]) == ("UPDATE_ROLLBACK_COMPLETE", "Failed")
    assert second["errorInformation"]["code"] == "HOOK_EXECUTION_FAILURE"
    refused = read(prod.record(second["deploymentId"]))
    assert refused.outcome == "refused as condemned before"
    assert first["deploymentId"] in refused.sentence
    assert refused.version_digest == condemned.version_digest
    assert prod.serves() == "1"
    prod.permit(condemned.version_digest)
    # No one uses it now, so nothing condemns it again.
    status, third = prod.release("bad")
    assert (status, third["status"]) == ("UPDATE_COMPLETE", "Succeeded")


@pytest.mark.parametrize("how", ["crashes", "throttled", "times out"])
def test_a_broken_judge_blocks_every_release(prods: Callable[[float], Prod], how: str) -> None:
    """Without traffic no alarm reports it: then CodeDeploy gets no hook result."""
    prod = prods(600.0)  # CodeDeploy waits an hour for a hook that crashes
    prod.client("events").disable_rule(Name=prod.name("AWS::Events::Rule", "JudgeMinute"))
    prod.break_judge(how)
    status, deployment = prod.release("quick")
    assert (status, deployment["status"]) == ("UPDATE_ROLLBACK_COMPLETE", "Failed")
    assert deployment["errorInformation"]["code"] == "HOOK_EXECUTION_FAILURE"
    assert prod.serves() == "1"


def test_a_judge_that_falls_silent_ends_the_release(prods: Callable[[float], Prod]) -> None:
    prod, status, deployment = used(prods, "good", how="throttled", stop="heartbeat")
    assert (status, deployment["status"]) == ("UPDATE_ROLLBACK_COMPLETE", "Stopped")
    assert stopper(prod, deployment) == "heartbeat"
    assert prod.serves() == "1"


@pytest.mark.parametrize(
    ("version", "status"), [("good", "UPDATE_COMPLETE"), ("bad", "UPDATE_ROLLBACK_COMPLETE")]
)
def test_metrics_three_minutes_late_change_no_verdict(
    tmp_path: Path, parts: dict[str, Part], version: str, status: str
) -> None:
    """Neither a hidden bad release nor a stopped good one, also if the bake decides."""
    late = Delays(metric_seconds=180.0)
    for speed in SPEEDS:
        cloud = LocalCloud(tmp_path / str(speed), gateway_port=0, speed=speed, delays=late)
        cloud.start()
        prod = Prod(cloud, parts, next(REGIONS))
        with Customers(prod) as customers:
            ended, _ = prod.release(version)
        cloud.stop()
        if customers.kept_pace():
            break
    assert ended == status
