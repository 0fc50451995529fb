"""Who lets an audit that could not run go by: an SSM parameter of the pipeline's account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from pipeline.gates import aws
from pipeline.gates.gate import CouldNotRunError
from pipeline.names import OVERRIDE_PARAMETER

if TYPE_CHECKING:
    from datetime import datetime


class Override(BaseModel):
    """Who lets an audit that could not run go by, why, and until when."""

    until: AwareDatetime
    reason: Annotated[str, Field(min_length=3)]
    by: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class _Found:
    """A parameter's value at the AWS service's own time."""

    value: str
    now: datetime


def granted(failure: CouldNotRunError) -> Override:
    """The override that lets a failure go by.

    Raises:
        CouldNotRunError: the failure itself where nobody has set one; or why it does not hold.
    """
    try:
        found = _read()
    except CouldNotRunError as unread:
        raise CouldNotRunError(f"{failure}; {unread}") from failure
    if found is None:
        raise failure
    try:
        override = Override.model_validate_json(found.value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "value"
        raise CouldNotRunError(
            f"{failure}; and the override in {OVERRIDE_PARAMETER} is malformed: "
            f"{key}: {first['msg']}"
        ) from error
    if override.until <= found.now:
        raise CouldNotRunError(
            f"{failure}; and the override in {OVERRIDE_PARAMETER} expired at "
            f"{override.until.isoformat()}"
        ) from failure
    return override


def _read() -> _Found | None:
    try:
        answer = aws.client("ssm").get_parameter(Name=OVERRIDE_PARAMETER)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return None
        raise CouldNotRunError(f"the override could not be read: {error}") from error
    except BotoCoreError as error:
        raise CouldNotRunError(f"the override could not be read: {error}") from error
    return _Found(answer["Parameter"]["Value"], aws.answered_at(answer))
