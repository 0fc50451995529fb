"""The journeys of an environment: their function, schedule and alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from environments.limits import JOURNEY_PERIODS
from pipeline.delivery.stacks.scheduled import schedule, scheduled_function
from pipeline.names import ALIAS, SERVICE, SYNTHETIC_NAMESPACE, synthetic_alarm_name

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from environments.gates import Synthetic
    from pipeline.delivery.stacks.artifact import Artifact

_MEMORY_MB = 256  # MB
"""CPU scales with memory, and TLS is half of a journey's time."""
_CLEANUP_SECONDS = 10  # seconds
_FAILED_PERIODS = 2  # periods
"""Failed periods that breach: one may be the network's fault, two in a row hardly."""


class Journeys(Construct):
    """Runs a journey every few minutes; alarms operations if one fails or is missing."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment_name: str,
        artifact: Artifact,
        log_retention_days: int,
        synthetic: Synthetic,
        url: str,
    ) -> None:
        super().__init__(scope, construct_id)
        function = scheduled_function(
            self,
            artifact=artifact,
            code=artifact.synthetic,
            handler="pipeline.journeys.handler.handler",
            description=f"A customer's journey through {SERVICE} in {environment_name}",
            memory_size=_MEMORY_MB,
            timeout=Duration.seconds(synthetic.seconds + _CLEANUP_SECONDS),
            log_retention_days=log_retention_days,
            environment={
                "SERVICE": SERVICE,
                "ENVIRONMENT": environment_name,
                "URL": url,
                "SECONDS": str(synthetic.seconds),
            },
        )
        schedule(
            self,
            "Schedule",
            function,
            minute=f"0/{synthetic.every_minutes}",
            description=f"Sends a customer through {SERVICE} in {environment_name}",
        )
        cloudwatch.Alarm(
            self,
            "Alarm",
            alarm_name=synthetic_alarm_name(environment_name),
            alarm_description="A customer's journey through the API fails, or is not made",
            metric=cloudwatch.MathExpression(
                expression="journeys - failed",
                using_metrics={
                    "journeys": _counted("Journeys", environment_name, synthetic),
                    "failed": _counted("FailedJourneys", environment_name, synthetic),
                },
                label="journeys that went well",
                period=Duration.minutes(synthetic.every_minutes),
            ),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=JOURNEY_PERIODS,
            datapoints_to_alarm=_FAILED_PERIODS,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )


class FailedJourneys:
    """Creates the alarm on failed journeys that rolls a release back in its bake.

    It evaluates the new version alone: if an old version served in the same minutes, it may have
    caused the failure, and the release may be the fix. A missing journey does not breach, because
    it says nothing about the release, and before the first journey there is none; it alarms
    operations instead.
    """

    def __init__(
        self,
        environment_name: str,
        synthetic: Synthetic,
        function: lambda_.Function,
        version: lambda_.Version,
    ) -> None:
        self._environment = environment_name
        self._synthetic = synthetic
        self._function = function.function_name
        self._version = version.version

    def alarm(self, scope: Construct, construct_id: str, _what: str, name: str) -> cloudwatch.Alarm:
        """Create the one alarm: journeys failed that only the new version served."""
        return cloudwatch.Alarm(
            scope,
            construct_id,
            alarm_name=name,
            alarm_description="Customers' journeys fail where the new version alone serves",
            metric=cloudwatch.MathExpression(
                # Without any invocation, the cause lies in front of the service.
                expression="IF(FILL(every, 0) > FILL(mine, 0), 0, failed)",
                using_metrics={
                    "every": self._invocations(),
                    "mine": self._invocations(ExecutedVersion=self._version),
                    "failed": _counted("FailedJourneys", self._environment, self._synthetic),
                },
                label="failed journeys",
                period=Duration.minutes(self._synthetic.every_minutes),
            ),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=JOURNEY_PERIODS,
            datapoints_to_alarm=_FAILED_PERIODS,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _invocations(self, **version: str) -> cloudwatch.Metric:
        every = {"FunctionName": self._function, "Resource": f"{self._function}:{ALIAS}"}
        return cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name="Invocations",
            dimensions_map=every | version,
            statistic="Sum",
            period=Duration.minutes(self._synthetic.every_minutes),
        )


def _counted(name: str, environment_name: str, synthetic: Synthetic) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=SYNTHETIC_NAMESPACE,
        metric_name=name,
        dimensions_map={"service": SERVICE, "environment": environment_name},
        statistic="Sum",
        period=Duration.minutes(synthetic.every_minutes),
    )
