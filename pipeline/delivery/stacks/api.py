"""The REST API in front of an alias of the service's function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_apigateway as apigateway

from pipeline.delivery.retention import log_group

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct

    from environments.schema import Environment


def rest_api(
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    stage: str,
    environment: Environment,
    alias: lambda_.Alias,
    logs_for_all: bool = True,
) -> apigateway.LambdaRestApi:
    """Create an API that sends every request to the alias; its URL ends in the stage.

    All APIs of an account and region write logs with one role, which the last deployed stack sets
    (`logs_for_all`). The role is retained when the stack is deleted; otherwise every other API
    there, such as that of another environment, would lose its logs (aws-cdk#10878).
    """
    access_log = log_group(scope, "AccessLog", environment.function.log_retention_days)
    return apigateway.LambdaRestApi(
        scope,
        construct_id,
        rest_api_name=name,
        handler=alias,
        proxy=True,
        endpoint_types=[apigateway.EndpointType.REGIONAL],
        integration_options=apigateway.LambdaIntegrationOptions(allow_test_invoke=False),
        binary_media_types=["*/*"],
        cloud_watch_role=logs_for_all,
        cloud_watch_role_removal_policy=RemovalPolicy.RETAIN if logs_for_all else None,
        deploy_options=apigateway.StageOptions(
            stage_name=stage,
            # Detailed metrics, by method, cost extra and nothing reads them: the judge, the alarms
            # and `pithead status` read the metrics of the stage ("Dimensions for metrics").
            metrics_enabled=False,
            tracing_enabled=True,
            logging_level=apigateway.MethodLoggingLevel.ERROR,
            throttling_rate_limit=environment.api.requests_per_second,
            throttling_burst_limit=environment.api.burst,
            access_log_destination=apigateway.LogGroupLogDestination(access_log),
            access_log_format=apigateway.AccessLogFormat.json_with_standard_fields(
                caller=False,
                http_method=True,
                ip=True,
                protocol=True,
                request_time=True,
                resource_path=True,
                response_length=True,
                status=True,
                user=False,
            ),
        ),
    )
