"""The judge's port over the AWS API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.judge.bake import bake_text, read_bake
from pipeline.judge.port import Deployment, GatewaySeen, Seen, Serving, UnjudgedError
from pipeline.judge.shift import MINUTE
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
    NAMESPACE,
    bake_key,
    decision_key,
    version_alarm_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.judge.client import Client
    from pipeline.judge.port import Bake, Metric, Minutes
    from pipeline.judge.settings import Settings
    from pipeline.judge.statistics.condemnation import Condemnation, Permission
    from pipeline.judge.statistics.judging import Ending

_ENDINGS: Mapping[str, Ending] = {
    "Succeeded": "succeeded", "Failed": "stopped", "Stopped": "stopped",
}  # fmt: skip
_ROLLBACK = "codeDeployRollback"
# By the field of `Seen`.
_SERVICE = {
    "requests": "Requests", "failures": "Failures", "slow": "SlowRequests",
    "cold_starts": "ColdStarts", "client_errors": "ClientErrors",
}  # fmt: skip
_LAMBDA = {"invocations": "Invocations", "errors": "Errors", "throttles": "Throttles"}
# By the field of `GatewaySeen`; the guide gives each metric's statistic.
_GATEWAY = {
    "requests": ("Count", "SampleCount"), "integrated": ("IntegrationLatency", "SampleCount"),
    "client_errors": ("4XXError", "Sum"), "server_errors": ("5XXError", "Sum"),
}  # fmt: skip
_ABSENT = {"client_errors"}
"""Metrics that an older version of the service does not have."""


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

    def deployment(self, since: datetime) -> Deployment | None:
        """See `Port`."""
        ids = self._deploy(
            "ListDeployments",
            applicationName=self._settings.application,
            deploymentGroupName=self._settings.deployment_group,
            createTimeRange={"start": since.timestamp()},
        )["deployments"]
        infos = [self._deploy("GetDeployment", deploymentId=each)["deploymentInfo"] for each in ids]
        mine = [each for each in infos if each.get("creator") != _ROLLBACK]
        if not mine:
            return None
        return self._described(max(mine, key=lambda each: float(each["createTime"])))

    def deployed(self, deployment_id: str) -> Deployment | None:
        """See `Port`."""
        info = self._deploy("GetDeployment", deploymentId=deployment_id)["deploymentInfo"]
        if info.get("creator") == _ROLLBACK:
            return None
        found = self._described(info)
        if found is None:
            raise UnjudgedError(f"deployment {deployment_id} has no target yet")
        return found

    def _described(self, info: dict[str, Any]) -> Deployment | None:
        deployment_id = info["deploymentId"]
        targets = self._deploy("ListDeploymentTargets", deploymentId=deployment_id)["targetIds"]
        if not targets:
            return None  # it has only just been created
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

    def seen(self, versions: Sequence[str], begin: datetime, end: datetime) -> Minutes:
        """See `Port`."""
        queries = {
            f"{field}{number}": self._query(field, version)
            for number, version in enumerate(versions)
            for field in (*_SERVICE, *_LAMBDA)
        }
        series = self._series(queries, begin, end)
        minutes: dict[datetime, dict[str, dict[str, int]]] = {}
        for number, version in enumerate(versions):
            for field in (*_SERVICE, *_LAMBDA):
                for at, value in series[f"{field}{number}"]:
                    minutes.setdefault(at, {}).setdefault(version, {})[field] = value
        nothing = dict.fromkeys({*_SERVICE, *_LAMBDA} - _ABSENT, 0)
        return {
            at: {version: Seen(**(nothing | fields)) for version, fields in both.items()}
            for at, both in minutes.items()
        }

    def gateway(self, begin: datetime, end: datetime) -> dict[datetime, GatewaySeen]:
        """See `Port`."""
        dimensions = {"ApiName": self._settings.api, "Stage": self._settings.environment}
        queries = {
            field: _statistic("AWS/ApiGateway", metric, dimensions, statistic)
            for field, (metric, statistic) in _GATEWAY.items()
        }
        # Without `ExecutedVersion` the metric counts every version of the alias.
        queries["invocations"] = _statistic("AWS/Lambda", "Invocations", self._alias())
        minutes: dict[datetime, dict[str, int]] = {}
        for field, points in self._series(queries, begin, end).items():
            for at, value in points:
                minutes.setdefault(at, dict.fromkeys(queries, 0))[field] = value
        return {at: GatewaySeen(**fields) for at, fields in minutes.items()}

    def record(self, deployment_id: str) -> str | None:
        """See `Port`."""
        body = self._client.read(self._settings.bucket, decision_key(deployment_id))
        return None if body is None else body.decode()

    def keep(self, deployment_id: str, record: str) -> None:
        """See `Port`."""
        self._client.write(self._settings.bucket, decision_key(deployment_id), record.encode())

    def bake(self, deployment_id: str) -> Bake | None:
        """See `Port`."""
        body = self._client.read(self._settings.bucket, bake_key(deployment_id))
        return None if body is None else read_bake(body.decode())

    def keep_bake(self, deployment_id: str, bake: Bake) -> None:
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
            raise UnjudgedError(f"DescribeAlarms: no alarm {', '.join(missing)}")
        return tuple(each for each in names if states[each] == "ALARM")

    def publish(self, metrics: Sequence[Metric]) -> None:
        """See `Port`. CloudWatch dates them, by a clock that is right."""
        self._client.call(
            "monitoring",
            "PutMetricData",
            {
                "Namespace": JUDGE_NAMESPACE,
                "MetricData": [
                    {
                        "MetricName": each.name,
                        "Dimensions": _named(self._own(each.version)),
                        "Value": each.value,
                    }
                    for each in metrics
                ],
            },
        )

    def answer(self, deployment_id: str, execution: str, *, succeeded: bool) -> None:
        """See `Port`."""
        self._deploy(
            "PutLifecycleEventHookExecutionStatus",
            deploymentId=deployment_id,
            lifecycleEventHookExecutionId=execution,
            status="Succeeded" if succeeded else "Failed",
        )

    def _deploy(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._client.call("codedeploy", operation, parameters).document

    def _series(
        self, queries: Mapping[str, dict[str, Any]], begin: datetime, end: datetime
    ) -> dict[str, list[tuple[datetime, int]]]:
        """The points of each query, by its id."""
        answer = self._client.call(
            "monitoring",
            "GetMetricData",
            {
                "MetricDataQueries": [{"Id": id_, "MetricStat": q} for id_, q in queries.items()],
                "StartTime": begin.timestamp(),
                "EndTime": end.timestamp(),
            },
        ).document
        results = {each["Id"]: each for each in answer["MetricDataResults"]}
        wrong = {id_ for id_ in queries if results.get(id_, {}).get("StatusCode") != "Complete"}
        if wrong or answer.get("NextToken"):
            raise UnjudgedError(
                f"GetMetricData answered by half: {', '.join(sorted(wrong)) or 'there is more'}"
            )
        return {id_: _points(results[id_]) for id_ in queries}

    def _alias(self) -> dict[str, str]:
        """The dimensions by which Lambda counts the alias."""
        function = self._settings.function
        return {"FunctionName": function, "Resource": f"{function}:{ALIAS}"}

    def _query(self, field: str, version: str) -> dict[str, Any]:
        if field in _SERVICE:
            return _statistic(NAMESPACE, _SERVICE[field], self._own(version))
        dimensions = {**self._alias(), "ExecutedVersion": version}
        return _statistic("AWS/Lambda", _LAMBDA[field], dimensions)

    def _own(self, version: str | None) -> dict[str, str]:
        dimensions = {"service": self._settings.service, "environment": self._settings.environment}
        return dimensions if version is None else dimensions | {"version": version}


def _statistic(
    namespace: str, metric: str, dimensions: Mapping[str, str], statistic: str = "Sum"
) -> dict[str, Any]:
    return {
        "Metric": {
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": _named(dimensions),
        },
        "Period": int(MINUTE.total_seconds()),
        "Stat": statistic,
    }


def _named(dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


def _points(result: dict[str, Any]) -> list[tuple[datetime, int]]:
    """Sums by minute; a sum of ones is a whole number, whatever its type."""
    points = []
    for at, value in zip(result["Timestamps"], result["Values"], strict=True):
        if value != int(value):
            raise UnjudgedError(f"GetMetricData gave {value} for {result['Id']}, which is a count")
        points.append((datetime.fromtimestamp(at, UTC), int(value)))
    return points


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
