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


def answered_at(answer: dict[str, Any]) -> datetime:
    """AWS's time of an answer; a builder's own clock may be wrong."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
