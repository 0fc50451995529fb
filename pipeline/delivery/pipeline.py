"""The pipeline: Source → Build → UpdatePipeline → Assets → Verify → dev → staging → prod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Duration, RemovalPolicy, Stack, Tags, pipelines
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from pipeline.builds import inputs
from pipeline.builds.commit import ROOT
from pipeline.delivery import build_steps, package_index
from pipeline.delivery.attestation_key import AttestationKey
from pipeline.delivery.comparison import compare_before_update
from pipeline.delivery.retention import log_group
from pipeline.delivery.stacks.code_signing import signing
from pipeline.delivery.stage import EnvironmentStage
from pipeline.names import (
    ASSEMBLY,
    ATTEST,
    ATTESTATION,
    CDK_CLI,
    EVIDENCE,
    OVERRIDE_PARAMETER,
    PIPELINE,
    lookup_role,
    promoted_role,
    service_stack,
    support_stack,
)

if TYPE_CHECKING:
    from constructs import Construct

    from environments.schema import Environment, Home
    from pipeline.delivery.stacks.artifact import Artifact

CDK_ASSETS = "4.7.3"
_ARTIFACTS_EXPIRE = Duration.days(90)


def _role(step: pipelines.CodeBuildStep) -> iam.IRole:
    """Return the role of a step's build; the pipeline must be built."""
    role = step.project.role
    assert role is not None  # noqa: S101  # CDK makes one for each project
    return role


def _stack(account: str, region: str, name: str) -> str:
    """Return the ARN pattern of a stack, with any id."""
    return f"arn:aws:cloudformation:{region}:{account}:stack/{name}/*"


def _support(environments: dict[str, Environment], home: Home) -> list[str]:
    """Return the support stacks: the pipeline's artifact stacks in other regions."""
    regions = sorted({each.region for each in environments.values()} - {home.region})
    return [_stack(home.account, region, support_stack(region)) for region in regions]


def _tag(stack: Stack, prod: Environment) -> None:
    """Tag a stack of the pipeline; prod's owner owns the pipeline."""
    for key, value in prod.every_tag("tooling").items():
        Tags.of(stack).add(key, value)


def _configure_other_regions(pipeline: codepipeline.Pipeline, prod: Environment) -> None:
    """Expire artifacts in other regions as in the pipeline's; protect their stacks."""
    for support in pipeline.cross_region_support.values():
        bucket = support.replication_bucket
        assert isinstance(bucket, s3.Bucket)  # noqa: S101  # CDK makes it
        bucket.add_lifecycle_rule(expiration=_ARTIFACTS_EXPIRE)
        support.stack.termination_protection = True
        _tag(support.stack, prod)


