"""AWS's limits on IAM policies and SSM parameters where moto accepts more.

"IAM and AWS STS quotas" of the IAM user guide (white space does not count), and "Managing
parameter tiers" of the Systems Manager user guide.
"""

from __future__ import annotations

from typing import Any

import localcloud.moto.imports  # noqa: F401  # imports moto's SSM, without EC2
from localcloud.core import strict_json
from localcloud.moto.checks import install

from moto.iam.exceptions import (  # isort: skip
    LimitExceededException,
    MalformedPolicyDocument,
    ValidationError,
)
from moto.iam.models import IAMBackend  # isort: skip
from moto.ssm.exceptions import ValidationException  # isort: skip
from moto.ssm.models import SimpleSystemManagerBackend  # isort: skip

_MANAGED_CHARACTERS = 6144
_INLINE_CHARACTERS = 10_240
"""Of all inline policies of a role together."""
_TRUST_CHARACTERS = 2048
_ROLE_NAME_CHARACTERS = 64
_POLICIES_PER_ROLE = 10
_PARAMETER_CHARACTERS = {"Standard": 4096, "Advanced": 8192, "Intelligent-Tiering": 8192}


def limit_sizes() -> None:
    """Make moto reject what AWS rejects as too large, in requests and templates."""
    install(
        (
            (IAMBackend, "create_policy", _check_managed),
            (IAMBackend, "create_policy_version", _check_managed),
            (IAMBackend, "create_role", _check_trust),
            (IAMBackend, "create_role", _check_role_name),
            (IAMBackend, "update_assume_role_policy", _check_trust),
            (IAMBackend, "put_role_policy", _check_inline),
            (IAMBackend, "attach_role_policy", _check_attachments),
            (SimpleSystemManagerBackend, "put_parameter", _check_parameter),
        )
    )


def _check_managed(given: dict[str, Any]) -> None:
    _check_json(given["policy_document"])
    if _characters(given["policy_document"]) > _MANAGED_CHARACTERS:
        raise LimitExceededException(f"Cannot exceed quota for PolicySize: {_MANAGED_CHARACTERS}")


def _check_trust(given: dict[str, Any]) -> None:
    text = given.get("policy_document") or given.get("assume_role_policy_document")
    _check_json(text)
    if _characters(text) > _TRUST_CHARACTERS:
        raise LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {_TRUST_CHARACTERS}")


def _check_role_name(given: dict[str, Any]) -> None:
    name = given["role_name"]
    if len(name) > _ROLE_NAME_CHARACTERS:
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at 'roleName' failed to satisfy "
            f"constraint: Member must have length less than or equal to {_ROLE_NAME_CHARACTERS}"
        )


def _check_attachments(given: dict[str, Any]) -> None:
    attached = given["self"].get_role(given["role_name"]).managed_policies
    if len(attached) >= _POLICIES_PER_ROLE and given["policy_arn"] not in attached:
        raise LimitExceededException(
            f"Cannot exceed quota for PoliciesPerRole: {_POLICIES_PER_ROLE}"
        )


def _check_inline(given: dict[str, Any]) -> None:
    _check_json(given["policy_json"])
    name = given["role_name"]
    kept = given["self"].get_role(name).policies
    others = sum(_characters(text) for each, text in kept.items() if each != given["policy_name"])
    if others + _characters(given["policy_json"]) > _INLINE_CHARACTERS:
        raise LimitExceededException(
            f"Maximum policy size of {_INLINE_CHARACTERS} bytes exceeded for role {name}"
        )


def _check_json(text: Any) -> None:
    try:
        strict_json.parse(str(text), unique=True)
    except ValueError as error:
        raise MalformedPolicyDocument("This policy contains invalid Json") from error


def _check_parameter(given: dict[str, Any]) -> None:
    tier = given.get("tier") or "Standard"
    most = _PARAMETER_CHARACTERS.get(tier, _PARAMETER_CHARACTERS["Standard"])
    if len(given.get("value") or "") > most:
        raise ValidationException(
            f"{tier} tier parameters support a maximum parameter value of {most} characters."
        )


def _characters(text: Any) -> int:
    return len("".join(str(text).split()))
