"""The service in one environment: its resources, function, REST API and journeys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as assets

from environments.schema import NAMES
from pipeline.builds.safeguards import as_metadata
from pipeline.delivery.retention import log_group
from pipeline.delivery.stacks import code_signing
from pipeline.delivery.stacks.api import rest_api
from pipeline.delivery.stacks.promoted import Promoted
from pipeline.delivery.stacks.release import Release
from pipeline.delivery.stacks.resources import service_resources
from pipeline.delivery.stacks.synthetic import Journeys
from pipeline.names import SERVICE, api_name
from pipeline.service import HANDLER

if TYPE_CHECKING:
    from constructs import Construct

    from environments.schema import Environment, Home
    from pipeline.delivery.stacks.artifact import Artifact


class ServiceStack(Stack):
    """The service in one environment; the outputs are the inputs of the stage's gates."""

    url: CfnOutput
    promoted: Promoted | None
    """Serves the last promoted release, for the load gate."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        environment: Environment,
        artifact: Artifact,
        home: Home,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        for key, value in environment.every_tag(name).items():
            Tags.of(self).add(key, value)
        if artifact.safeguards and name == NAMES[-1]:
            # Deployed with each promotion, and compared by the next release (gate `changes`).
            self.template_options.metadata = as_metadata(artifact.safeguards)
        function = self._function(name, environment, artifact)
        release = Release(
            self,
            "Release",
            environment_name=name,
            environment=environment,
            artifact=artifact,
            function=function,
            home_account=home.account,
        )
        api = rest_api(
            self,
            "Api",
            name=api_name(name),
            stage=name,
            environment=environment,
            alias=release.alias,
        )
        self.url = CfnOutput(self, "Url", value=api.url)
        self.promoted = (
            Promoted(
                self,
                "Promoted",
                environment_name=name,
                environment=environment,
                home=home,
                function=function,
            )
            if environment.load
            else None
        )
        if environment.synthetic:
            journeys = Journeys(
                self,
                "Journeys",
                environment_name=name,
                artifact=artifact,
                log_retention_days=environment.function.log_retention_days,
                synthetic=environment.synthetic,
                url=api.url,
            )
            # Depends on the whole API: the first journey needs one that may call the function.
            journeys.node.add_dependency(api)
        if artifact.signing_profile_version:
            code_signing.require(self, artifact.signing_profile_version)
        bill = assets.Asset(self, "Bill", path=str(artifact.sbom), display_name="SBOM")
        CfnOutput(self, "Sbom", value=bill.s3_object_url)

    def _function(
        self, name: str, environment: Environment, artifact: Artifact
    ) -> lambda_.Function:
        resources = service_resources(self)
        log = log_group(self, "Log", environment.function.log_retention_days)
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log.grant_write(role)
        for statement in resources.statements:
            role.add_to_policy(statement)
        return lambda_.Function(
            self,
            "Function",
            runtime=artifact.runtime,
            architecture=artifact.architecture,
            handler=HANDLER,
            code=lambda_.Code.from_asset(str(artifact.bundle)),
            role=role,
            memory_size=environment.function.memory_mb,
            timeout=Duration.seconds(environment.function.timeout_seconds),
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log,
            environment={
                **resources.variables,
                "SERVICE_NAME": SERVICE,
                "ENVIRONMENT": name,
                "COMMIT": artifact.commit,
                "LATENCY_OBJECTIVE_MS": str(environment.guard.latency_objective_ms),
                "ALLOWED_ORIGINS": ",".join(environment.api.allowed_origins),
                # The API's stage is the first segment of every path that a client sees.
                "ROOT_PATH": f"/{name}",
            },
            current_version_options=lambda_.VersionOptions(
                # Lambda publishes these bytes, whatever the asset bucket contains by then.
                code_sha256=artifact.code_sha256,
                # A rollback deletes the version that it takes out of service. If it stayed, the
                # same release could not be published again (aws-cdk#35540, aws-cdk#28252).
                removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            ),
        )
