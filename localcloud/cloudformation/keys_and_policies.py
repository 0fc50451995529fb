"""KMS keys and managed policies: the operations that moto's models lack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.moto.policy_rules import check_key_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_TYPE, POLICY_TYPE = "AWS::KMS::Key", "AWS::IAM::ManagedPolicy"
_MAX_POLICY_VERSIONS = 5


def check_key(account: str, properties: Mapping[str, Any]) -> None:
    """Check a key's policy as KMS does.

    Raises:
        JsonRESTError: MalformedPolicyDocumentException.
    """
    bypass = str(properties.get("BypassPolicyLockoutSafetyCheck")).lower() == "true"
    check_key_policy(account, properties["KeyPolicy"], bypass=bypass)


def key_properties(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return a key's properties in the shape of the KMS API, as moto expects them."""
    made = {**properties, "KeyPolicy": json.dumps(properties["KeyPolicy"])}
    if "Tags" in properties:
        made["Tags"] = [
            {"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties["Tags"]
        ]
    return made


def update_key(key: Any, properties: Mapping[str, Any]) -> None:
    """Update a key in place, with the properties that `key_properties` returns."""
    key.policy = properties["KeyPolicy"]
    key.description = properties.get("Description", "")
    key.key_rotation_status = bool(properties.get("EnableKeyRotation"))


def update_policy(policy: Any, document: Any) -> None:
    """Create a default version of a policy; if it is full, delete the oldest version."""
    if len(policy.versions) == _MAX_POLICY_VERSIONS:
        oldest = next(each for each in policy.versions if not each.is_default)
        policy.backend.delete_policy_version(policy.arn, oldest.version_id)
    policy.backend.create_policy_version(policy.arn, json.dumps(document), set_as_default=True)


def delete_policy(policy: Any, roles: list[str]) -> None:
    """Detach a managed policy from the roles that its template names, and delete it.

    Raises:
        DeleteConflictException: it is attached to something else.
    """
    for role in list(policy.backend.roles.values()):
        if role.name in roles and policy.arn in role.managed_policies:
            policy.backend.detach_role_policy(policy.arn, role.name)
    policy.backend.delete_policy(policy.arn)
