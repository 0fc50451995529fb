"""Payloads that notify of an alarm's change of state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.cloudwatch.definition import watched
from localcloud.cloudwatch.model import stamp
from localcloud.cloudwatch.queries import returned

if TYPE_CHECKING:
    from localcloud.cloudwatch.model import Alarm, State
    from localcloud.core.ports import Document

_TRIGGER = (
    "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Unit", "Period", "Metrics",
    "EvaluationPeriods", "DatapointsToAlarm", "ComparisonOperator", "Threshold",
    "TreatMissingData", "EvaluateLowSampleCountPercentile",
)  # fmt: skip


def event_detail(alarm: Alarm, before: State) -> Document:
    """Return the detail of a state change event ("Alarm events and EventBridge")."""
    return {
        "alarmName": alarm.name,
        "state": _state(alarm.state),
        "previousState": _state(before),
        "configuration": _configuration(alarm),
    }


def lambda_payload(alarm: Alarm, before: State) -> Document:
    """Return the payload for a function ("Invoke a Lambda function from an alarm")."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": alarm.account,
        "time": stamp(alarm.state.updated),
        "region": alarm.region,
        "alarmData": event_detail(alarm, before),
    }


def sns_message(alarm: Alarm, before: State) -> Document:
    """Return the message for an SNS topic."""
    definition = alarm.definition
    message: Document = {
        "AlarmName": alarm.name,
        "AlarmDescription": definition.get("AlarmDescription"),
        "AWSAccountId": alarm.account,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured),
        "NewStateValue": alarm.state.value,
        "NewStateReason": alarm.state.reason,
        "StateChangeTime": stamp(alarm.state.updated),
        "Region": alarm.region,
        "AlarmArn": alarm.arn,
        "OldStateValue": before.value,
        "OKActions": definition.get("OKActions") or [],
        "AlarmActions": definition.get("AlarmActions") or [],
        "InsufficientDataActions": definition.get("InsufficientDataActions") or [],
    }
    if alarm.composite:
        return message | {"AlarmRule": definition["AlarmRule"]}
    trigger = {part: definition[part] for part in _TRIGGER if part in definition}
    trigger["Dimensions"] = [
        {"name": each["Name"], "value": each["Value"]}
        for each in definition.get("Dimensions") or []
    ]
    return message | {"Trigger": trigger}


def _state(state: State) -> Document:
    told: Document = {"value": state.value, "reason": state.reason}
    if state.data:
        told["reasonData"] = state.data
    return told | {"timestamp": stamp(state.updated)}


def _configuration(alarm: Alarm) -> Document:
    definition = alarm.definition
    told: Document = {}
    if "AlarmDescription" in definition:
        told["description"] = definition["AlarmDescription"]
    if alarm.composite:
        return told | {"alarmRule": definition["AlarmRule"]}
    return told | {"metrics": [_query(query) for query in watched(definition)[0]]}


def _query(query: Document) -> dict[str, Any]:
    told: Document = {"id": query["Id"]}
    if "MetricStat" in query:
        stat = query["MetricStat"]
        told["metricStat"] = {
            "metric": {
                "namespace": stat["Metric"]["Namespace"],
                "name": stat["Metric"]["MetricName"],
                "dimensions": {
                    each["Name"]: each["Value"] for each in stat["Metric"].get("Dimensions") or []
                },
            },
            "period": stat["Period"],
            "stat": stat["Stat"],
        } | ({"unit": stat["Unit"]} if "Unit" in stat else {})
    else:
        told["expression"] = query["Expression"]
        if "Period" in query:
            told["period"] = query["Period"]
    if "Label" in query:
        told["label"] = query["Label"]
    return told | {"returnData": returned(query)}
