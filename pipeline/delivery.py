"""The pipeline: Source → Build → UpdatePipeline → Assets → Verify → dev → staging → prod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Duration, RemovalPolicy, Stack, Tags, pipelines
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from pipeline.bake import bake
from pipeline.names import CDK_CLI, OVERRIDE_PARAMETER, PIPELINE
from pipeline.retention import log_group
from pipeline.stage import EnvironmentStage

if TYPE_CHECKING:
    from aws_cdk import CfnOutput
    from constructs import Construct

    from environments.schema import Environment, Home
    from pipeline.bundle import Platform
    from pipeline.stacks.service import Artifact

CDK_ASSETS = "4.7.3"
_IMAGE = "aws/codebuild/standard:8.0"


def install(group: str) -> list[str]:
    """Commands that make `.venv` from a group's lock; uv is in the image or comes from its own."""
    return [
        "command -v uv >/dev/null"
        " || python3 -m pip install --quiet --require-hashes --requirement requirements/uv.txt",
        "uv venv --quiet --allow-existing .venv",  # which the cache may have brought
        f"uv pip sync --quiet --require-hashes requirements/{group}.txt",
    ]


def _builder(platform: Platform) -> codebuild.BuildSpec:
    """What a builder of AWS's image is to have, and what it may keep of its last build.

    The host's own builder has the languages that it has.

    Synthesis compiles the bundle's bytecode, which only Lambda's own version of Python can.
    """
    runtimes = {"python": platform.python, "nodejs": "24"} if platform.python else None
    install_phase = {"phases": {"install": {"runtime-versions": runtimes}}} if runtimes else {}
    cache = {"cache": {"paths": [".venv/**/*", ".cache/bundle/**/*"]}}
    return codebuild.BuildSpec.from_object({"version": "0.2", **install_phase, **cache})


class DeliveryStack(Stack):
    """The self-mutating pipeline and what it needs."""

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
        # Who is woken for prod owns the way that leads there.
        for key, value in prod.every_tag("tooling").items():
            Tags.of(self).add(key, value)
        source = pipelines.CodePipelineSource.connection(
            home.repository, home.branch, connection_arn=connection_arn, trigger_on_push=True
        )
        self._source = source
        pipeline = pipelines.CodePipeline(
            self,
            "Pipeline",
            pipeline_name=PIPELINE,
            pipeline_type=codepipeline.PipelineType.V2,
            artifact_bucket=self._artifacts(),
            cross_account_keys=True,
            enable_key_rotation=True,
            cli_version=CDK_CLI,
            cdk_assets_cli_version=CDK_ASSETS,
            # One build for all assets instead of one each: every start costs its provisioning.
            publish_assets_in_parallel=False,
            synth=self._build(source, connection_arn, bundle_platform),
            code_build_defaults=pipelines.CodeBuildOptions(
                build_environment=codebuild.BuildEnvironment(
                    build_image=codebuild.LinuxBuildImage.from_code_build_image_id(_IMAGE),
                    compute_type=codebuild.ComputeType.SMALL,
                ),
                logging=codebuild.LoggingOptions(
                    cloud_watch=codebuild.CloudWatchLoggingOptions(
                        log_group=log_group(self, "Builds", prod.function.log_retention_days)
                    )
                ),
                partial_build_spec=_builder(artifact.platform),
                # What a builder has of its last build saves time, and `uv pip sync` makes it
                # what the lock says, whatever it was.
                cache=codebuild.Cache.local(codebuild.LocalCacheMode.CUSTOM),
                timeout=Duration.minutes(20),
            ),
        )
        pipeline.add_wave("Verify", pre=self._verify(home))
        stages = {
            name: EnvironmentStage(self, name, environment, artifact)
            for name, environment in environments.items()
        }
        before = {"prod": [self._gate("Window", "window")]}
        after = {
            "dev": [self._gate("Integration", "integration", {"URL": stages["dev"].service.url})],
            "staging": [self._gate("Load", "load", {"URL": stages["staging"].service.url})],
        }
        for name, stage in stages.items():
            pipeline.add_stage(stage, pre=before.get(name), post=after.get(name))
        pipeline.build_pipeline()
        for name, environment in environments.items():
            bake(pipeline.pipeline, name, environment)

    def _verify(self, home: Home) -> list[pipelines.Step]:
        """The gates that need no environment; they run side by side."""
        audit = iam.PolicyStatement(
            actions=["ssm:GetParameter"],
            resources=[f"arn:aws:ssm:{home.region}:{home.account}:parameter{OVERRIDE_PARAMETER}"],
        )
        return [
            self._gate("Security", "security"),
            self._gate("SupplyChain", "supply_chain", statements=[audit]),
        ]

    def _gate(
        self,
        name: str,
        module: str,
        outputs: dict[str, CfnOutput] | None = None,
        statements: list[iam.PolicyStatement] | None = None,
    ) -> pipelines.CodeBuildStep:
        """A gate as a build: a program of `pipeline/gates` that exits 0 or refuses.

        Its reports become an artifact of the execution. CodeBuild uploads them of a build that
        failed, too ("Build phase transitions"), so that what refused can be read afterwards.
        """
        return pipelines.CodeBuildStep(
            name,
            input=self._source,
            install_commands=install("gates"),
            commands=[f".venv/bin/python -m pipeline.gates.{module}"],
            env_from_cfn_outputs=outputs,
            role_policy_statements=statements,
            primary_output_directory="reports",
        )

    def _build(
        self, source: pipelines.CodePipelineSource, connection_arn: str, bundle_platform: str
    ) -> pipelines.CodeBuildStep:
        context = f"-c connection-arn={connection_arn} -c bundle={bundle_platform}"
        return pipelines.CodeBuildStep(
            "Synth",
            input=source,
            install_commands=[*install("pipeline"), f"npm install --global aws-cdk@{CDK_CLI}"],
            commands=[
                # Side by side, for neither needs the other; both have to pass.
                ".venv/bin/python -m pipeline.gates.unit & unit=$!; "
                f'PATH="$PWD/.venv/bin:$PATH" cdk synth --quiet {context}; synth=$?; '
                'wait "$unit" && [ "$synth" -eq 0 ]',
            ],
            # The CDK's own look at the templates repeats cfn-lint's, at half of what synthesis costs.
            env={"CDK_VALIDATION": "false"},
            primary_output_directory="cdk.out",
            partial_build_spec=codebuild.BuildSpec.from_object(
                {"reports": {"unit": {"files": ["unit.xml"], "base-directory": "reports"}}}
            ),
        )

    def _artifacts(self) -> s3.Bucket:
        key = kms.Key(self, "ArtifactKey", enable_key_rotation=True, description="Build artifacts")
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
                    expiration=Duration.days(90), noncurrent_version_expiration=Duration.days(7)
                )
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )
