"""The manual approval action.

Sources: "Manage approval actions in pipelines" and "JSON data format for manual approval
notifications", CodePipeline user guide.
"""

from __future__ import annotations

import json
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from localcloud.codepipeline.model import ActionError
from localcloud.iam.actions import messages

if TYPE_CHECKING:
    from localcloud.codepipeline.actions.run import ActionRun

_MAX_TIMEOUT_MINUTES = 7 * 24 * 60  # minutes of the cloud


def approval(run: ActionRun) -> None:
    """Wait for `PutApprovalResult` until the action's timeout, by default seven days.

    It notifies the topic once, with the permissions of the action's role.

    Raises:
        ActionError: the approval was rejected or timed out, or the topic cannot be notified.
    """
    minutes = float(run.action.get("timeoutInMinutes") or _MAX_TIMEOUT_MINUTES)
    token = run.record.token or str(uuid.uuid4())
    answered = threading.Event()
    if not run.record.token:
        run.update_record(token=token, summary=run.configuration.get("CustomData", ""))
        if run.configuration.get("NotificationArn"):
            _notify(run, run.configuration["NotificationArn"], minutes)
    run.collaborators.decisions.approvals[token] = answered
    clock = run.core.clock
    left = run.record.started + minutes * 60 - clock.timestamp()
    with run.halt.waking(answered):
        # The result may have arrived by now, or before the local cloud stopped.
        if not run.record.answer:
            clock.wait(left, answered)
    run.collaborators.decisions.approvals.pop(token, None)
    if not run.record.answer:
        run.halt.check()
        raise ActionError(f"The approval action timed out after {minutes:g} minutes")
    if run.record.answer != "Approved":
        raise ActionError(f"Rejected: {run.record.summary}")


def _notify(run: ActionRun, topic: str, minutes: float) -> None:
    """Publish the approval request to the topic.

    Raises:
        ActionError: the action's role may not publish to the topic, or it does not exist.
    """
    refused = run.refusal(
        *messages.publish(topic, run.collaborators.access.stored.topic_key(topic))
    )
    if refused is not None:
        raise ActionError(
            f"{refused.message} (Service: AmazonSNS; Status Code: 403; Error Code: "
            f"AuthorizationError; Request ID: {uuid.uuid4()}; Proxy: null)"
        )
    pipeline, action = run.pipeline.name, run.action["name"]
    try:
        run.core.client("sns", topic.split(":")[4], topic.split(":")[3]).publish(
            TopicArn=topic,
            Subject=f"APPROVAL NEEDED: AWS CodePipeline {pipeline} for action {action}"[:100],
            Message=json.dumps(_message(run, minutes)),
        )
    except ClientError as error:
        raise ActionError(error.response["Error"]["Message"]) from error


def _message(run: ActionRun, minutes: float) -> dict[str, object]:
    pipeline, record = run.pipeline, run.record
    console = "https://console.aws.account.amazon.com/codepipeline/home"
    view = f"{console}?region={pipeline.region}#/view/{pipeline.name}"
    approval = {
        "pipelineName": pipeline.name,
        "stageName": record.stage,
        "actionName": record.name,
        "token": record.token,
        "expires": datetime.fromtimestamp(record.started + minutes * 60, UTC).strftime(
            "%Y-%m-%dT%H:%MZ"
        ),
        "externalEntityLink": run.configuration.get("ExternalEntityLink"),
        "approvalReviewLink": f"{view}/{record.stage}/{record.name}/approve/{record.token}",
        "customData": run.configuration.get("CustomData"),
    }
    return {"region": pipeline.region, "consoleLink": view, "approval": approval}
