"""Check alarm definitions as `PutMetricAlarm` and `PutCompositeAlarm` do.

A definition has the shape of the request. A parameter of AWS that the local cloud does not support
is rejected by name, never ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.cloudwatch.alarm_rule import AlarmRule
from localcloud.cloudwatch.evaluation import COMPARISONS, Rule
from localcloud.cloudwatch.model import DefinitionError
from localcloud.cloudwatch.queries import Queries, check_period, returned
from localcloud.cloudwatch.statistics import check_statistic
from localcloud.cloudwatch.time_series import TimeSeries

if TYPE_CHECKING:
    from localcloud.cloudwatch.evaluation import Missing
    from localcloud.core.ports import Document

_DAY_SECONDS = 86400
_HOUR_SECONDS = 3600
_ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")
_MAX_ACTIONS = 5
_MAX_NAME_CHARACTERS = 255
_SINGLE_METRIC_PARAMETERS = (
    "Namespace", "MetricName", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic",
)  # fmt: skip
_UNSUPPORTED = {
    "ThresholdMetricId": "alarms on anomaly detection",
    "WarmUpConfiguration": "warm-up periods",
    "EvaluationCriteria": "PromQL alarms",
    "EvaluationInterval": "PromQL alarms",
    "ActionConfiguration": "alarm tags in notifications",
    "ActionsSuppressor": "suppressed actions",
    "ActionsSuppressorWaitPeriod": "suppressed actions",
    "ActionsSuppressorExtensionPeriod": "suppressed actions",
}


def check(definition: Document, account: str) -> None:
    """Check an alarm's definition.

    Raises:
        DefinitionError: a part is missing, contradicts another, or is not in the local cloud.
    """
    name = definition["AlarmName"]
    if not 0 < len(name) <= _MAX_NAME_CHARACTERS or any(ord(letter) < ord(" ") for letter in name):
        raise DefinitionError(
            f"The value {name!r} for parameter AlarmName is invalid; use 1 to 255 characters "
            "without control characters"
        )
    for part, what in _UNSUPPORTED.items():
        if part in definition:
            raise DefinitionError(f"Alarm {name}: {part}: {what} are not part of the local cloud")
    for part in _ACTIONS:
        if len(definition.get(part) or []) > _MAX_ACTIONS:
            raise DefinitionError(f"Alarm {name}: {part} takes at most {_MAX_ACTIONS} actions")
    if "AlarmRule" in definition:
        AlarmRule(definition["AlarmRule"])
        return
    if "WallClockWindow" in (definition.get("EvaluationWindow") or {}):
        raise DefinitionError(
            f"Alarm {name}: EvaluationWindow: wall clock windows are not part of the local cloud"
        )
    _check_evaluation(name, definition)
    if definition.get("Metrics"):
        _check_expression(name, definition, account)
    else:
        _check_metric(name, definition)
    _check_length(name, definition, account)


def _check_evaluation(name: str, definition: Document) -> None:
    periods = definition.get("EvaluationPeriods")
    if not periods or periods < 1:
        raise DefinitionError(f"Alarm {name}: EvaluationPeriods must be at least 1")
    if not 1 <= definition.get("DatapointsToAlarm", 1) <= periods:
        raise DefinitionError(
            f"Alarm {name}: DatapointsToAlarm must be at least 1 and at most EvaluationPeriods "
            f"({periods})"
        )
    comparison = definition.get("ComparisonOperator")
    if comparison not in COMPARISONS:
        raise DefinitionError(
            f"Alarm {name}: ComparisonOperator {comparison} is not one of {', '.join(COMPARISONS)}"
        )
    if "Threshold" not in definition:
        raise DefinitionError(f"Alarm {name}: Threshold is required")
    for part, allowed in (
        ("TreatMissingData", ("breaching", "notBreaching", "ignore", "missing")),
        ("EvaluateLowSampleCountPercentile", ("evaluate", "ignore")),
    ):
        if definition.get(part, allowed[0]) not in allowed:
            raise DefinitionError(
                f"Alarm {name}: {part} {definition[part]} is not one of {', '.join(allowed)}"
            )


def _check_metric(name: str, definition: Document) -> None:
    for part in ("MetricName", "Namespace", "Period"):
        if part not in definition:
            raise DefinitionError(f"Alarm {name}: {part} or Metrics is required")
    if ("Statistic" in definition) == ("ExtendedStatistic" in definition):
        raise DefinitionError(
            f"Alarm {name}: exactly one of Statistic and ExtendedStatistic must be specified",
            "InvalidParameterCombination",
        )
    check_statistic(definition.get("Statistic") or definition["ExtendedStatistic"])


def _check_expression(name: str, definition: Document, account: str) -> None:
    for part in _SINGLE_METRIC_PARAMETERS:
        if definition.get(part):
            # AWS's text, as cloudtools/troposphere#1276 quotes it.
            raise DefinitionError(f"{part} should not be set if list of Metrics is set")
    queries = Queries(definition["Metrics"], account)
    watched = [query["Id"] for query in definition["Metrics"] if returned(query)]
    if len(watched) != 1:
        raise DefinitionError("Exactly one element of the metrics list should return data.")
    periods = {
        query["MetricStat"]["Period"] for query in definition["Metrics"] if "MetricStat" in query
    }
    if len(periods) > 1:
        raise DefinitionError(f"Alarm {name}: all of Metrics must have the same Period")
    series = queries.compute(
        lambda query: TimeSeries(query["Id"], query["Id"], query["MetricStat"]["Period"]), 0, 0
    )
    if len(series[watched[0]]) != 1:
        raise DefinitionError(
            f"Alarm {name}: {watched[0]} has to return one time series, "
            f"not {len(series[watched[0]])}"
        )


def _check_length(name: str, definition: Document, account: str) -> None:
    queries, watched_id = watched(definition)
    seconds = Queries(queries, account).period(watched_id)
    check_period(seconds)
    longest = 7 * _DAY_SECONDS if seconds >= _HOUR_SECONDS else _DAY_SECONDS
    if seconds * definition["EvaluationPeriods"] > longest:
        raise DefinitionError(
            f"Alarm {name}: Period times EvaluationPeriods is "
            f"{seconds * definition['EvaluationPeriods']} s; at most {longest} s are allowed"
        )


def watched(definition: Document) -> tuple[list[Document], str]:
    """Return an alarm's metric data queries, and the id of the one it evaluates."""
    if definition.get("Metrics"):
        return definition["Metrics"], next(
            query["Id"] for query in definition["Metrics"] if returned(query)
        )
    stat = {
        "Metric": {
            part: definition[part]
            for part in ("Namespace", "MetricName", "Dimensions")
            if part in definition
        },
        "Period": definition["Period"],
        "Stat": definition.get("Statistic") or definition["ExtendedStatistic"],
    }
    if "Unit" in definition:
        stat["Unit"] = definition["Unit"]
    return [{"Id": "m1", "MetricStat": stat, "ReturnData": True}], "m1"


