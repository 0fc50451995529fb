"""Alarm actions: publish to SNS topics and invoke Lambda functions, in order.

A due action is written to the ledger with the change of state. If the process ends before the
action, the next start runs it.
"""

from __future__ import annotations

import json
import queue
import threading
import uuid
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.cloudwatch.model import Alarm, State
from localcloud.cloudwatch.notifications import lambda_payload, sns_message
from localcloud.core.ports import InvocationError
from localcloud.iam.acting import ServicePrincipal
from localcloud.iam.actions import messages
from localcloud.iam.actions.call import Needed

if TYPE_CHECKING:
    from localcloud.cloudwatch.history import History
    from localcloud.core.core import Core
    from localcloud.core.function_ports import EventInvoker
    from localcloud.core.ports import Document
    from localcloud.iam.access import Access

_KIND = "cloudwatch:action"
_ACTION_PARAMETERS = {
    "OK": "OKActions",
    "ALARM": "AlarmActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}
_MAX_SUBJECT_CHARACTERS = 100  # characters, of an SNS message


class NoSuchActionError(Exception):
    """The ARN names a resource that alarms of the local cloud cannot act on."""


class NotAuthorizedError(Exception):
    """The policy of a topic, a key or a function does not allow the action."""


class Actions:
    """The queue of due actions, and the thread that runs them."""

    def __init__(self, core: Core, access: Access, history: History, invoke: EventInvoker) -> None:
        self._core = core
        self._access = access
        self._invoke = invoke
        self._history = history
        self._due: queue.Queue[tuple[str, Document] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="alarm-actions", daemon=True)

    def start(self) -> None:
        """Start to run actions, first those that an earlier process left."""
        for entry in self._core.ledger.all(_KIND):
            self._due.put(entry)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the running action."""
        self._due.put(None)
        self._thread.join()

    def record(self, alarm: Alarm, before: State) -> list[tuple[str, Document]]:
        """Write the actions of a change of state to the ledger; `begin` queues them."""
        definition = alarm.definition
        if definition.get("ActionsEnabled") is False:
            return []
        entries = []
        for number, target in enumerate(
            definition.get(_ACTION_PARAMETERS[alarm.state.value]) or []
        ):
            key = f"{alarm.state.updated:017.6f}/{number}/{uuid.uuid4()}"
            document = {
                "target": target,
                "alarm": alarm.document(),
                "before": {
                    "value": before.value,
                    "reason": before.reason,
                    "data": before.data,
                    "updated": before.updated,
                },
            }
            self._core.ledger.put(_KIND, key, document)
            entries.append((key, document))
        return entries

    def begin(self, entries: list[tuple[str, Document]]) -> None:
        """Queue the actions that `record` returned."""
        for entry in entries:
            self._due.put(entry)

    def _run(self) -> None:
        while (entry := self._due.get()) is not None:
            key, document = entry
            alarm, before = Alarm.of(document["alarm"]), State(**document["before"])
            target = document["target"]
            data: Document = {
                "actionState": "Succeeded",
                "stateUpdateTimestamp": int(alarm.state.updated * 1000),
                "notificationResource": target,
            }
            summary = f"Successfully executed action {target}"
            try:
                data["publishedMessage"] = self._execute(target, alarm, before)
            except (
                NoSuchActionError,
                NotAuthorizedError,
                InvocationError,
                ClientError,
                BotoCoreError,
            ) as error:
                data |= {"actionState": "Failed", "error": str(error)}
                # AWS's text, as quoted in automated-security-response-on-aws#43.
                summary = f'Failed to execute action {target}. Received error: "{error}"'
            with self._core.ledger.transaction():
                now = self._core.clock.timestamp()
                self._history.add(alarm, now, "Action", summary, json.dumps(data))
                self._core.ledger.delete(_KIND, key)

    def _execute(self, target: str, alarm: Alarm, before: State) -> Document:
        arn = target.split(":")
        if target.startswith("arn:aws:sns:"):
            self._check_topic(target, alarm)
            message = sns_message(alarm, before)
            self._core.client("sns", alarm.account, arn[3]).publish(
                TopicArn=target,
                Subject=f'{alarm.state.value}: "{alarm.name}" in {alarm.region}'[
                    :_MAX_SUBJECT_CHARACTERS
                ],
                Message=json.dumps(message),
            )
            return message
        if target.startswith("arn:aws:lambda:"):
            self._check_function(target, alarm)
            payload = lambda_payload(alarm, before)
            self._invoke(target, json.dumps(payload).encode())
            return payload
        raise NoSuchActionError(
            f"{target} is not part of the local cloud; use the ARN of an SNS topic or of a "
            "Lambda function"
        )

    def _check_topic(self, topic: str, alarm: Alarm) -> None:
        """Check that the policies of a topic and its KMS key allow the alarm to publish.

        A topic's default policy allows it by `AWS:SourceOwner`.
        """
        access, region = self._access, topic.split(":")[3]
        owner = {"aws:sourceowner": [alarm.account]}
        actor = ServicePrincipal("cloudwatch.amazonaws.com", alarm.arn, owner)
        publish, *keys = messages.publish(topic, access.stored.topic_key(topic))
        refused = access.own_call(actor, region, publish)
        if refused is not None:
            raise NotAuthorizedError(refused.message)
        if access.own_call(actor, region, *keys) is not None:
            # AWS's text, as quoted in landing-zone-accelerator-on-aws#31.
            raise NotAuthorizedError(
                "CloudWatch Alarms does not have authorization to access the SNS topic encryption "
                "key."
            )

    def _check_function(self, function: str, alarm: Alarm) -> None:
        actor = ServicePrincipal("lambda.alarms.cloudwatch.amazonaws.com", alarm.arn)
        wanted = Needed("lambda:InvokeFunction", function)
        refused = self._access.own_call(actor, function.split(":")[3], wanted)
        if refused is not None:
            raise NotAuthorizedError(refused.message)
