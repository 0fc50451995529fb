"""Code signing as the stacks know it: what the Build does, and what Lambda then asks for.

A Build signs by the profile that its pipeline was deployed with. Another one in pyproject.toml
holds as soon as the pipeline has changed itself, which makes the execution begin again.
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
    """What a build has more, whose bundles are to be signed before they are synthesised."""

    commands: list[str] = field(default_factory=list)
    context: dict[str, str] = field(default_factory=dict)
    """Of its synthesis."""
    env: dict[str, str] = field(default_factory=dict)
    statements: list[iam.PolicyStatement] = field(default_factory=list)


def signing(profile: str | None, platform: str, bucket: s3.IBucket) -> Signing:
    """What there is to do; nothing without a signing profile's version.

    The bucket is the pipeline's own, which each of its builds may read and write.
    """
    if profile is None:
        return Signing()
    unversioned, version = profile.rsplit("/", 1)
    jobs = f"{profile.partition('/')[0]}/signing-jobs/*"  # the id of each is made anew
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
    """Have Lambda take code by a profile's version alone, in every function of a stack.

    CDK's own `CodeSigningConfig` would look for the profile in the stack's account.
    """
    config = lambda_.CfnCodeSigningConfig(
        stack,
        # A new version is a new configuration: a rollback finds the one before with its code.
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
