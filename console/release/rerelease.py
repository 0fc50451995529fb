"""The permission to release a rolled back version again, in the judge's bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.aws.deployed import deployed
from console.errors import ConsoleError
from pipeline.gates.aws import answered_at
from pipeline.judge.statistics.condemnation import Permission, permission_key, text
from pipeline.names import again_role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.aws.account import Aws, Place
    from console.release.promotion import Outcome


def permit_rerelease(
    aws: Aws, environments: Mapping[str, Place], outcome: Outcome, reason: str
) -> Permission:
    """Write the permission for the version that was rolled back, and return it.

    The permission lifts the judge's condemnation, if there is one. After a rollback by a guard
    rail, the bake or a person, it only records who releases the version again, and why.

    Raises:
        ConsoleError: no judge has a record of the version, or the role cannot be assumed.
    """
    canary = outcome.canary
    digest = canary.record.version_digest if canary and canary.record else ""
    service = (
        deployed(aws, canary.environment, environments[canary.environment]) if canary else None
    )
    if canary is None or not digest or service is None or service.decisions is None:
        raise ConsoleError(
            f"--again: found no judge's record of the version of {outcome.commit[:7]} that was "
            'rolled back. Run git commit --allow-empty -m "Release again: REASON" && pithead '
            "release"
        )
    caller = aws.client("sts").get_caller_identity()
    permission = Permission(digest, answered_at(caller), caller["Arn"], reason)
    aws.client("s3", service.place, role=again_role(canary.environment)).put_object(
        Bucket=service.decisions, Key=permission_key(digest), Body=text(permission).encode()
    )
    return permission
