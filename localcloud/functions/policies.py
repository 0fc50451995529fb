"""Resource-based policies: who else may invoke a function, a version or an alias."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.functions.configuration import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_UNSUPPORTED = (
    "EventSourceToken", "FunctionUrlAuthType", "InvokedViaFunctionUrl", "PrincipalOrgID",
)  # fmt: skip
_INVOKE = {"lambda:InvokeFunction", "lambda:*", "*"}


def statement(resource: str, identifier: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The statement that AddPermission or `AWS::Lambda::Permission` adds for a resource's ARN.

    Raises:
        ApiError: InvalidParameterValueException for a condition that is not judged here.
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


def allows(statements: Iterable[Mapping[str, Any]], principal: str, source_arn: str) -> bool:
    """Whether a statement lets the principal invoke on behalf of the source.

    `principal` is a service such as `apigateway.amazonaws.com`, an account or an ARN.
    """
    wanted = _principal(principal)
    return any(
        each["Action"] in _INVOKE
        and each["Principal"] in ("*", wanted)
        and _holds(each.get("Condition", {}), source_arn)
        for each in statements
    )


def _principal(principal: str) -> Any:
    if principal == "*":
        return "*"
    if principal.endswith((".amazonaws.com", ".amazon.com")):
        return {"Service": principal}
    if re.fullmatch(r"\d{12}", principal):
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    return {"AWS": principal}


def _holds(conditions: Mapping[str, Any], source_arn: str) -> bool:
    pattern = conditions.get("ArnLike", {}).get("AWS:SourceArn")
    if pattern is not None and not _arn_like(pattern, source_arn):
        return False
    account = conditions.get("StringEquals", {}).get("AWS:SourceAccount")
    return account is None or source_arn.split(":")[4:5] == [account]


def _arn_like(pattern: str, arn: str) -> bool:
    """`ArnLike`: each of the six parts by itself, `*` for any characters and `?` for one."""
    wanted, found = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(found) and all(
        re.fullmatch(re.escape(part).replace(r"\*", ".*").replace(r"\?", "."), other)
        for part, other in zip(wanted, found, strict=True)
    )
