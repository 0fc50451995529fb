"""Authorize deliveries of rules and schedules to their targets.

A rule uses the target's role. Without a role it calls as `events.amazonaws.com`, which the policy
of the function, topic or queue or a resource policy of CloudWatch Logs must allow ("Using
resource-based policies for Amazon EventBridge"). A schedule always has a role ("Setting up Amazon
EventBridge Scheduler"), whose `aws:SourceArn` is the schedule's group ("Confused deputy prevention
in EventBridge Scheduler").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.core.ports import InvocationError
from localcloud.iam.acting import ServicePrincipal, role_session
from localcloud.iam.actions import log_events, messages
from localcloud.iam.actions.call import Needed
from localcloud.iam.service_roles import RoleError, check_service_role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from localcloud.core.credentials import Session
    from localcloud.core.function_ports import EventFunctions
    from localcloud.core.log_ports import LogGroups
    from localcloud.iam.access import Access, Refusal

_RULES, _SCHEDULES = "events.amazonaws.com", "scheduler.amazonaws.com"
_ACTIONS = {
    "lambda": "lambda:InvokeFunction",
    "codepipeline": "codepipeline:StartPipelineExecution",
    "codebuild": "codebuild:StartBuild",
}


class NotAuthorizedError(Exception):
    """The rule or schedule is not authorized to call its target."""


class Authority:
    """Authorizes deliveries."""

    def __init__(self, access: Access, functions: EventFunctions, logs: LogGroups) -> None:
        self._access = access
        self._functions = functions
        self._logs = logs

    def check(self, target: Mapping[str, Any], source_arn: str) -> None:
        """Authorize a delivery of a rule or a schedule to a target.

        Raises:
            NotAuthorizedError: the role does not trust the service, or no policy allows the call.
        """
        arn, role = str(target["Arn"]), target.get("RoleArn")
        service, region = arn.split(":")[2:4]
        if role:
            session = self._session(role, source_arn)
            wanted = self._needed(arn, service, source_arn)
            # An AWS managed KMS key allows the roles of its account to encrypt.
            wanted = [each for each in wanted if ":alias/" not in each.resource]
            _raise(self._access.own_call(session, region, *wanted))
        elif service == "lambda":
            self._check_function(arn, source_arn)
        elif service in {"logs", "sns", "sqs"}:
            self._check_service(arn, source_arn)

    def check_dead_letters(self, queue: str, target: Mapping[str, Any], source_arn: str) -> None:
        """Authorize a delivery to a dead-letter queue.

        A rule sends as the service, even if its target has a role.

        Raises:
            NotAuthorizedError: the queue's policy, or the schedule's role, does not allow it.
        """
        if ":rule/" in source_arn:
            self._check_service(queue, source_arn)
        else:
            self.check({"Arn": queue, "RoleArn": target["RoleArn"]}, source_arn)

    def _session(self, role: str, source_arn: str) -> Session:
        is_rule = ":rule/" in source_arn
        service, source = (_RULES, source_arn) if is_rule else (_SCHEDULES, _group(source_arn))
        try:
            check_service_role(self._access, role, service, source)
        except RoleError as error:
            raise NotAuthorizedError(str(error)) from error
        return role_session(role, service.partition(".")[0])

    def _check_function(self, arn: str, source_arn: str) -> None:
        region, account = arn.split(":")[3:5]
        name, _, qualifier = arn.split(":function:")[1].partition(":")
        try:
            allowed = self._functions.allows(
                account, region, name, qualifier or None, principal=_RULES, source_arn=source_arn
            )
        except InvocationError:  # the invocation itself will raise it
            return
        if not allowed:
            raise NotAuthorizedError(
                f"The policy of {arn} does not allow events.amazonaws.com for {source_arn}"
            )

    def _check_service(self, arn: str, source_arn: str) -> None:
        service, region = arn.split(":")[2:4]
        actor = ServicePrincipal(_RULES, source_arn)
        _raise(self._access.own_call(actor, region, *self._needed(arn, service, source_arn)))

    def _needed(self, arn: str, service: str, source_arn: str) -> list[Needed]:
        stored = self._access.stored
        if service == "sns":
            return messages.publish(arn, stored.topic_key(arn))
        if service == "sqs":
            return messages.send(arn, stored.queue_key(arn))
        if service == "logs":
            region, account = arn.split(":")[3:5]
            group = arn.split(":log-group:")[1].removesuffix(":*")
            stream = source_arn.rsplit("/", 1)[-1]
            wanted = log_events.write(self._logs, account, region, group, stream)
            # EventBridge does not create log groups: the delivery fails if there is none.
            return [each for each in wanted if each.action != "logs:CreateLogGroup"]
        return [Needed(_ACTIONS[service], arn)]


def _group(schedule_arn: str) -> str:
    """Return the ARN of a schedule's group."""
    return schedule_arn.replace(":schedule/", ":schedule-group/").rsplit("/", 1)[0]


def _raise(refused: Refusal | None) -> None:
    if refused is not None:
        raise NotAuthorizedError(refused.message)
