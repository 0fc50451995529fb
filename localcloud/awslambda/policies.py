"""Resource-based policies of functions, versions and aliases.

`localcloud.iam` evaluates them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from localcloud.awslambda.configuration import invalid
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_UNSUPPORTED = (
    "EventSourceToken", "FunctionUrlAuthType", "InvokedViaFunctionUrl", "PrincipalOrgID",
)  # fmt: skip
_MAX_POLICY_BYTES = 20_480
_PRINCIPAL_PATTERN = (
    r"\d{12}|[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws|amazon)\.com"
    r"|arn:aws:iam::\d{12}:(root|(role|user)/[\w+=,.@/-]+)"
)


def statement(resource: str, identifier: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement of AddPermission or `AWS::Lambda::Permission`.

    Raises:
        ApiError: InvalidParameterValueException for a condition that is not supported.
    """
    for parameter in _UNSUPPORTED:
        if parameters.get(parameter):
            raise invalid(f"Permission {identifier}: {parameter} is not part of the local cloud")
    made: dict[str, Any] = {
        "Sid": identifier,
        "Effect": "Allow",
        "Principal": _principal(parameters["Principal"]),
        "Action": parameters["Action"],
        "Resource": resource,
    }
    conditions: dict[str, Any] = {}
    if parameters.get("SourceAccount"):
        conditions["StringEquals"] = {"AWS:SourceAccount": parameters["SourceAccount"]}
    if parameters.get("SourceArn"):
        conditions["ArnLike"] = {"AWS:SourceArn": parameters["SourceArn"]}
    return made | ({"Condition": conditions} if conditions else {})


def document(statements: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of a policy with these statements."""
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": list(statements)}
    return json.dumps(policy, separators=(",", ":"))


def check_size(statements: Iterable[Mapping[str, Any]]) -> None:
    """Check the size of a policy ("Lambda quotas").

    Raises:
        ApiError: PolicyLengthExceededException.
    """
    size = len(document(statements).encode())
    if size > _MAX_POLICY_BYTES:
        raise ApiError(
            "PolicyLengthExceededException",
            f"The final policy size ({size}) is bigger than the limit ({_MAX_POLICY_BYTES}).",
        )


def check_principal(principal: str, has_role: Callable[[str], bool]) -> None:
    """Check a principal: `*`, an account, a role or user, or a service.

    `has_role` returns whether the role of an ARN exists.

    Raises:
        ApiError: InvalidParameterValueException (Pocket/terraform-modules#1037).
    """
    valid = principal == "*" or re.fullmatch(_PRINCIPAL_PATTERN, principal)
    if not valid or (":role/" in principal and not has_role(principal)):
        raise invalid(
            "The provided principal was invalid. Please check the principal and try again."
        )


def _principal(principal: str) -> Any:
    if principal == "*":
        return "*"
    if principal.endswith((".amazonaws.com", ".amazon.com")):
        return {"Service": principal}
    if re.fullmatch(r"\d{12}", principal):
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    return {"AWS": principal}