class DeliveryStack(Stack):
    """The self-mutating pipeline and the resources that it needs."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        home: Home,
        environments: dict[str, Environment],
        artifact: Artifact,
        connection_arn: str,
        bundle_platform: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        prod = environments["prod"]
        _tag(self, prod)
        source = pipelines.CodePipelineSource.connection(
            home.repository,
            home.branch,
            connection_arn=connection_arn,
            trigger_on_push=True,
            # A full clone, because a gate scans the history: it still has secrets that were removed
            # later.
            code_build_clone_output=True,
        )
        clone = iam.PolicyStatement(
            # CDK grants the action under the service's old name; IAM requires the name in the ARN
            # ("Connections rename").
            actions=[f"{connection_arn.split(':')[2]}:UseConnection"],
            resources=[connection_arn],
        )
        self._builds = build_steps.Builds(home, source, clone)
        artifacts = self._artifacts()
        signed = signing(artifact.signing_profile_version, bundle_platform, artifacts)
        context = {"connection-arn": connection_arn, "bundle": bundle_platform} | signed.context
        synth = self._builds.synth(self._allow_history(home), context, signed)
        options = build_steps.options(
            artifact.platform, log_group(self, "Builds", prod.function.log_retention_days)
        )
        pipeline = pipelines.CodePipeline(
            self,
            "Pipeline",
            pipeline_name=PIPELINE,
            pipeline_type=codepipeline.PipelineType.V2,
            artifact_bucket=artifacts,
            cross_account_keys=True,
            enable_key_rotation=True,
            cli_version=CDK_CLI,
            cdk_assets_cli_version=CDK_ASSETS,
            # One build for all assets, because each build has to be provisioned.
            publish_assets_in_parallel=False,
            synth=synth,
            code_build_defaults=options,
            self_mutation_code_build_defaults=package_index.cdk_tools(home),
            asset_publishing_code_build_defaults=package_index.cdk_tools(home),
        )
        verify = self._verify(home, environments, synth)
        pipeline.add_wave("Verify", pre=verify)
        stages = {
            name: EnvironmentStage(self, name, environment, artifact, home)
            for name, environment in environments.items()
        }
        integration = self._builds.gate(
            "Integration",
            "integration --promoted",
            "dynamic",
            group="integration",
            outputs={"URL": stages["dev"].service.url},
            # Includes the report of the unit tests: five artifacts, with the source.
            inputs={f"{EVIDENCE}/{step.id}": step for step in verify if step.primary_output}
            | {f"{EVIDENCE}/Build": synth.add_output_directory("reports")},
            # The gates read which release was promoted last, and Lambda's throttles in dev.
            statements=[self._allow_history(home), self._allow_lookup(environments["dev"])],
        )
        staging = stages["staging"].service
        load = self._builds.gate(
            "Load",
            "load",
            "synthetic",
            group="load",
            outputs={"URL": staging.url} | (staging.promoted.outputs if staging.promoted else {}),
            statements=[
                # The gates read which release serves prod, and Lambda's throttles in staging.
                self._allow_lookup(environments["prod"], environments["staging"]),
                self._allow_promoted_role("staging", environments),
            ],
        )
        # An action takes at most five artifacts, so Integration passes Verify's reports on.
        attest = self._builds.gate(
            ATTEST,
            "attest",
            group="release",
            inputs={
                ASSEMBLY: synth,
                f"{EVIDENCE}/Integration": integration,
                f"{EVIDENCE}/Load": load,
            },
        )
        promotion = self._builds.gate(
            "Promotion",
            "window",
            f"provenance {bundle_platform}",
            group="release",
            inputs={ASSEMBLY: synth, ATTESTATION: attest},
        )
        before = {"prod": [promotion]}
        after = {"dev": [integration], "staging": [load, attest]}
        for name, stage in stages.items():
            pipeline.add_stage(stage, pre=before.get(name), post=after.get(name))
        pipeline.build_pipeline()
        _configure_other_regions(pipeline.pipeline, prod)
        build_steps.add_inputs_digest(synth, inputs.digest(ROOT, context))
        compare_before_update(
            pipeline,
            options,
            artifact.platform,
            home,
            [
                *self._builds.statements,
                self._templates(self.stack_id, *_support(environments, home)),
                *self._allow_reading_templates(environments, home),
            ],
        )
        AttestationKey(
            self,
            "AttestationKey",
            signer=_role(attest),
            verifiers=[_role(promotion), _role(synth), _role(integration)],
        )
        for each in pipeline.pipeline.node.find_all():
            if isinstance(each, iam.Role) and "/Source/" in each.node.path:
                each.add_to_principal_policy(clone)

    def _verify(
        self, home: Home, environments: dict[str, Environment], synth: pipelines.CodeBuildStep
    ) -> list[pipelines.CodeBuildStep]:
        """Return the parallel builds of stage Verify, which need no environment."""
        audit = iam.PolicyStatement(
            actions=["ssm:GetParameter"],
            resources=[f"arn:aws:ssm:{home.region}:{home.account}:parameter{OVERRIDE_PARAMETER}"],
        )
        return [
            self._builds.gate("Security", "security", group="scanners"),
            self._builds.gate(
                "SupplyChain",
                "supply_chain",
                group="supply",
                statements=[audit],
                inputs={ASSEMBLY: synth},
            ),
            self._builds.gate(
                "Infrastructure",
                f"infrastructure {ASSEMBLY}",
                f"changes {ASSEMBLY} {' '.join(map(service_stack, environments))}",
                group="template",  # contains cfn-lint and its copy of AWS's resource schemas
                statements=self._allow_reading_templates(environments, home),
                inputs={ASSEMBLY: synth},
            ),
        ]

    def _templates(self, *stacks: str) -> iam.PolicyStatement:
        """Allow reading deployed templates of this account."""
        return iam.PolicyStatement(actions=["cloudformation:GetTemplate"], resources=list(stacks))

    def _allow_history(self, home: Home) -> iam.PolicyStatement:
        """Allow reading which release was promoted last."""
        return iam.PolicyStatement(
            actions=["codepipeline:ListActionExecutions", "codepipeline:ListPipelineExecutions"],
            resources=[f"arn:aws:codepipeline:{home.region}:{home.account}:{PIPELINE}"],
        )

    def _allow_reading_templates(
        self, environments: dict[str, Environment], home: Home
    ) -> list[iam.PolicyStatement]:
        """Allow reading the service's templates, in other accounts by the lookup role."""
        here = [
            _stack(each.account, each.region, service_stack(name))
            for name, each in environments.items()
            if each.account == home.account
        ]
        others = [each for each in environments.values() if each.account != home.account]
        return [
            *([self._templates(*here)] if here else []),
            *([self._allow_lookup(*others)] if others else []),
        ]

    def _allow_lookup(self, *environments: Environment) -> iam.PolicyStatement:
        """Allow assuming the lookup role of `cdk bootstrap` in these environments.

        Each gate limits its session of that role to the calls that it makes.
        """
        return iam.PolicyStatement(
            actions=["sts:AssumeRole"],
            resources=[lookup_role(each.account, each.region) for each in environments],
        )

    def _allow_promoted_role(
        self, name: str, environments: dict[str, Environment]
    ) -> iam.PolicyStatement:
        """Allow assuming the role that sets the alias `promoted`."""
        return iam.PolicyStatement(
            actions=["sts:AssumeRole"],
            resources=[f"arn:aws:iam::{environments[name].account}:role/{promoted_role(name)}"],
        )

    def _artifacts(self) -> s3.Bucket:
        key = kms.Key(
            self,
            "ArtifactKey",
            enable_key_rotation=True,
            description="Build artifacts",
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        return s3.Bucket(
            self,
            "Artifacts",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            enforce_ssl=True,
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=_ARTIFACTS_EXPIRE, noncurrent_version_expiration=Duration.days(7)
                )
            ],
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
