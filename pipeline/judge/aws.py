"""The judge's port over the AWS API: Lambda, CodeDeploy, CloudWatch and S3."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.judge import metrics as metric_data
from pipeline.judge.bake import bake_text, read_bake
from pipeline.judge.client import AwsError
from pipeline.judge.port import Deployment, EvaluationError, Serving
from pipeline.judge.statistics.condemnation import (
    condemnation_key,
    permission_key,
    read_condemnation,
    read_permission,
    text,
    version_digest,
)
from pipeline.names import (
    ALIAS,
    GUARDS,
    JUDGE_NAMESPACE,
    bake_key,
    decision_key,
    version_alarm_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.judge.client import Client
    from pipeline.judge.port import Bake, Metric, Minutes, StageCounts
    from pipeline.judge.settings import Settings
    from pipeline.judge.statistics.condemnation import Condemnation, Permission
    from pipeline.judge.statistics.judging import Ending

_ENDINGS: Mapping[str, Ending] = {
    "Succeeded": "succeeded", "Failed": "stopped", "Stopped": "stopped",
}  # fmt: skip
_ROLLBACK_CREATOR = "codeDeployRollback"
"""Creator of a deployment that rolls another one back (`DeploymentInfo`)."""


class AwsPort:
    """See `Port`."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def serving(self) -> Serving:
        """See `Port`."""
        answer = self._client.alias(self._settings.function, ALIAS)
        alias = answer.document
        routed = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return Serving(answer.at, (alias["FunctionVersion"], *routed))

    def newest_deployment(self, since: datetime) -> Deployment | None:
        """See `Port`."""
        ids = self._deploy(
            "ListDeployments",
            applicationName=self._settings.application,
            deploymentGroupName=self._settings.deployment_group,
            createTimeRange={"start": since.timestamp()},
        )["deployments"]
        infos = [self._deploy("GetDeployment", deploymentId=each)["deploymentInfo"] for each in ids]
        mine = [each for each in infos if each.get("creator") != _ROLLBACK_CREATOR]
        if not mine:
            return None
        return self._described(max(mine, key=lambda each: float(each["createTime"])))

    def deployment(self, deployment_id: str) -> Deployment | None:
        """See `Port`."""
        info = self._deploy("GetDeployment", deploymentId=deployment_id)["deploymentInfo"]
        if info.get("creator") == _ROLLBACK_CREATOR:
            return None
        found = self._described(info)
        if found is None:
            raise EvaluationError(
                f"deployment {deployment_id}: no target found; CodeDeploy creates it within seconds"
            )
        return found

    def _described(self, info: dict[str, Any]) -> Deployment | None:
        deployment_id = info["deploymentId"]
        targets = self._deploy("ListDeploymentTargets", deploymentId=deployment_id)["targetIds"]
        if not targets:
            return None  # CodeDeploy has not created it yet
        found = self._deploy("GetDeploymentTarget", deploymentId=deployment_id, targetId=targets[0])
        shifted = found["deploymentTarget"]["lambdaTarget"]
        began = next(
            each.get("startTime")
            for each in shifted["lifecycleEvents"]
            if each["lifecycleEventName"] == "AllowTraffic"
        )
        return Deployment(
            id=deployment_id,
            stable=shifted["lambdaFunctionInfo"]["currentVersion"],
            canary=shifted["lambdaFunctionInfo"]["targetVersion"],
            began=_time(began),
            ending=_ENDINGS.get(info["status"], "in progress"),
            completed=_time(info.get("completeTime")),
            reason=(info.get("errorInformation") or {}).get("message", ""),
        )

    def digest(self, version: str) -> str:
        """See `Port`."""
        answer = self._client.configuration(self._settings.function, version)
        return version_digest(answer.document)

    def condemnation(self, digest: str) -> Condemnation | None:
        """See `Port`."""
        body = self._client.read(self._settings.bucket, condemnation_key(digest))
        return None if body is None else read_condemnation(body.decode())

    def permission(self, digest: str) -> Permission | None:
        """See `Port`."""
        body = self._client.read(self._settings.bucket, permission_key(digest))
        return None if body is None else read_permission(body.decode())

    def condemn(self, condemnation: Condemnation) -> None:
        """See `Port`."""
        key = condemnation_key(condemnation.version_digest)
        self._client.write(self._settings.bucket, key, text(condemnation).encode())

    def version_counts(self, versions: Sequence[str], begin: datetime, end: datetime) -> Minutes:
        """See `Port`."""
        return metric_data.version_counts(self._client, self._settings, versions, begin, end)

    def stage_counts(self, begin: datetime, end: datetime) -> dict[datetime, StageCounts]:
        """See `Port`."""
        return metric_data.stage_counts(self._client, self._settings, begin, end)

    def read_record(self, deployment_id: str) -> str | None:
        """See `Port`."""
        body = self._client.read(self._settings.bucket, decision_key(deployment_id))
        return None if body is None else body.decode()

    def write_record(self, deployment_id: str, record: str) -> None:
        """See `Port`."""
        self._client.write(self._settings.bucket, decision_key(deployment_id), record.encode())

    def read_bake(self, deployment_id: str) -> Bake | None:
        """See `Port`."""
        body = self._client.read(self._settings.bucket, bake_key(deployment_id))
        return None if body is None else read_bake(body.decode())

    def write_bake(self, deployment_id: str, bake: Bake) -> None:
        """See `Port`."""
        key = bake_key(deployment_id)
        self._client.write(self._settings.bucket, key, bake_text(bake).encode())

    def alarms(self, version: str) -> tuple[str, ...]:
        """See `Port`."""
        names = [version_alarm_name(self._settings.environment, version, each) for each in GUARDS]
        answer = self._client.call("monitoring", "DescribeAlarms", {"AlarmNames": names})
        states = {each["AlarmName"]: each["StateValue"] for each in answer.document["MetricAlarms"]}
        missing = [each for each in names if each not in states]
        if missing:
            raise EvaluationError(f"DescribeAlarms: alarm {', '.join(missing)} does not exist")
        return tuple(each for each in names if states[each] == "ALARM")

    def publish(self, metrics: Sequence[Metric]) -> None:
        """See `Port`. CloudWatch sets the timestamps, because the sandbox's clock may be wrong."""
        self._client.call(
            "monitoring",
            "PutMetricData",
            {
                "Namespace": JUDGE_NAMESPACE,
                "MetricData": [
                    {
                        "MetricName": each.name,
                        "Dimensions": metric_data.named(
                            metric_data.service_dimensions(self._settings, each.version)
                        ),
                        "Value": each.value,
                    }
                    for each in metrics
                ],
            },
        )

    def answer_hook(self, deployment_id: str, execution: str, *, succeeded: bool) -> None:
        """See `Port`."""
        self._deploy(
            "PutLifecycleEventHookExecutionStatus",
            deploymentId=deployment_id,
            lifecycleEventHookExecutionId=execution,
            status="Succeeded" if succeeded else "Failed",
        )

    def stop(self, deployment_id: str) -> None:
        """See `Port`."""
        try:
            self._deploy("StopDeployment", deploymentId=deployment_id, autoRollbackEnabled=True)
        except AwsError as error:
            if error.code != "DeploymentAlreadyCompletedException":  # an alarm was sooner
                raise

    def _deploy(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._client.call("codedeploy", operation, parameters).document


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
