"""The alarms on the judge's verdicts, on its silence and on missing metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_cloudwatch as cloudwatch

from pipeline.delivery.stacks.rails import MINUTE
from pipeline.judge.arrival import ARRIVAL_BOUND
from pipeline.judge.shift import MINUTE as ONE_MINUTE
from pipeline.judge.statistics.judging import line
from pipeline.names import ALIAS, BLIND, HEARTBEAT, JUDGE_NAMESPACE, SERVICE

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct

    from pipeline.judge.statistics.periods import Parameters

_SILENT_MINUTES, _WINDOW_MINUTES = 3, 5  # minutes
"""Minutes that alarm, and their window: the version served and was not judged.

Fewer are a run that came too late for its minute, and Lambda's metrics arrive a minute later.
"""


class Verdicts:
    """Creates the alarms on the judge's metrics for one version of a function."""

    def __init__(
        self,
        environment_name: str,
        parameters: Parameters,
        function: lambda_.Function,
        version: lambda_.Version,
    ) -> None:
        self._environment = environment_name
        self._line = line(parameters)
        self._function = function.function_name
        self._version = version.version

    def alarm(
        self, scope: Construct, construct_id: str, verdict: str, name: str
    ) -> cloudwatch.Alarm:
        """Create the alarm on a verdict."""
        if verdict == HEARTBEAT:
            return self._silence_alarm(scope, construct_id, name)
        limit, what = {
            "evidence": (self._line, "The evidence against the new version is past its line"),
            "testimony": (
                1.0,
                "The service cannot testify: what it counts differs from what Lambda and API "
                "Gateway count, by more than judge.count_tolerance",
            ),
            "undecided": (1.0, "The shift ends before a verdict, and the policy rolls back"),
            "incident": (1.0, "Both versions fail alike, and the policy stops a release then"),
            BLIND: (
                ARRIVAL_BOUND / ONE_MINUTE,
                "The judge runs and cannot judge: the metrics of a minute of the shift have not "
                "arrived for so many minutes",
            ),
        }[verdict]
        return cloudwatch.Alarm(
            scope,
            construct_id,
            alarm_name=name,
            alarm_description=what,
            metric=self._judge_metric(verdict.capitalize(), version=True),
            threshold=limit,
            comparison_operator=(cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD),
            # A verdict is final, also if CloudWatch shows it a minute or two late.
            evaluation_periods=3,
            datapoints_to_alarm=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _silence_alarm(self, scope: Construct, construct_id: str, name: str) -> cloudwatch.Alarm:
        """Create the alarm on a missing heartbeat while this version serves.

        It does not breach otherwise: a judge that was broken before must not block its own fix.
        """
        served = cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name="Invocations",
            dimensions_map={
                "FunctionName": self._function,
                "Resource": f"{self._function}:{ALIAS}",
                "ExecutedVersion": self._version,
            },
            statistic="Sum",
            period=MINUTE,
        )
        return cloudwatch.Alarm(
            scope,
            construct_id,
            alarm_name=name,
            alarm_description="The new version serves, and the judge does not judge it",
            metric=cloudwatch.MathExpression(
                expression="IF(served > 0 AND FILL(heartbeat, 0) < 1, 1, 0)",
                using_metrics={
                    "served": served,
                    "heartbeat": self._judge_metric("Heartbeat", version=False),
                },
                label="minutes not judged",
                period=MINUTE,
            ),
            threshold=1,
            comparison_operator=(cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD),
            evaluation_periods=_WINDOW_MINUTES,
            datapoints_to_alarm=_SILENT_MINUTES,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _judge_metric(self, metric: str, *, version: bool) -> cloudwatch.Metric:
        dimensions = {"service": SERVICE, "environment": self._environment}
        return cloudwatch.Metric(
            namespace=JUDGE_NAMESPACE,
            metric_name=metric,
            dimensions_map=dimensions | ({"version": self._version} if version else {}),
            statistic="Maximum",
            period=MINUTE,
        )
