"""Overrides of the supply-chain gate: an SSM parameter of the pipeline's account.

`pithead override` writes the parameter; the gate reads it when its audit could not run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from pipeline.gates import aws
from pipeline.gates.report.result import CouldNotRunError
from pipeline.names import OVERRIDE_PARAMETER

if TYPE_CHECKING:
    from datetime import datetime

MAX_DURATION = timedelta(days=7)
"""How far ahead an override may expire, by AWS's clock."""
MIN_REASON_CHARACTERS, MAX_REASON_CHARACTERS = 3, 500
NEXT_STEP = (
    "run `pithead release` again when the advisory service answers; if the release cannot wait, "
    'run `pithead override supply-chain --for 7d --reason "…"`'
)


class Override(BaseModel):
    """Who suppresses the refusal of an audit that could not run, why, and until when."""

    until: AwareDatetime
    reason: Annotated[
        str, Field(min_length=MIN_REASON_CHARACTERS, max_length=MAX_REASON_CHARACTERS)
    ]
    by: Annotated[str, Field(min_length=1)]

    def problem_at(self, now: datetime) -> str | None:
        """Return why it does not apply at a time; None if it applies."""
        if self.until <= now:
            return f"expired at {self.until.isoformat()}"
        if self.until > now + MAX_DURATION:
            return f"lasts until {self.until.isoformat()}; {MAX_DURATION.days} days are allowed"
        return None


@dataclass(frozen=True)
class _Found:
    """A parameter's value, and the time by AWS's clock."""

    value: str
    now: datetime


def granted(failure: CouldNotRunError) -> Override:
    """Return the override that suppresses a failure.

    Raises:
        CouldNotRunError: there is no override, or it does not apply; the next step is to set one.
    """
    try:
        found = _read()
    except CouldNotRunError as unread:
        raise _refusal(f"{failure}; {unread}") from failure
    if found is None:
        raise _refusal(str(failure)) from failure
    try:
        override = Override.model_validate_json(found.value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "value"
        raise _refusal(
            f"{failure}; and the override in {OVERRIDE_PARAMETER} is malformed: "
            f"{key}: {first['msg']}"
        ) from error
    problem = override.problem_at(found.now)
    if problem:
        raise _refusal(f"{failure}; and the override in {OVERRIDE_PARAMETER} {problem}")
    return override


def _refusal(message: str) -> CouldNotRunError:
    return CouldNotRunError(message, next_step=NEXT_STEP)


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
