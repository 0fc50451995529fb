"""A scheduled function. A late or failed call is not retried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from pipeline.delivery.retention import log_group

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from constructs import Construct

    from pipeline.delivery.stacks.artifact import Artifact


def scheduled_function(
    scope: Construct,
    *,
    artifact: Artifact,
    code: Path,
    handler: str,
    description: str,
    memory_size: int,
    timeout: Duration,
    log_retention_days: int,
    environment: Mapping[str, str],
) -> lambda_.Function:
    """Create the function, with a role that may only write its log.

    `code` is one of the artifact's bundles, `memory_size` is in MB.
    """
    log = log_group(scope, "Log", log_retention_days)
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log.grant_write(role)
    return lambda_.Function(
        scope,
        "Function",
        description=description,
        runtime=artifact.runtime,
        architecture=artifact.architecture,
        handler=handler,
        code=lambda_.Code.from_asset(str(code)),
        role=role,
        memory_size=memory_size,
        timeout=timeout,
        retry_attempts=0,
        max_event_age=Duration.minutes(1),
        log_group=log,
        environment=environment,
    )


def schedule(
    scope: Construct,
    construct_id: str,
    function: lambda_.Function,
    *,
    minute: str,
    description: str,
) -> None:
    """Create the rule that calls the function at the start of the minutes in `minute`.

    A rate would start at any second: two calls could fall into one minute and none into the next,
    which an alarm on whole minutes takes for silence.
    """
    events.Rule(
        scope,
        construct_id,
        description=description,
        schedule=events.Schedule.cron(minute=minute),
        targets=[
            targets.LambdaFunction(function, retry_attempts=0, max_event_age=Duration.minutes(1))
        ],
    )
