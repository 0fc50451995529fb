"""Resource-based policies: who else may invoke a function, a version or an alias.

`localcloud.iam` decides by them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.functions.configuration import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNSUPPORTED = (
    "EventSourceToken", "FunctionUrlAuthType", "InvokedViaFunctionUrl", "PrincipalOrgID",
)  # fmt: skip


def statement(resource: str, identifier: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The statement that AddPermission or `AWS::Lambda::Permission` adds for a resource's ARN.

    Raises:
        ApiError: InvalidParameterValueException for a condition that is not decided here.
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


def _principal(principal: str) -> Any:
    if principal == "*":
        return "*"
    if principal.endswith((".amazonaws.com", ".amazon.com")):
        return {"Service": principal}
    if re.fullmatch(r"\d{12}", principal):
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    return {"AWS": principal}
