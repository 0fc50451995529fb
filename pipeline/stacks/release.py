"""How a new version takes over: an alias, a traffic shift, and guard rails that stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from environments.schema import Canary, Environment, Linear
from pipeline.names import ALIAS, NAMESPACE, RAILS, SERVICE, alarm_name

if TYPE_CHECKING:
    from environments.schema import AllAtOnce


class Release(Construct):
    """The alias `live` of a function, moved by CodeDeploy under alarms on the new version alone.

    An alarm on the whole alias would see a bad canary diluted by the share of good traffic, so
    each alarm looks at the version that this deployment publishes, and at no other.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment_name: str,
        environment: Environment,
        function: lambda_.Function,
    ) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment_name
        version = function.current_version
        self.alias = lambda_.Alias(self, "Alias", alias_name=ALIAS, version=version)
        guard = environment.guard
        service_share = {
            "failures": ("Failures", guard.max_failure_share),
            "slow-requests": ("SlowRequests", guard.max_slow_share),
        }
        alarms = [
            self._share(rail, metric, limit, guard.min_requests, version)
            for rail, (metric, limit) in service_share.items()
        ]
        alarms.append(self._function_errors(function, version))
        codedeploy.LambdaDeploymentGroup(
            self,
            "DeploymentGroup",
            application=codedeploy.LambdaApplication(self, "Application"),
            alias=self.alias,
            deployment_config=self._shift(environment.shift),
            alarms=alarms,
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
            ),
        )

    def _shift(self, shift: AllAtOnce | Canary | Linear) -> codedeploy.ILambdaDeploymentConfig:
        if isinstance(shift, Canary | Linear):
            routing = (
                codedeploy.TrafficRouting.time_based_canary
                if isinstance(shift, Canary)
                else codedeploy.TrafficRouting.time_based_linear
            )
            return codedeploy.LambdaDeploymentConfig(
                self,
                "Shift",
                traffic_routing=routing(
                    percentage=shift.percent, interval=Duration.minutes(shift.minutes)
                ),
            )
        return codedeploy.LambdaDeploymentConfig.ALL_AT_ONCE

    def _share(
        self, rail: str, metric: str, limit: float, min_requests: int, version: lambda_.Version
    ) -> cloudwatch.Alarm:
        dimensions = {
            "service": SERVICE,
            "environment": self._environment,
            "version": version.version,
        }

        def counted(name: str) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace=NAMESPACE,
                metric_name=name,
                dimensions_map=dimensions,
                statistic="Sum",
                period=Duration.minutes(1),
            )

        share = cloudwatch.MathExpression(
            # Below so many requests a share says nothing, neither good nor bad.
            expression=f"IF(requests >= {min_requests}, bad / requests, 0)",
            using_metrics={"bad": counted(metric), "requests": counted("Requests")},
            label=f"share of {rail} on the new version",
            period=Duration.minutes(1),
        )
        return cloudwatch.Alarm(
            self,
            rail.title().replace("-", ""),
            alarm_name=alarm_name(self._environment, rail),
            alarm_description=f"More than {limit:.0%} {rail} in a minute on the new version",
            metric=share,
            threshold=limit,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _function_errors(
        self, function: lambda_.Function, version: lambda_.Version
    ) -> cloudwatch.Alarm:
        rail = RAILS[2]
        return cloudwatch.Alarm(
            self,
            "FunctionErrors",
            alarm_name=alarm_name(self._environment, rail),
            alarm_description="An invocation of the new version crashed or timed out",
            metric=cloudwatch.Metric(
                namespace="AWS/Lambda",
                metric_name="Errors",
                dimensions_map={
                    "FunctionName": function.function_name,
                    "Resource": f"{function.function_name}:{self.alias.alias_name}",
                    "ExecutedVersion": version.version,
                },
                statistic="Sum",
                period=Duration.minutes(1),
            ),
            threshold=1,
            comparison_operator=(cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD),
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
