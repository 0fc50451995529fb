"""A function that is called on a schedule. What is late or has failed is left to the next call."""

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
    """The function below `scope`, with a role that may write its log and nothing else yet.

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
    """The rule that calls the function at the beginning of minutes, which cron's field names.

    A rate would begin at any second: two calls could come in one minute and none in the next,
    which an alarm that counts by whole minutes takes for silence.
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
