"""Check deployment groups of the Lambda compute platform.

Source: `CreateDeploymentGroup` in the CodeDeploy API reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from localcloud.core.ports import Document

GROUP = "codedeploy:group"
"""The kind of deployment groups in the ledger."""
_KEPT = (
    "applicationName",
    "deploymentGroupName",
    "deploymentConfigName",
    "serviceRoleArn",
    "triggerConfigurations",
    "alarmConfiguration",
    "autoRollbackConfiguration",
    "deploymentStyle",
)
_DEPLOYMENT_STYLE = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
_MAX_ITEMS = 10  # alarms, and triggers, of one group
_ROLLBACK_EVENTS = {
    "DEPLOYMENT_FAILURE",
    "DEPLOYMENT_STOP_ON_ALARM",
    "DEPLOYMENT_STOP_ON_REQUEST",
}
_TRIGGER_EVENTS = {
    f"{what}{when}"
    for what in ("Deployment", "Instance")
    for when in ("Start", "Success", "Failure", "Stop", "Rollback", "Ready")
} - {"InstanceStop", "InstanceRollback"}


def check_group(wanted: Document) -> Document:
    """Check a group; return it in the shape of `DeploymentGroupInfo`, without its id.

    Raises:
        ApiError: a parameter is invalid, or belongs to EC2 or ECS.
    """
    name = wanted["deploymentGroupName"]
    foreign = [key for key, value in wanted.items() if value and key not in _KEPT]
    if foreign:
        raise ApiError(
            "InvalidInputException",
            f"Deployment group {name}: {foreign[0]} is not a parameter of the Lambda compute "
            "platform",
        )
    group = {key: wanted[key] for key in _KEPT if wanted.get(key)}
    group.setdefault("deploymentStyle", _DEPLOYMENT_STYLE)
    if group["deploymentStyle"] != _DEPLOYMENT_STYLE:
        raise ApiError(
            "InvalidDeploymentStyleException",
            f"Deployment group {name}: on the Lambda compute platform the deployment type must be "
            "BLUE_GREEN and the deployment option WITH_TRAFFIC_CONTROL",
        )
    check_alarms(group.get("alarmConfiguration") or {})
    check_auto_rollback(group.get("autoRollbackConfiguration") or {})
    _check_triggers(group.get("triggerConfigurations") or [])
    return group | {"computePlatform": "Lambda"}


def check_alarms(alarms: Document) -> None:
    """Check an `AlarmConfiguration` as AWS does.

    Raises:
        ApiError: it is invalid.
    """
    names = [alarm.get("name") for alarm in alarms.get("alarms") or []]
    if len(names) > _MAX_ITEMS:
        raise ApiError(
            "AlarmsLimitExceededException",
            f"{len(names)} alarms are associated; the maximum is {_MAX_ITEMS}",
        )
    if not all(names) or len(set(names)) < len(names):
        raise ApiError(
            "InvalidAlarmConfigException", "An alarm has no name, or two alarms have the same name"
        )
    if alarms.get("enabled") and not names:
        raise ApiError(
            "InvalidAlarmConfigException",
            "The alarm configuration is enabled, but its list of alarms is empty",
        )


def check_auto_rollback(rollback: Document) -> None:
    """Check an `AutoRollbackConfiguration` as AWS does.

    Raises:
        ApiError: it is invalid.
    """
    events = rollback.get("events") or []
    if rollback.get("enabled") and not events:
        raise ApiError(
            "InvalidAutoRollbackConfigException",
            "Automatic rollback is enabled, but no event types are listed",
        )
    unknown = set(events) - _ROLLBACK_EVENTS
    if unknown:
        raise ApiError(
            "InvalidAutoRollbackConfigException",
            f"Automatic rollback event {min(unknown)} is unknown; "
            f"use {', '.join(sorted(_ROLLBACK_EVENTS))}",
        )


def _check_triggers(triggers: list[Document]) -> None:
    if len(triggers) > _MAX_ITEMS:
        raise ApiError(
            "TriggerTargetsLimitExceededException",
            f"{len(triggers)} triggers are associated; the maximum is {_MAX_ITEMS}",
        )
    for trigger in triggers:
        name, topic = trigger.get("triggerName"), trigger.get("triggerTargetArn") or ""
        events = set(trigger.get("triggerEvents") or [])
        if not name or not topic.startswith("arn:aws:sns:") or not events:
            raise ApiError(
                "InvalidTriggerConfigException",
                f"Trigger {name}: it must have a name, the ARN of an SNS topic and events",
            )
        if events - _TRIGGER_EVENTS:
            raise ApiError(
                "InvalidTriggerConfigException",
                f"Trigger {name}: event {min(events - _TRIGGER_EVENTS)} is unknown",
            )
