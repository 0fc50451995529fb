"""Bucket policies, as far as moto enforces them.

moto treats a statement whose condition is not met as a denial. CDK's bootstrap and `enforce_ssl`
deny requests without TLS, so moto would deny every request to a loopback endpoint. Statements with
a condition are stored and returned, and `localcloud.iam` evaluates them in place of moto.
"""

from __future__ import annotations

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket


def _permission(bucket: FakeBucket, action: str, resource: str) -> Any:
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(bucket.policy)
    stated = policy["Statement"]
    statements = [stated] if isinstance(stated, dict) else stated
    policy["Statement"] = [each for each in statements if "Condition" not in each]
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)


def enforce_unconditional_statements() -> None:
    """Make moto enforce only the statements of bucket policies that have no condition."""
    FakeBucket.get_permission = _permission  # type: ignore[method-assign,assignment]  # moto has no port for it
