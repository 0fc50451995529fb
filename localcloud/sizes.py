"""AWS's limits on IAM policies and SSM parameters where moto accepts more.

"IAM and AWS STS quotas" of the IAM user guide (white space does not count), and "Managing
parameter tiers" of the Systems Manager user guide.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

import localcloud.moto_parts  # noqa: F401  # imports moto's SSM, without EC2
from localcloud import strict_json

from moto.iam.exceptions import LimitExceededException, MalformedPolicyDocument  # isort: skip
from moto.iam.models import IAMBackend  # isort: skip
from moto.ssm.exceptions import ValidationException  # isort: skip
from moto.ssm.models import SimpleSystemManagerBackend  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[dict[str, Any]], None]

_MANAGED_CHARACTERS = 6144
_INLINE_CHARACTERS = 10_240
"""Of all inline policies of a role together."""
_TRUST_CHARACTERS = 2048
_PARAMETER_CHARACTERS = {"Standard": 4096, "Advanced": 8192, "Intelligent-Tiering": 8192}


def limit_sizes() -> None:
    """Make moto reject what AWS rejects as too large, in requests and templates."""
    for backend, name, check in (
        (IAMBackend, "create_policy", _check_managed),
        (IAMBackend, "create_policy_version", _check_managed),
        (IAMBackend, "create_role", _check_trust),
        (IAMBackend, "update_assume_role_policy", _check_trust),
        (IAMBackend, "put_role_policy", _check_inline),
        (SimpleSystemManagerBackend, "put_parameter", _check_parameter),
    ):
        operation = getattr(backend, name)
        # Once a process, however many clouds it starts.
        if not hasattr(operation, "__wrapped__"):
            setattr(backend, name, _checked(operation, check))


def _checked(operation: Callable[..., Any], check: Check) -> Callable[..., Any]:
    signature = inspect.signature(operation)

    @wraps(operation)
    def checked(*arguments: Any, **named: Any) -> Any:
        check(signature.bind(*arguments, **named).arguments)
        return operation(*arguments, **named)

    return checked


def _check_managed(given: dict[str, Any]) -> None:
    _check_json(given["policy_document"])
    if _characters(given["policy_document"]) > _MANAGED_CHARACTERS:
        raise LimitExceededException(f"Cannot exceed quota for PolicySize: {_MANAGED_CHARACTERS}")


def _check_trust(given: dict[str, Any]) -> None:
    text = given.get("policy_document") or given.get("assume_role_policy_document")
    _check_json(text)
    if _characters(text) > _TRUST_CHARACTERS:
        raise LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {_TRUST_CHARACTERS}")


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
