"""Read the metrics of versions and of the stage from CloudWatch, one minute at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.judge.port import EvaluationError, StageCounts, VersionCounts
from pipeline.judge.shift import MINUTE
from pipeline.names import ALIAS, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.judge.client import Client
    from pipeline.judge.port import Minutes
    from pipeline.judge.settings import Settings

# Metric by field of `VersionCounts`.
_SERVICE_METRICS = {
    "requests": "Requests", "failures": "Failures", "slow": "SlowRequests",
    "cold_starts": "ColdStarts", "client_errors": "ClientErrors", "warm_ups": "WarmUps",
}  # fmt: skip
_LAMBDA_METRICS = {"invocations": "Invocations", "errors": "Errors", "throttles": "Throttles"}
# Metric and statistic by field of `StageCounts`. Source of the statistics: "Amazon API Gateway
# dimensions and metrics".
_STAGE_METRICS = {
    "requests": ("Count", "SampleCount"), "integrated": ("IntegrationLatency", "SampleCount"),
    "client_errors": ("4XXError", "Sum"), "server_errors": ("5XXError", "Sum"),
}  # fmt: skip
_OPTIONAL_FIELDS = {"client_errors", "warm_ups"}
"""Fields without a metric in older versions of the service."""


def version_counts(
    client: Client, settings: Settings, versions: Sequence[str], begin: datetime, end: datetime
) -> Minutes:
    """Return the counts of versions in the minutes from `begin` up to `end`.

    Raises:
        EvaluationError: CloudWatch does not answer, or its answer is incomplete.
    """
    fields = (*_SERVICE_METRICS, *_LAMBDA_METRICS)
    queries = {
        f"{field}{number}": _query(settings, field, version)
        for number, version in enumerate(versions)
        for field in fields
    }
    series = _series(client, queries, begin, end)
    minutes: dict[datetime, dict[str, dict[str, int]]] = {}
    for number, version in enumerate(versions):
        for field in fields:
            for at, value in series[f"{field}{number}"]:
                minutes.setdefault(at, {}).setdefault(version, {})[field] = value
    zeros = dict.fromkeys({*fields} - _OPTIONAL_FIELDS, 0)
    return {
        at: {version: VersionCounts(**(zeros | found)) for version, found in both.items()}
        for at, both in minutes.items()
    }


def stage_counts(
    client: Client, settings: Settings, begin: datetime, end: datetime
) -> dict[datetime, StageCounts]:
    """Return the counts of the stage in the minutes from `begin` up to `end`.

    Raises:
        EvaluationError: CloudWatch does not answer, or its answer is incomplete.
    """
    dimensions = {"ApiName": settings.api, "Stage": settings.environment}
    queries = {
        field: _statistic("AWS/ApiGateway", metric, dimensions, statistic)
        for field, (metric, statistic) in _STAGE_METRICS.items()
    }
    # Without `ExecutedVersion` the metric counts every version of the alias.
    queries["invocations"] = _statistic("AWS/Lambda", "Invocations", _alias(settings))
    minutes: dict[datetime, dict[str, int]] = {}
    for field, points in _series(client, queries, begin, end).items():
        for at, value in points:
            minutes.setdefault(at, dict.fromkeys(queries, 0))[field] = value
    return {at: StageCounts(**fields) for at, fields in minutes.items()}


def named(dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    """Return dimensions in CloudWatch's form."""
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


def service_dimensions(settings: Settings, version: str | None) -> dict[str, str]:
    """Return the dimensions of the service's metrics; without a version, the environment's."""
    dimensions = {"service": settings.service, "environment": settings.environment}
    return dimensions if version is None else dimensions | {"version": version}


def _series(
    client: Client, queries: Mapping[str, dict[str, Any]], begin: datetime, end: datetime
) -> dict[str, list[tuple[datetime, int]]]:
    """Return the points of each query, by the query's id."""
    answer = client.call(
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
        missing = ", ".join(sorted(wrong)) or "a further page"
        raise EvaluationError(f"GetMetricData: the answer is incomplete; missing is {missing}")
    return {id_: _points(results[id_]) for id_ in queries}


def _points(result: dict[str, Any]) -> list[tuple[datetime, int]]:
    """Return the sums by minute; CloudWatch returns counts as fractions."""
    points = []
    for at, value in zip(result["Timestamps"], result["Values"], strict=True):
        if value != int(value):
            raise EvaluationError(
                f"GetMetricData: found {value} for {result['Id']}; a count is a whole number"
            )
        points.append((datetime.fromtimestamp(at, UTC), int(value)))
    return points


def _query(settings: Settings, field: str, version: str) -> dict[str, Any]:
    if field in _SERVICE_METRICS:
        dimensions = service_dimensions(settings, version)
        return _statistic(NAMESPACE, _SERVICE_METRICS[field], dimensions)
    dimensions = {**_alias(settings), "ExecutedVersion": version}
    return _statistic("AWS/Lambda", _LAMBDA_METRICS[field], dimensions)


def _alias(settings: Settings) -> dict[str, str]:
    """Return the dimensions of Lambda's metrics of the alias."""
    return {"FunctionName": settings.function, "Resource": f"{settings.function}:{ALIAS}"}


def _statistic(
    namespace: str, metric: str, dimensions: Mapping[str, str], statistic: str = "Sum"
) -> dict[str, Any]:
    return {
        "Metric": {
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": named(dimensions),
        },
        "Period": int(MINUTE.total_seconds()),
        "Stat": statistic,
    }
