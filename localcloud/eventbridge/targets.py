"""Targets of rules and schedules: their checks, and the deliveries to them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localcloud.core.ports import BuildNotStartedError, BuildRequest, InvocationError
from localcloud.eventbridge.authority import NotAuthorizedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.core.core import Core
    from localcloud.core.delivery_ports import BuildStarter, PipelineStarter
    from localcloud.core.function_ports import EventInvoker
    from localcloud.core.log_ports import LogWriter
    from localcloud.eventbridge.authority import Authority

_ARN = re.compile(
    r"arn:aws:(?P<service>lambda|sns|sqs|codepipeline|codebuild|logs):"
    r"(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<rest>.+)"
)
_FUNCTION = re.compile(r"function:(?P<name>[\w-]+)(?::(?P<qualifier>[\w$-]+))?")
_KNOWN = {
    "Id", "Arn", "RoleArn", "Input", "InputPath", "InputTransformer", "RetryPolicy",
    "DeadLetterConfig", "SqsParameters",
}  # fmt: skip
_ROLE_REQUIRED = {"codepipeline", "codebuild"}
_BUILD_OVERRIDES = {"environmentVariablesOverride", "sourceVersion", "buildspecOverride"}
# Error codes of Lambda and CodeBuild that are retried.
_TRANSIENT_CODES = {
    "AccountLimitExceededException", "ResourceNotReadyException", "ServiceException",
    "TooManyRequestsException",
}  # fmt: skip


class TargetError(ValueError):
    """A target is invalid, or not part of the local cloud."""


class UndeliverableError(Exception):
    """A delivery failed and is not retried; `code` is EventBridge's `ERROR_CODE`."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class TransientError(Exception):
    """A delivery failed and is retried."""


def check(target: Mapping[str, Any], *, scheduler: bool = False) -> None:
    """Check a target and its settings.

    Raises:
        TargetError: the target or a setting is invalid, or not part of the local cloud.
    """
    arn = target["Arn"]
    unknown = sorted(name for name in target.keys() - _KNOWN if target[name] is not None)
    if unknown:
        raise TargetError(f"{unknown[0]} of target {arn} is not part of the local cloud")
    found = _ARN.fullmatch(arn)
    if found is None:
        raise TargetError(
            f"Target {arn} is not part of the local cloud; use a Lambda function, an SNS topic, "
            "an SQS queue, a log group, a CodePipeline pipeline or a CodeBuild project"
        )
    service = found["service"]
    if service == "lambda" and not _FUNCTION.fullmatch(found["rest"]):
        raise TargetError(f"Target {arn} is not the ARN of a function")
    if (service in _ROLE_REQUIRED or scheduler) and not target.get("RoleArn"):
        raise TargetError(f"RoleArn is required for target {arn}.")
    if service == "codepipeline" and not scheduler:
        for name in ("Input", "InputPath", "InputTransformer"):
            if target.get(name):
                raise TargetError(f"{name} of target {arn} is not part of the local cloud")
    dead = (target.get("DeadLetterConfig") or {}).get("Arn")
    if dead and not dead.startswith("arn:aws:sqs:"):
        raise TargetError(f"The dead-letter queue {dead} of target {arn} is not an SQS queue")


