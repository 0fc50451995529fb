"""The roles that a pipeline works with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from localcloud.codepipeline.model import ActionError
from localcloud.roles import RoleError, assume_service_role

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.codepipeline.model import Execution, Pipeline
    from localcloud.credentials import Session


def assume(
    cloud: Cloud, pipeline: Pipeline, execution: Execution, role: str | None, region: str
) -> Session:
    """Credentials of the pipeline's role, and with these of an action's or a rule's own.

    Raises:
        ActionError: one of the two cannot be assumed.
    """
    own: str = pipeline.definition["roleArn"]
    try:
        mine = assume_service_role(
            cloud, own, "codepipeline.amazonaws.com", execution.id, pipeline.arn
        )
    except RoleError as error:
        raise ActionError(
            f"CodePipeline is not authorized to perform AssumeRole on role {own}: {error}"
        ) from error
    if role in {None, "", own}:
        return mine
    try:
        given = cloud.client("sts", mine.account, region, mine).assume_role(
            RoleArn=role, RoleSessionName=execution.id
        )
    except ClientError as error:
        raise ActionError(error.response["Error"]["Message"]) from error
    session = cloud.credentials.session(given["Credentials"]["AccessKeyId"])
    assert session is not None  # noqa: S101  # it was given out this moment
    return session
