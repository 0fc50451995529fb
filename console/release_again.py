"""Records that someone releases a commit again after its rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.aws import answered_at
from pipeline.release_again import Again, parameter_name

if TYPE_CHECKING:
    from console.aws import Aws

_MAX_REASON_CHARACTERS = 1000  # a standard parameter of SSM holds 4 KB


def record_again(aws: Aws, commit: str, reason: str) -> Again:
    """Write the record to SSM in the pipeline's account, and return it."""
    caller = aws.client("sts").get_caller_identity()
    again = Again(commit, reason[:_MAX_REASON_CHARACTERS], caller["Arn"], answered_at(caller))
    aws.client("ssm").put_parameter(
        Name=parameter_name(commit), Value=again.text(), Type="String", Overwrite=True
    )
    return again