def rule(definition: Document, account: str) -> Rule:
    """Return the evaluation rule of a metric alarm."""
    queries, watched_id = watched(definition)
    namespaces = {
        query["MetricStat"]["Metric"]["Namespace"] for query in queries if "MetricStat" in query
    }
    missing: Missing = definition.get("TreatMissingData", "missing")
    periods: int = definition["EvaluationPeriods"]
    return Rule(
        comparison=definition["ComparisonOperator"],
        threshold=float(definition["Threshold"]),
        periods=periods,
        to_alarm=definition.get("DatapointsToAlarm", periods),
        # Alarms on this namespace always ignore missing data ("Configuring how CloudWatch alarms
        # treat missing data").
        missing="ignore" if "AWS/DynamoDB" in namespaces else missing,
        statistic=definition.get("Statistic") or definition.get("ExtendedStatistic"),
        period=Queries(queries, account).period(watched_id),
        least_samples=_least_samples(definition),
    )


def _least_samples(definition: Document) -> float:
    """Return the least samples ("Percentile-based … alarms and low data samples")."""
    if definition.get("EvaluateLowSampleCountPercentile") != "ignore":
        return 0.0
    statistic = definition.get("ExtendedStatistic", "")
    if not statistic.startswith("p"):
        return 0.0
    share = float(statistic[1:]) / 100
    rest = 1 - share if share >= 0.5 else share  # noqa: PLR2004  # the median
    # Round: in floating point 1 - 0.99 is slightly more than 0.01.
    return round(10 / rest, 6) if rest else 0.0
