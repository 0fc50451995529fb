"""The roles that a pipeline assumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from localcloud.codepipeline.definition_errors import DefinitionError
from localcloud.codepipeline.model import ActionError
from localcloud.core.credentials import Caller
from localcloud.iam.service_roles import RoleError, assume_service_role, check_service_role

if TYPE_CHECKING:
    from typing import Any

    from localcloud.codepipeline.model import Execution, Pipeline
    from localcloud.core.core import Core
    from localcloud.core.credentials import Session
    from localcloud.iam.access import Access


def check_roles(
    core: Core, access: Access, account: str, region: str, definition: dict[str, Any]
) -> None:
    """Check that the roles of a declaration can be assumed.

    AWS checks this when a pipeline is created or updated.

    Raises:
        DefinitionError: a role cannot be assumed. AWS's texts are in hashicorp/terraform#19264
            (the pipeline's role) and quickstart-trek10-serverless-enterprise-cicd#10 (an
            action's role).
    """
    own: str = definition["roleArn"]
    arn = f"arn:aws:codepipeline:{region}:{account}:{definition['name']}"
    try:
        check_service_role(access, own, "codepipeline.amazonaws.com", arn)
    except RoleError as error:
        raise DefinitionError(
            f"CodePipeline is not authorized to perform AssumeRole on role {own}",
            "InvalidStructureException",
        ) from error
    session = core.credentials.assume(own, definition["name"])
    caller = Caller(session.access_key, session.account, region, "sts")
    wanted = {
        each.get("roleArn") for stage in definition["stages"] for each in stage["actions"]
    } - {None, "", own}
    for role in sorted(wanted):
        if access.assumption(caller, role, {}) is not None:
            raise DefinitionError(
                f"{own} is not authorized to perform AssumeRole on role {role}",
                "InvalidStructureException",
            )


def assume(
    core: Core,
    access: Access,
    pipeline: Pipeline,
    execution: Execution,
    role: str | None,
    region: str,
) -> Session:
    """Assume the pipeline's role, and with it an action's or rule's own role if any.

    Raises:
        ActionError: one of the two roles cannot be assumed.
    """
    own: str = pipeline.definition["roleArn"]
    try:
        mine = assume_service_role(
            access, own, "codepipeline.amazonaws.com", execution.id, pipeline.arn
        )
    except RoleError as error:
        raise ActionError(
            f"CodePipeline is not authorized to perform AssumeRole on role {own}: {error}"
        ) from error
    if role in {None, "", own}:
        return mine
    try:
        given = core.client("sts", mine.account, region, mine).assume_role(
            RoleArn=role, RoleSessionName=execution.id
        )
    except ClientError as error:
        raise ActionError(error.response["Error"]["Message"]) from error
    session = core.credentials.session(given["Credentials"]["AccessKeyId"])
    assert session is not None  # noqa: S101  # issued above
    return session
