"""How a new version takes over: an alias, a traffic shift, and guard rails that stop it."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from environments.schema import AllAtOnce, Canary, Environment, Linear
from pipeline.names import ALIAS, NAMESPACE, RAILS, SERVICE, alarm_name, version_alarm_name

_MINUTE = Duration.minutes(1)


class Release(Construct):
    """The alias `live` of a function, moved by CodeDeploy under alarms on the new version alone.

    An alarm on the whole alias would see a bad canary diluted by the share of good traffic, so
    each alarm looks at the version that this deployment publishes, and at no other.

    The alarms that guard the shift carry the version in their names: they are made with it and
    begin without a state. An alarm that is only pointed at the next version keeps the state that
    it had ("PutMetricAlarm"), and one that the failing version left red would stop its own fix.
    The bake's alarms need names that the pipeline knows beforehand; by then they have had all
    of the shift to look at the new version.
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
        self._guard = environment.guard
        self._function = function
        self._version = function.current_version
        self.alias = lambda_.Alias(self, "Alias", alias_name=ALIAS, version=self._version)
        group = codedeploy.LambdaDeploymentGroup(
            self,
            "DeploymentGroup",
            application=codedeploy.LambdaApplication(self, "Application"),
            alias=self.alias,
            deployment_config=self._shift(environment.shift),
            alarms=[
                self._alarm(
                    f"Shift-{rail}",
                    rail,
                    version_alarm_name(environment_name, self._version.version, rail),
                )
                for rail in RAILS
            ],
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
            ),
        )
        bake = [
            self._alarm(f"Bake-{rail}", rail, alarm_name(environment_name, rail))
            for rail in (() if isinstance(environment.shift, AllAtOnce) else RAILS)
        ]
        # CloudFormation moves the alias when the group, and through it each alarm, is ready;
        # otherwise the shift might begin under the alarms of the version before.
        self.alias.node.add_dependency(group, *bake)

    def _shift(self, shift: AllAtOnce | Canary | Linear) -> codedeploy.ILambdaDeploymentConfig:
        if isinstance(shift, AllAtOnce):
            return codedeploy.LambdaDeploymentConfig.ALL_AT_ONCE
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

    def _alarm(self, construct_id: str, rail: str, name: str) -> cloudwatch.Alarm:
        """An alarm that looks at each minute by itself; one without requests is no evidence."""
        metric, limit, what = self._rail(rail)
        return cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=name,
            alarm_description=f"{what} in a minute on the new version",
            metric=metric,
            threshold=limit,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _rail(self, rail: str) -> tuple[cloudwatch.IMetric, float, str]:
        guard = self._guard
        if rail == "failures":
            limit = guard.max_failure_share
            return self._share("Failures"), limit, f"More than {limit:.0%} of requests failed"
        if rail == "slow-requests":
            limit = guard.max_slow_share
            slow = f"More than {limit:.0%} of requests took over {guard.latency_objective_ms} ms"
            return self._share("SlowRequests"), limit, slow
        return self._errors(), 0, "An invocation crashed or timed out"

    def _share(self, metric: str) -> cloudwatch.MathExpression:
        dimensions = {
            "service": SERVICE,
            "environment": self._environment,
            "version": self._version.version,
        }
        bad, requests = (
            cloudwatch.Metric(
                namespace=NAMESPACE,
                metric_name=name,
                dimensions_map=dimensions,
                statistic="Sum",
                period=_MINUTE,
            )
            for name in (metric, "Requests")
        )
        return cloudwatch.MathExpression(
            # Below so many requests a share says nothing, neither good nor bad.
            expression=f"IF(requests >= {self._guard.min_requests}, bad / requests, 0)",
            using_metrics={"bad": bad, "requests": requests},
            label=f"share of {metric}",
            period=_MINUTE,
        )

    def _errors(self) -> cloudwatch.Metric:
        name = self._function.function_name
        return cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name="Errors",
            dimensions_map={
                "FunctionName": name,
                "Resource": f"{name}:{ALIAS}",
                "ExecutedVersion": self._version.version,
            },
            statistic="Sum",
            period=_MINUTE,
        )
