"""Code signing: how the Build signs, and which signatures Lambda requires.

The Build signs with the profile that its pipeline was deployed with. A changed profile in
pyproject.toml applies once the pipeline has updated itself, which restarts the execution.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from pipeline.builds.code_signing import BUCKET

if TYPE_CHECKING:
    from aws_cdk import Stack
    from aws_cdk import aws_s3 as s3


@dataclass(frozen=True)
class Signing:
    """Additions to a build that signs its bundles before synthesis."""

    commands: list[str] = field(default_factory=list)
    context: dict[str, str] = field(default_factory=dict)
    """Context keys of the synthesis."""
    env: dict[str, str] = field(default_factory=dict)
    statements: list[iam.PolicyStatement] = field(default_factory=list)


def signing(profile: str | None, platform: str, bucket: s3.IBucket) -> Signing:
    """Return the additions to the build; empty without a signing profile version.

    The bucket is the pipeline's artifact bucket, which each build may read and write.
    """
    if profile is None:
        return Signing()
    unversioned, version = profile.rsplit("/", 1)
    jobs = f"{profile.partition('/')[0]}/signing-jobs/*"  # each signing job has a new id
    return Signing(
        commands=[f".venv/bin/python -m pipeline.builds.code_signing {profile} {platform}"],
        context={"signed": profile},
        env={BUCKET: bucket.bucket_name},
        statements=[
            iam.PolicyStatement(
                actions=["signer:StartSigningJob"],
                resources=[unversioned],
                conditions={"StringEquals": {"signer:ProfileVersion": version}},
            ),
            iam.PolicyStatement(
                actions=["signer:DescribeSigningJob"],
                resources=[jobs],
            ),
        ],
    )


def require(stack: Stack, profile: str) -> None:
    """Require a signature by one profile version for every function of a stack.

    CDK's own `CodeSigningConfig` would look for the profile in the stack's account.
    """
    config = lambda_.CfnCodeSigningConfig(
        stack,
        # A new version creates a new configuration: a rollback restores the previous one with its
        # code.
        f"CodeSigning{profile.rsplit('/', 1)[1]}",
        allowed_publishers=lambda_.CfnCodeSigningConfig.AllowedPublishersProperty(
            signing_profile_version_arns=[profile]
        ),
        code_signing_policies=lambda_.CfnCodeSigningConfig.CodeSigningPoliciesProperty(
            untrusted_artifact_on_deployment="Enforce"
        ),
    )
    for each in stack.node.find_all():
        if isinstance(each, lambda_.CfnFunction):
            each.code_signing_config_arn = config.attr_code_signing_config_arn
