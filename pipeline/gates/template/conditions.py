"""Classify the conditions of a policy statement: restricting, or naming callers.

"IAM JSON policy elements: Condition operators" defines each operator.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.gates.template.template import listed, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterable

_PREFIX = re.compile(r"^(ForAllValues:|ForAnyValue:)")
_ANY_TEXT = re.compile(r"\*+")
_ANY_ARN = re.compile(r"arn:(\*:)+\*|\*+")
_EVERY_ADDRESS = {"0.0.0.0/0", "::/0"}
_CALLER_KEY = re.compile(
    r"aws:(Source(Arn|Account|Vpc|Vpce|Ip|VpcArn|OrgID|OrgPaths|Owner|Identity)"
    r"|VpcSourceIp|Principal(Arn|Account|OrgID|OrgPaths|Tag/.*|ServiceName|ServiceNamesList"
    r"|IsAWSService|Type)|userid|username|FederatedProvider)"
    r"|kms:(CallerAccount|ViaService)|[\w.-]+:(aud|sub|amr|SourceArn|SourceAccount|"
    r"PrincipalOrgID|EventSourceToken)|(SourceArn|SourceAccount|PrincipalOrgID|EventSourceToken)",
    re.IGNORECASE,
)
"""Condition keys that identify the caller or the caller's network."""


def restricting(condition: Any) -> frozenset[str]:
    """Return the conditions of a statement as text, without those that every request satisfies."""
    return frozenset(
        f"{operator} {key} {text(value)}"
        for operator, stated in mapping(condition).items()
        for key, value in mapping(stated).items()
        if not _is_always_true(operator, value)
    )


def names_caller(conditions: Iterable[str]) -> bool:
    """Return whether one of these conditions (see `restricting`) limits the callers.

    A condition that only excludes some callers does not.
    """
    return any(_narrows(each) for each in conditions)


def _narrows(condition: str) -> bool:
    operator, _, rest = condition.partition(" ")
    key = operator if _CALLER_KEY.fullmatch(operator) else rest.partition(" ")[0]
    negated = "Not" in operator or operator.endswith("IfExists") or operator == "Null"
    return bool(_CALLER_KEY.fullmatch(key)) and not negated


def _is_always_true(operator: str, value: Any) -> bool:
    plain = _PREFIX.sub("", operator).removesuffix("IfExists")
    values = [text(each) for each in listed(value)]
    if plain in {"StringLike", "ArnLike", "ArnEquals"}:
        pattern = _ANY_TEXT if plain == "StringLike" else _ANY_ARN
        return any(pattern.fullmatch(each) for each in values)
    if plain == "Bool":
        return {each.lower() for each in values} == {"true", "false"}
    if plain == "IpAddress":
        return any(each in _EVERY_ADDRESS for each in values)
    # The presence of a key does not restrict its value.
    return plain == "Null" and {each.lower() for each in values} == {"false"}
