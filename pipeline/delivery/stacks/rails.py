"""The guard rails: fixed limits on the new version alone, per minute.

An alarm evaluates only the newest minutes: data for an older minute changes nothing. So each alarm
evaluates as many minutes as metrics may be late (`pipeline.judge.arrival`).

They are coarse. The judge detects a regression against the previous version sooner. A rail stops
what is bad by any measure, also when there is nothing to compare with or no judge that works. So
the alarm itself computes what chance explains (`pipeline.judge.rails`); decision 7 says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from pipeline.judge.arrival import ARRIVAL_BOUND
from pipeline.judge.shift import MINUTE as ONE_MINUTE
from pipeline.names import ALIAS, NAMESPACE, SERVICE

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct

    from environments.schema import Guard

MINUTE = Duration.minutes(1)


class Rails:
    """Creates alarms on one version of a function."""

    def __init__(
        self,
        environment_name: str,
        guard: Guard,
        threshold: float,
        function: lambda_.Function,
        version: lambda_.Version,
    ) -> None:
        """`threshold`: the z-score from which a rail fires (`pipeline.judge.rails`)."""
        self._environment = environment_name
        self._guard = guard
        self._threshold = threshold
        self._function = function.function_name
        self._version = version.version

    def alarm(self, scope: Construct, construct_id: str, rail: str, name: str) -> cloudwatch.Alarm:
        """Create an alarm on each minute alone; a minute without requests does not breach."""
        deviations, limit, what = self._rail(rail)
        return cloudwatch.Alarm(
            scope,
            construct_id,
            alarm_name=name,
            alarm_description=f"More than {limit:.0%} of requests {what} in a minute on the new "
            "version, by more than chance explains, and not on the others",
            metric=deviations,
            threshold=self._threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=int(ARRIVAL_BOUND / ONE_MINUTE),
            datapoints_to_alarm=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _rail(self, rail: str) -> tuple[cloudwatch.IMetric, float, str]:
        guard = self._guard
        if rail == "slow-requests":
            limit = guard.max_slow_share
            what = f"took over {guard.latency_objective_ms} ms"
            return self._counted("SlowRequests", limit), limit, what
        limit = guard.max_failure_share
        if rail == "failures":
            return self._counted("Failures", limit), limit, "failed"
        return self._crashed(limit), limit, "crashed or timed out"

    def _counted(self, bad: str, limit: float) -> cloudwatch.MathExpression:
        """Return the z-score of the requests that the service counts as bad."""
        every = {"service": SERVICE, "environment": self._environment}
        mine = every | {"version": self._version}
        return self._deviations(NAMESPACE, bad, "Requests", mine, every, limit)

    def _crashed(self, limit: float) -> cloudwatch.MathExpression:
        """Return the z-score of the invocations with an error of Lambda's."""
        every = {"FunctionName": self._function, "Resource": f"{self._function}:{ALIAS}"}
        mine = every | {"ExecutedVersion": self._version}
        return self._deviations("AWS/Lambda", "Errors", "Invocations", mine, every, limit)

    def _deviations(
        self,
        namespace: str,
        bad: str,
        requests: str,
        mine: dict[str, str],
        every: dict[str, str],
        limit: float,
    ) -> cloudwatch.MathExpression:
        def total(name: str, dimensions: dict[str, str]) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace=namespace,
                metric_name=name,
                dimensions_map=dimensions,
                statistic="Sum",
                period=MINUTE,
            )

        return cloudwatch.MathExpression(
            # The same as `pipeline.judge.rails.deviations`, with each logarithm of a positive
            # number. Below `min_requests` no minute is evaluated; and if the other versions exceed
            # the limit, too, the cause is not this version.
            expression=(
                f"IF(requests >= {self._guard.min_requests} AND bad - 1 > {limit} * requests"
                f" AND all_bad - bad <= {limit} * (all_requests - requests), "
                f"(2 * ABS((bad - 1) * LOG(IF(bad > 1, bad - 1, 1) / ({limit} * requests))"
                " + (requests - bad + 1)"
                f" * LOG((requests - bad + 1) / ((1 - {limit}) * requests)))) ^ 0.5, 0)"
            ),
            using_metrics={
                "bad": total(bad, mine),
                "requests": total(requests, mine),
                "all_bad": total(bad, every),
                "all_requests": total(requests, every),
            },
            label=f"standard deviations of {bad} above {limit:.0%}",
            period=MINUTE,
        )
