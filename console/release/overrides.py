"""Overrides of the supply-chain gate: grant, read and withdraw them.

They are a parameter of the Parameter Store, which the gate reads
(pipeline/gates/supply_chain/override.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import ValidationError

from pipeline.gates.aws import answered_at
from pipeline.gates.supply_chain.override import Override
from pipeline.names import OVERRIDE_PARAMETER

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from console.aws.account import Aws


@dataclass(frozen=True)
class Found:
    """The current value of the override's parameter."""

    override: Override | None
    """None if it is malformed."""
    problem: str | None
    """Why the gate does not apply it; None if it does."""
    now: datetime
    """AWS's time of the answer."""


def grant(aws: Aws, *, lasts: timedelta, reason: str, by: str) -> Override:
    """Set an override that expires after a duration of AWS's clock.

    Replaces an earlier override. Records `by`, followed by the ARN of the caller.
    """
    caller = aws.client("sts").get_caller_identity()
    override = Override(
        until=answered_at(caller) + lasts, reason=reason, by=f"{by} ({caller['Arn']})"
    )
    aws.client("ssm").put_parameter(
        Name=OVERRIDE_PARAMETER,
        Value=override.model_dump_json(),
        Type="String",
        Overwrite=True,
    )
    return override


def current(aws: Aws) -> Found | None:
    """Return the override that is set; None if none is."""
    try:
        answer = aws.client("ssm").get_parameter(Name=OVERRIDE_PARAMETER)
    except ClientError as error:
        if _is_missing(error):
            return None
        raise
    now = answered_at(answer)
    try:
        override = Override.model_validate_json(answer["Parameter"]["Value"])
    except ValidationError as error:
        return Found(None, f"is malformed: {error.errors()[0]['msg']}", now)
    return Found(override, override.problem_at(now), now)


def withdraw(aws: Aws) -> bool:
    """Delete the override; returns whether one was set."""
    try:
        aws.client("ssm").delete_parameter(Name=OVERRIDE_PARAMETER)
    except ClientError as error:
        if _is_missing(error):
            return False
        raise
    return True


def _is_missing(error: ClientError) -> bool:
    return bool(error.response["Error"]["Code"] == "ParameterNotFound")
