"""Convert deployments to the shapes of the API's answers."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.codedeploy.model import Deployment, LifecycleEvent
    from localcloud.core.ports import Document

_LOG_TAIL_BYTES = 4096  # bytes of a diagnostic log that the API returns


def time(seconds: float | None) -> datetime | None:
    """Convert cloud time to the API's type of timestamps."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def digest(content: str) -> str:
    """Return the SHA-256 by which the API names an AppSpec file."""
    return hashlib.sha256(content.encode()).hexdigest()


def revision(deployment: Deployment, *, content: bool = False) -> Document:
    """Return `RevisionLocation`; only `GetApplicationRevision` has the content."""
    named: Document = {"sha256": digest(deployment.content)}
    if content:
        named["content"] = deployment.content
    member = "string" if deployment.revision_type == "String" else "appSpecContent"
    return {"revisionType": deployment.revision_type, member: named}


def deployment_info(deployment: Deployment) -> Document:
    """Return `DeploymentInfo`."""
    rollback = {
        "rollbackDeploymentId": deployment.rolled_back_by,
        "rollbackTriggeringDeploymentId": deployment.rollback_of,
        "rollbackMessage": deployment.rollback_message,
    }
    info: Document = {
        "applicationName": deployment.application,
        "deploymentGroupName": deployment.group,
        "deploymentConfigName": deployment.configuration,
        "deploymentId": deployment.id,
        "revision": revision(deployment),
        "status": deployment.status,
        "createTime": time(deployment.created),
        "startTime": time(deployment.started),
        "completeTime": time(deployment.ended),
        "description": deployment.description or None,
        "creator": deployment.creator,
        "ignoreApplicationStopFailures": False,
        "autoRollbackConfiguration": deployment.auto_rollback or {"enabled": False},
        "updateOutdatedInstancesOnly": False,
        "rollbackInfo": {key: value for key, value in rollback.items() if value},
        "deploymentStyle": {
            "deploymentType": "BLUE_GREEN",
            "deploymentOption": "WITH_TRAFFIC_CONTROL",
        },
        "instanceTerminationWaitTimeStarted": False,
        "deploymentStatusMessages": deployment.messages,
        "computePlatform": "Lambda",
    }
    if deployment.error_code:
        info["errorInformation"] = {
            "code": deployment.error_code,
            "message": deployment.error_message,
        }
    if deployment.overrides_alarms:
        info["overrideAlarmConfiguration"] = deployment.alarms
    return {key: value for key, value in info.items() if value is not None}


def target_id(deployment: Deployment) -> str:
    """Return the id of the single target of a Lambda deployment."""
    return f"{deployment.spec.function}:{deployment.spec.alias}"


def target_status(deployment: Deployment) -> str:
    """Return the `TargetStatus` of the single target."""
    return {"Created": "Pending", "Stopped": "Failed"}.get(deployment.status, deployment.status)


def deployment_target(deployment: Deployment) -> Document:
    """Return the `DeploymentTarget` of the single target."""
    spec = deployment.spec
    times = [each for event in deployment.events for each in (event.started, event.ended) if each]
    function = spec.function.rsplit(":", 1)[-1]
    arn = f"arn:aws:lambda:{deployment.region}:{deployment.account}:function:{function}"
    return {
        "deploymentTargetType": "LambdaTarget",
        "lambdaTarget": {
            "deploymentId": deployment.id,
            "targetId": target_id(deployment),
            "targetArn": f"{arn}:{spec.alias}",
            "status": target_status(deployment),
            "lastUpdatedAt": time(
                max([deployment.created, *times, *(at for at, _ in deployment.shifts)])
            ),
            "lifecycleEvents": [_event(deployment, each) for each in deployment.events],
            "lambdaFunctionInfo": {
                "functionName": spec.function,
                "functionAlias": spec.alias,
                "currentVersion": spec.current_version,
                "targetVersion": spec.target_version,
                "targetVersionWeight": deployment.weight,
            },
        },
    }


def _event(deployment: Deployment, event: LifecycleEvent) -> Document:
    shape: Document = {"lifecycleEventName": event.name, "status": event.status}
    if event.started:
        shape["startTime"] = time(event.started)
    if event.ended:
        shape["endTime"] = time(event.ended)
    diagnostics: Document = {}
    if event.name == "AllowTraffic" and deployment.shifts:
        # The API returns only the current weight; the event's log has the earlier ones.
        diagnostics["logTail"] = _shift_log(deployment)[-_LOG_TAIL_BYTES:]
    if event.status in {"Succeeded", "Failed"}:
        failed = event.status == "Failed"
        diagnostics["errorCode"] = "ScriptFailed" if failed else "Success"
        diagnostics["message"] = event.message
    if diagnostics:
        shape["diagnostics"] = diagnostics
    return shape


def _shift_log(deployment: Deployment) -> str:
    spec, lines = deployment.spec, []
    for at, percent in deployment.shifts:
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        lines.append(
            f"{moment.replace('+00:00', 'Z')} {percent:g}% of the traffic of alias {spec.alias} "
            f"on version {spec.target_version}\n"
        )
    return "".join(lines)
