"""The canary judge of an environment: its function, schedule and records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from pipeline.delivery.stacks.scheduled import schedule, scheduled_function
from pipeline.judge.settings import Settings
from pipeline.judge.statistics.condemnation import condemnation_key, permission_key
from pipeline.names import (
    ALIAS,
    JUDGE_NAMESPACE,
    SERVICE,
    again_role,
    api_name,
    bake_key,
    decision_key,
)

if TYPE_CHECKING:
    from aws_cdk import aws_codedeploy as codedeploy
    from aws_cdk import aws_lambda as lambda_

    from pipeline.delivery.stacks.artifact import Artifact
    from pipeline.judge.shift import Shift
    from pipeline.judge.statistics.periods import Parameters

_MEMORY_MB = 512  # MB
"""CPU scales with memory: this judges a shift of two days in seconds."""
_TIMEOUT = Duration.minutes(3)
"""A run takes a second; at the end of a shift of two days it reads more."""


class Judge(Construct):
    """Runs each minute, and as CodeDeploy's hooks before the shift and after the bake."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment_name: str,
        artifact: Artifact,
        log_retention_days: int,
        function: lambda_.Function,
        group: codedeploy.LambdaDeploymentGroup,
        shift: Shift,
        bake_minutes: int,
        parameters: Parameters,
        count_tolerance: float,
        home_account: str,
    ) -> None:
        super().__init__(scope, construct_id)
        records = self._records()
        settings = Settings(
            service=SERVICE,
            environment=environment_name,
            function=function.function_name,
            application=group.application.application_name,
            deployment_group=group.deployment_group_name,
            bucket=records.bucket_name,
            api=api_name(environment_name),
            shift=shift,
            bake_minutes=bake_minutes,
            parameters=parameters,
            count_tolerance=count_tolerance,
        )
        self.function = scheduled_function(
            self,
            artifact=artifact,
            code=artifact.judge,
            handler="pipeline.judge.handler.handler",
            description=f"The canary judge of {SERVICE} in {environment_name}",
            memory_size=_MEMORY_MB,
            timeout=_TIMEOUT,
            log_retention_days=log_retention_days,
            environment=settings.variables(),
        )
        for statement in _access(function, group, records):
            self.function.add_to_role_policy(statement)
        schedule(
            self,
            "Minute",
            self.function,
            minute="*",
            description=f"Has the canary judge of {SERVICE} in {environment_name} look",
        )
        self._permit(environment_name, home_account, records)
        CfnOutput(self, "Records", value=records.bucket_name).override_logical_id("Decisions")

    def _permit(self, environment_name: str, home_account: str, records: s3.Bucket) -> None:
        """Create the role by which a person permits a condemned version."""
        role = iam.Role(
            self,
            "Again",
            role_name=again_role(environment_name),
            description="Permits a version that the judge condemned to be released again",
            assumed_by=iam.AccountPrincipal(home_account),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["s3:PutObject"], resources=[records.arn_for_objects(permission_key("*"))]
            )
        )

    def _records(self) -> s3.Bucket:
        return s3.Bucket(
            self,
            "Decisions",
            # Counts and versions are no secret, and CDK's lookup role, by which the console reads
            # other accounts, may use no key.
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            lifecycle_rules=[
                s3.LifecycleRule(
                    # A record is written each minute until its release has ended. Condemnations and
                    # permissions keep every version.
                    prefix=f"{decision_key('').partition('/')[0]}/",
                    noncurrent_version_expiration=Duration.days(1),
                ),
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1)),
            ],
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )


def _access(
    function: lambda_.Function, group: codedeploy.LambdaDeploymentGroup, records: s3.Bucket
) -> list[iam.PolicyStatement]:
    """Grant exactly the calls of `pipeline.judge.aws`."""
    return [
        iam.PolicyStatement(
            actions=["lambda:GetAlias"],
            resources=[function.function_arn, f"{function.function_arn}:{ALIAS}"],
        ),
        iam.PolicyStatement(
            actions=["lambda:GetFunctionConfiguration"],
            resources=[f"{function.function_arn}:*"],
        ),
        iam.PolicyStatement(
            actions=[
                "codedeploy:ListDeployments",
                "codedeploy:GetDeployment",
                "codedeploy:ListDeploymentTargets",
                "codedeploy:GetDeploymentTarget",
                "codedeploy:PutLifecycleEventHookExecutionStatus",
                "codedeploy:StopDeployment",
            ],
            resources=[group.deployment_group_arn],
        ),
        iam.PolicyStatement(
            actions=["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"], resources=["*"]
        ),
        iam.PolicyStatement(
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            conditions={"StringEquals": {"cloudwatch:namespace": JUDGE_NAMESPACE}},
        ),
        # Without ListBucket, a missing key is a 403.
        iam.PolicyStatement(actions=["s3:ListBucket"], resources=[records.bucket_arn]),
        iam.PolicyStatement(
            actions=["s3:GetObject", "s3:PutObject"],
            resources=[
                records.arn_for_objects(each)
                for each in (decision_key("*"), condemnation_key("*"), bake_key("*"))
            ],
        ),
        # Only a person may write a permission.
        iam.PolicyStatement(
            actions=["s3:GetObject"], resources=[records.arn_for_objects(permission_key("*"))]
        ),
    ]
