"""How a gate asks AWS: briefly, and by AWS's clock."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config

from environments.schema import load_home

if TYPE_CHECKING:
    from datetime import datetime

# A gate that cannot ask refuses within seconds, not after a minute of retries.
_BRIEFLY = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})


def client(service: Literal["codepipeline", "kms", "s3", "ssm", "sts"]) -> Any:
    """A client of a service in the pipeline's own account and region."""
    return boto3.client(service, region_name=load_home().region, config=_BRIEFLY)


def assumed(
    role_arn: str,
    service: Literal["cloudformation", "cloudwatch", "lambda"],
    region: str,
    *,
    policy: str | None = None,
) -> Any:
    """A client of a service in another account, as a role there that lets this account in.

    `policy` limits what the client may do to less than the role may.

    Raises:
        ClientError, BotoCoreError: it does not.
    """
    limited = {"Policy": policy} if policy else {}
    given = client("sts").assume_role(RoleArn=role_arn, RoleSessionName="pithead-gate", **limited)
    credentials = given["Credentials"]
    return boto3.client(
        service,
        region_name=region,
        config=_BRIEFLY,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def answered_at(answer: dict[str, Any]) -> datetime:
    """AWS's time of an answer; a builder's own clock may be wrong."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
