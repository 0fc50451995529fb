"""Bucket policies, as far as moto enforces them.

moto holds a statement whose condition is not met for a denial. CDK's bootstrap and `enforce_ssl`
deny what comes without TLS, so that every request to a loopback endpoint would be refused:
statements with a condition are kept and shown, and not enforced.
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
    """Let moto enforce those statements of bucket policies that have no condition."""
    FakeBucket.get_permission = _permission  # type: ignore[method-assign,assignment]  # moto has no port for it
