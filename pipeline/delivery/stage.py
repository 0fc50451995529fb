"""One environment as a stage of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

from pipeline.delivery.stacks.service import ServiceStack
from pipeline.names import SERVICE
from pipeline.planning.forecast import warning

if TYPE_CHECKING:
    from constructs import Construct

    from environments.schema import Environment, Home
    from pipeline.delivery.stacks.artifact import Artifact


class EnvironmentStage(cdk.Stage):
    """All stacks of an environment, in its account and region."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        environment: Environment,
        artifact: Artifact,
        home: Home,
    ) -> None:
        super().__init__(
            scope,
            name,
            env=cdk.Environment(account=environment.account, region=environment.region),
        )
        self.service = ServiceStack(
            self,
            SERVICE,
            name=name,
            environment=environment,
            artifact=artifact,
            home=home,
            description=f"The {SERVICE} API in {name}",
        )
        told = warning(name, environment)
        if told:
            cdk.Annotations.of(self.service).add_warning_v2("pithead:canary-too-short", told)
