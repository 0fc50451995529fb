"""Log retention: days, as CloudFormation takes them, by the CDK's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from constructs import Construct

_RETENTION_BY_DAYS = {
    1: "ONE_DAY", 3: "THREE_DAYS", 5: "FIVE_DAYS", 7: "ONE_WEEK", 14: "TWO_WEEKS",
    30: "ONE_MONTH", 60: "TWO_MONTHS", 90: "THREE_MONTHS", 120: "FOUR_MONTHS",
    150: "FIVE_MONTHS", 180: "SIX_MONTHS", 365: "ONE_YEAR", 400: "THIRTEEN_MONTHS",
    545: "EIGHTEEN_MONTHS", 731: "TWO_YEARS", 1096: "THREE_YEARS", 1827: "FIVE_YEARS",
}  # fmt: skip


def log_group(scope: Construct, construct_id: str, days: int) -> logs.LogGroup:
    """Create a log group with a retention in days; it is deleted with its stack."""
    return logs.LogGroup(
        scope,
        construct_id,
        retention=logs.RetentionDays[_RETENTION_BY_DAYS[days]],
        removal_policy=RemovalPolicy.DESTROY,
    )
