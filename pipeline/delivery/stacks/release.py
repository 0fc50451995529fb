"""The release of a new version: alias, traffic shift, and alarms that stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from environments.schema import AllAtOnce, Canary, Environment, Linear
from pipeline.delivery.stacks.judge import Judge
from pipeline.delivery.stacks.rails import Rails
from pipeline.delivery.stacks.synthetic import FailedJourneys
from pipeline.delivery.stacks.verdicts import Verdicts
from pipeline.names import (
    ALIAS,
    BLIND,
    GUARDS,
    HEARTBEAT,
    RAILS,
    SYNTHETIC,
    VERDICTS,
    version_alarm_name,
)
from pipeline.planning.policy import bake_minutes, parameters, rails_threshold, shift

if TYPE_CHECKING:
    from pipeline.delivery.stacks.artifact import Artifact


class Release(Construct):
    """The alias `live`, moved by CodeDeploy under alarms on the new version alone.

    An alarm on the whole alias would see a bad canary diluted by the share of good traffic, so each
    alarm evaluates only the version that this deployment publishes. The guard rails use the
    service's counts, the verdicts the judge's metrics, and the journeys those that only the new
    version can have served.

    The alarms have the version in their names: each deployment creates them, without a state. An
    alarm that is updated to the next version keeps its state ("PutMetricAlarm"), and one left in
    ALARM by the failing version would stop its own fix.

    If traffic shifts in steps, the deployment ends with a bake (`pipeline.judge.bake`), and the
    same alarms guard it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment_name: str,
        environment: Environment,
        artifact: Artifact,
        function: lambda_.Function,
        home_account: str,
    ) -> None:
        super().__init__(scope, construct_id)
        version = function.current_version
        self.alias = lambda_.Alias(self, "Alias", alias_name=ALIAS, version=version)
        self._makers: dict[str, Rails | Verdicts | FailedJourneys] = dict.fromkeys(
            RAILS,
            Rails(
                environment_name,
                environment.guard,
                rails_threshold(environment.judge, environment.shift),
                function,
                version,
            ),
        )
        if environment.judge:
            rule = parameters(environment, environment.judge)
            self._makers |= dict.fromkeys(
                (*VERDICTS, HEARTBEAT, BLIND), Verdicts(environment_name, rule, function, version)
            )
            if environment.synthetic:  # the schema requires it beside a judge
                self._makers[SYNTHETIC] = FailedJourneys(
                    environment_name, environment.synthetic, function, version
                )
        watched = [each for each in GUARDS if each in self._makers]
        group = codedeploy.LambdaDeploymentGroup(
            self,
            "DeploymentGroup",
            application=codedeploy.LambdaApplication(self, "Application"),
            alias=self.alias,
            deployment_config=self._shift(environment.shift),
            alarms=[
                self._makers[each].alarm(
                    self,
                    f"Shift-{each}",
                    each,
                    version_alarm_name(environment_name, version.version, each),
                )
                for each in watched
            ],
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
            ),
        )
        # CloudFormation moves the alias when the group, and through it each alarm, is ready;
        # otherwise the shift might start under the alarms of the previous version.
        self.alias.node.add_dependency(group)
        if environment.judge:
            judge = Judge(
                self,
                "Judge",
                environment_name=environment_name,
                artifact=artifact,
                log_retention_days=environment.function.log_retention_days,
                function=function,
                group=group,
                shift=shift(environment),
                bake_minutes=bake_minutes(environment),
                parameters=rule,
                count_tolerance=environment.judge.count_tolerance,
                home_account=home_account,
            )
            group.add_pre_hook(judge.function)
            group.add_post_hook(judge.function)
            self.alias.node.add_dependency(judge)

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