class Targets:
    """Delivers to targets; methods raise `UndeliverableError` or `TransientError`."""

    def __init__(
        self,
        core: Core,
        authority: Authority,
        *,
        invoke: EventInvoker,
        logs: LogWriter,
        builds: BuildStarter,
        pipelines: PipelineStarter,
    ) -> None:
        self._core = core
        self._authority = authority
        self._queue_invocation = invoke
        self._logs = logs
        self._builds = builds
        self._pipelines = pipelines
        self._deliver_by_service: dict[
            str, Callable[[Mapping[str, Any], re.Match[str], str, str], None]
        ] = {
            "lambda": self._invoke,
            "sns": self._publish,
            "sqs": self._send,
            "codepipeline": self._begin,
            "codebuild": self._build,
            "logs": self._write,
        }

    def deliver(self, target: Mapping[str, Any], payload: str, source_arn: str) -> None:
        """Deliver the payload to the target for the rule or the schedule."""
        found = _ARN.fullmatch(target["Arn"])
        assert found is not None  # noqa: S101  # checked when it was put
        try:
            self._authority.check(target, source_arn)
            self._deliver_by_service[found["service"]](target, found, payload, source_arn)
        except NotAuthorizedError as error:
            raise UndeliverableError(str(error), "NO_PERMISSIONS") from error
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            kind = TransientError if status >= 500 else UndeliverableError  # noqa: PLR2004  # HTTP server errors
            raise kind(str(error)) from error

    def send_to_dead_letter_queue(
        self,
        target: Mapping[str, Any],
        payload: str,
        source_arn: str,
        attributes: Mapping[str, str],
    ) -> None:
        """Send an undeliverable payload to the target's dead-letter queue.

        Raises:
            NotAuthorizedError: the rule or the schedule may not send to the queue.
        """
        queue = target["DeadLetterConfig"]["Arn"]
        self._authority.check_dead_letters(queue, target, source_arn)
        found = _ARN.fullmatch(queue)
        assert found is not None  # noqa: S101  # as above
        client, url = self._queue(found)
        client.send_message(
            QueueUrl=url,
            MessageBody=payload,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        )

    def _invoke(
        self, target: Mapping[str, Any], _arn: re.Match[str], payload: str, _source: str
    ) -> None:
        try:
            self._queue_invocation(target["Arn"], payload.encode())
        except InvocationError as error:
            kind = TransientError if error.code in _TRANSIENT_CODES else UndeliverableError
            raise kind(f"{error.code}: {error}") from error

    def _publish(
        self, target: Mapping[str, Any], arn: re.Match[str], payload: str, _source: str
    ) -> None:
        self._client("sns", arn).publish(TopicArn=target["Arn"], Message=payload)

    def _send(
        self, target: Mapping[str, Any], arn: re.Match[str], payload: str, _source: str
    ) -> None:
        client, url = self._queue(arn)
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        client.send_message(
            QueueUrl=url, MessageBody=payload, **({"MessageGroupId": group} if group else {})
        )

    def _begin(
        self, target: Mapping[str, Any], arn: re.Match[str], _payload: str, source_arn: str
    ) -> None:
        trigger = f"CloudWatchEvent: {source_arn}"
        place = (arn["account"], arn["region"], arn["rest"])
        if not self._pipelines.start_execution(*place, trigger):
            raise UndeliverableError(f"Pipeline {target['Arn']} does not exist")

    def _build(
        self, target: Mapping[str, Any], arn: re.Match[str], payload: str, source_arn: str
    ) -> None:
        # The event itself, without a configured input, overrides nothing.
        overrides = json.loads(payload) if target.get("Input") else {}
        unknown = sorted(overrides.keys() - _BUILD_OVERRIDES)
        if unknown:
            raise UndeliverableError(f"{unknown[0]} is not part of the local cloud")
        request = BuildRequest(
            account=arn["account"],
            region=arn["region"],
            project=arn["rest"].removeprefix("project/"),
            environment=overrides.get("environmentVariablesOverride") or [],
            source_version=overrides.get("sourceVersion"),
            buildspec=overrides.get("buildspecOverride"),
            initiator=f"rule/{source_arn.rsplit('/', 1)[-1]}",
        )
        try:
            self._builds.start_build(request)
        except BuildNotStartedError as error:
            kind = TransientError if error.code in _TRANSIENT_CODES else UndeliverableError
            raise kind(f"{error.code}: {error}") from error

    def _write(
        self, _target: Mapping[str, Any], arn: re.Match[str], payload: str, source_arn: str
    ) -> None:
        group = arn["rest"].removeprefix("log-group:").removesuffix(":*")
        stream = source_arn.rsplit("/", 1)[-1]
        if not self._logs.has_group(arn["account"], arn["region"], group):
            raise UndeliverableError("The specified log group does not exist.")
        line = (self._core.clock.timestamp(), payload)
        refused = self._logs.write(arn["account"], arn["region"], group, stream, [line])
        if refused is not None:
            raise UndeliverableError(
                f"CloudWatch Logs may not use the KMS key of log group {group}", "NO_PERMISSIONS"
            )

    def _queue(self, arn: re.Match[str]) -> tuple[Any, str]:
        client = self._client("sqs", arn)
        return client, client.get_queue_url(QueueName=arn["rest"])["QueueUrl"]

    def _client(self, service: str, arn: re.Match[str]) -> Any:
        return self._core.client(service, arn["account"], arn["region"])
