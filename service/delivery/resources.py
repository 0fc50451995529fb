"""The resources of the files API: a bucket with its key, and the permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from pipeline.delivery.stacks.resources import Resources
from pipeline.names import SYNTHETIC

if TYPE_CHECKING:
    from aws_cdk import Stack


def create(stack: Stack) -> Resources:
    """Create the bucket in the service's stack of an environment."""
    key = kms.Key(
        stack,
        "Key",
        enable_key_rotation=True,
        description="Files at rest",
        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    )
    bucket = s3.Bucket(
        stack,
        "Files",
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        enforce_ssl=True,
        versioned=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        lifecycle_rules=[
            s3.LifecycleRule(
                noncurrent_version_expiration=Duration.days(30),
                abort_incomplete_multipart_upload_after=Duration.days(1),
            ),
            # Each journey writes and deletes a file; listings slow down with each delete marker.
            s3.LifecycleRule(
                prefix=f"{SYNTHETIC}/",
                noncurrent_version_expiration=Duration.days(1),
                expired_object_delete_marker=True,
            ),
        ],
        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    )
    return Resources({"BUCKET": bucket.bucket_name}, _access(bucket, key))


def _access(bucket: s3.Bucket, key: kms.Key) -> list[iam.PolicyStatement]:
    """Return the permissions of `service.app.storage`.

    Without `ListBucket`, a missing file is a 403.
    """
    return [
        iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket.bucket_arn]),
        iam.PolicyStatement(
            actions=["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            resources=[bucket.arn_for_objects("*")],
        ),
        iam.PolicyStatement(
            actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key.key_arn]
        ),
    ]
