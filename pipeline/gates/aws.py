"""Clients of AWS for gates, with short timeouts; and the time by AWS's clock."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config

from environments.schema import load_home

if TYPE_CHECKING:
    from datetime import datetime

# A gate that cannot reach AWS refuses within seconds, not after a minute of retries.
_CLIENT_CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})


def client(service: Literal["codepipeline", "kms", "s3", "ssm", "sts"]) -> Any:
    """Return a client of a service in the pipeline's own account and region."""
    return boto3.client(service, region_name=load_home().region, config=_CLIENT_CONFIG)


def assumed(
    role_arn: str,
    service: Literal["cloudformation", "cloudwatch", "lambda"],
    region: str,
    *,
    policy: str | None = None,
) -> Any:
    """Return a client of a service in another account, with the credentials of a role there.

    `policy` is a session policy, which limits the client to a part of the role's permissions.

    Raises:
        ClientError, BotoCoreError: AWS does not let this account assume the role.
    """
    limits = {"Policy": policy} if policy else {}
    answer = client("sts").assume_role(RoleArn=role_arn, RoleSessionName="pithead-gate", **limits)
    credentials = answer["Credentials"]
    return boto3.client(
        service,
        region_name=region,
        config=_CLIENT_CONFIG,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def answered_at(answer: dict[str, Any]) -> datetime:
    """Return AWS's time of an answer, because the clock of a build machine may be wrong."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
