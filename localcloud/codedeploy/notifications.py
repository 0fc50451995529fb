"""Notifications of deployments: events, and messages to the topics of triggers.

The shapes are from "Monitoring deployments with Amazon CloudWatch Events" and "JSON data formats
for CodeDeploy triggers" (both in the CodeDeploy user guide), and CloudTrail's event of the call
that shifts an alias.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import botocore.exceptions

from localcloud.codedeploy.permissions import RolePermissions

if TYPE_CHECKING:
    from localcloud.codedeploy.model import Deployment
    from localcloud.core.core import Core
    from localcloud.core.ports import Document, Routing
    from localcloud.iam.access import Access

_STATES = {
    "START": "DeploymentStart",
    "SUCCESS": "DeploymentSuccess",
    "FAILURE": "DeploymentFailure",
    "STOP": "DeploymentStop",
}
_START_STATUS = "InProgress"  # the status in START, even if it has changed since


class Notifications:
    """Publishes changes of state and shifts."""

    def __init__(self, core: Core, access: Access) -> None:
        self._core = core
        self._access = access

    def state(self, deployment: Deployment, state: str) -> None:
        """Publish START, SUCCESS, FAILURE or STOP.

        If a topic cannot be published to, the deployment's status messages say so and the
        deployment continues, as on AWS.
        """
        where = f"arn:aws:codedeploy:{deployment.region}:{deployment.account}"
        group = f"{deployment.application}/{deployment.group}"
        self._core.bus.publish(
            deployment.account,
            deployment.region,
            "aws.codedeploy",
            "CodeDeploy Deployment State-change Notification",
            {
                "region": deployment.region,
                "deploymentId": deployment.id,
                "instanceGroupId": deployment.group_id,
                "deploymentGroup": deployment.group,
                "state": state,
                "application": deployment.application,
            },
            (
                f"{where}:deploymentgroup:{group}",
                f"{where}:application:{deployment.application}",
            ),
        )
        event = _STATES[state]
        if state == "START" and deployment.rollback_of:
            event = "DeploymentRollback"
        for trigger in deployment.triggers:
            if event in trigger["triggerEvents"]:
                status = _START_STATUS if state == "START" else deployment.status
                self._trigger(deployment, trigger, status)

    def shift(self, deployment: Deployment, routing: Routing) -> None:
        """Publish a shift of an alias, as CloudTrail's event of `UpdateAlias`."""
        session = deployment.role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
        self._core.bus.publish(
            deployment.account,
            deployment.region,
            "aws.lambda",
            "AWS API Call via CloudTrail",
            {
                "eventVersion": "1.08",
                "userIdentity": {
                    "type": "AssumedRole",
                    "arn": f"{session}/{deployment.id}",
                    "accountId": deployment.account,
                    "invokedBy": "codedeploy.amazonaws.com",
                },
                "eventTime": _iso(self._core.clock.timestamp()),
                "eventSource": "lambda.amazonaws.com",
                "eventName": "UpdateAlias20150331",
                "awsRegion": deployment.region,
                "sourceIPAddress": "codedeploy.amazonaws.com",
                "userAgent": "codedeploy.amazonaws.com",
                "requestParameters": {
                    "functionName": deployment.spec.function,
                    "name": deployment.spec.alias,
                    "functionVersion": routing.version,
                    "routingConfig": {"additionalVersionWeights": routing.weights},
                },
                "eventID": str(uuid.uuid4()),
                "eventType": "AwsApiCall",
            },
        )

    def _trigger(self, deployment: Deployment, trigger: Document, status: str) -> None:
        topic, name = trigger["triggerTargetArn"], trigger["triggerName"]
        refused = RolePermissions(self._access, deployment).refused_topic(topic)
        if refused is not None:
            deployment.messages.append(f"Trigger {name} failed: {refused.message}")
            return
        try:
            sns = self._core.client("sns", deployment.account, topic.split(":")[3])
            sns.publish(
                TopicArn=topic,
                Subject=f"{status.upper()}: AWS CodeDeploy {deployment.id}",
                Message=json.dumps(_message(deployment, name, status)),
            )
        except (
            botocore.exceptions.ClientError,
            botocore.exceptions.BotoCoreError,
        ) as error:
            deployment.messages.append(f"Trigger {name} failed: {error}")


def _message(deployment: Deployment, trigger: str, status: str) -> Document:
    ended = None if status == _START_STATUS else deployment.ended
    message: Document = {
        "region": deployment.region,
        "accountId": deployment.account,
        "eventTriggerName": trigger,
        "applicationName": deployment.application,
        "deploymentId": deployment.id,
        "deploymentGroupName": deployment.group,
        "createTime": str(deployment.created),
        "completeTime": str(ended) if ended else None,
        "deploymentOverview": {},
        "status": status,
    }
    if deployment.error_code:
        message["errorInformation"] = {
            "ErrorCode": deployment.error_code,
            "ErrorMessage": deployment.error_message,
        }
    return message


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
