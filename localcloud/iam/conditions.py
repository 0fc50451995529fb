"""Condition operators of IAM policies.

Sources, in the IAM User Guide: "IAM JSON policy elements: Condition operators" and "Set operators
for multivalued context keys". A key that a request does not have makes a negated operator true
and any other false.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from localcloud.iam import patterns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud.iam.patterns import Context

_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}


class UnknownOperatorError(ValueError):
    """A condition operator that IAM does not have."""


class InvalidValueError(ValueError):
    """A value that its condition operator cannot compare."""


@dataclass(frozen=True)
class _Kind:
    matches: Callable[[str, str], bool]
    """Whether a policy's value matches a request's."""
    negated: bool = False
    variables: bool = False
    """Whether the values may hold policy variables, which are replaced before the comparison."""
    check: Callable[[str], Any] = str
    """Raises ValueError on a value that the operator does not accept."""


def _string(policy: str, value: str) -> bool:
    return patterns.literal(policy) == value


def _ignore_case(policy: str, value: str) -> bool:
    return patterns.literal(policy).lower() == value.lower()


def _like(policy: str, value: str) -> bool:
    return patterns.wildcard(policy).fullmatch(value) is not None


def _arn(policy: str, value: str) -> bool:
    return patterns.arn(policy).fullmatch(value) is not None


def _bool(policy: str, value: str) -> bool:
    return policy.lower() == value.lower()


def _binary(policy: str, value: str) -> bool:
    return _decoded(policy) == _decoded(value)


@lru_cache(maxsize=4096)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


def _ip(policy: str, value: str) -> bool:
    return ipaddress.ip_address(value) in _network(policy)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _boolean(text: str) -> str:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text


@lru_cache(maxsize=4096)
def _moment(text: str) -> float:
    """Seconds since the epoch of an ISO 8601 date or of a number."""
    try:
        return float(text)
    except ValueError:
        parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _compared(
    compare: Callable[[float, float], bool], read: Callable[[str], float]
) -> Callable[[str, str], bool]:
    # A policy says `NumericLessThan: {key: limit}`: the request's value is the left operand.
    return lambda policy, value: compare(read(value), read(policy))


def _kinds() -> dict[str, _Kind]:
    kinds: dict[str, _Kind] = {}
    for name, matches in {
        "StringEquals": _string,
        "StringEqualsIgnoreCase": _ignore_case,
        "StringLike": _like,
        "ArnEquals": _arn,
        "ArnLike": _arn,
    }.items():
        stem, opposite = ("String", "StringNot") if name[0] == "S" else ("Arn", "ArnNot")
        kinds[name] = _Kind(matches, variables=True)
        kinds[name.replace(stem, opposite)] = _Kind(matches, negated=True, variables=True)
    families: dict[str, Callable[[str], float]] = {"Numeric": float, "Date": _moment}
    for family, read in families.items():
        for name, compare in _COMPARISONS.items():
            kinds[family + name] = _Kind(_compared(compare, read), check=read)
        equal = _compared(operator.eq, read)
        kinds[f"{family}NotEquals"] = _Kind(equal, negated=True, check=read)
    kinds["Bool"] = _Kind(_bool, variables=True)
    kinds["BinaryEquals"] = _Kind(_binary, check=_decoded)
    kinds["IpAddress"] = _Kind(_ip, check=_network)
    kinds["NotIpAddress"] = _Kind(_ip, negated=True, check=_network)
    kinds["Null"] = _Kind(_bool, check=_boolean)
    return kinds


_KINDS = _kinds()
OPERATORS = tuple(_KINDS)
"""The operators without set prefix and `IfExists`."""


class Condition:
    """One operator on one key, with the values of which it accepts any.

    `variables` is false in a policy of version 2008-10-17, which has no policy variables.

    Raises:
        UnknownOperatorError: IAM has no such operator.
        InvalidValueError: a value is of another type than the operator's.
    """

    def __init__(
        self, operator_: str, key: str, values: Sequence[str], *, variables: bool = True
    ) -> None:
        found = _OPERATOR.fullmatch(operator_)
        kind = _KINDS.get(found[2]) if found else None
        if found is None or kind is None or (found[2] == "Null" and (found[1] or found[3])):
            raise UnknownOperatorError(operator_)
        self.name, self.key = key, key.lower()
        self._set, self._name, self._if_exists = found[1], found[2], bool(found[3])
        self._kind = kind
        self._variable = [each for each in values if _replaced(each, kind, variables)]
        self._fixed = [
            _verbatim(each, kind) for each in values if not _replaced(each, kind, variables)
        ]
        for each in self._fixed:
            try:
                kind.check(each)
            except ValueError as error:
                raise InvalidValueError(f"{operator_} of {key}: {each}") from error

    def holds(self, context: Context) -> bool:
        """Whether a request meets the condition."""
        values = context.get(self.key) or None
        if self._name == "Null":
            return any((values is None) == (each.lower() == "true") for each in self._fixed)
        if values is None:
            return self._if_exists or self._set == "ForAllValues" or self._absent()
        if self._set == "ForAllValues":
            return all(self._matches(each, context) for each in values)
        if self._set == "ForAnyValue" or not self._kind.negated:
            return any(self._matches(each, context) for each in values)
        return all(self._matches(each, context) for each in values)

    def _absent(self) -> bool:
        return self._kind.negated and self._set is None

    def _matches(self, value: str, context: Context) -> bool:
        """Whether one value of the request meets the operator, its negation included."""
        return self._listed(value, context) != self._kind.negated

    def _listed(self, value: str, context: Context) -> bool:
        return any(self._equals(each, value) for each in self._fixed) or any(
            self._equals(each, value) for each in _resolved(self._variable, context)
        )

    def _equals(self, policy: str, value: str) -> bool:
        try:
            return self._kind.matches(policy, value)
        except ValueError:  # the request's value is of another type
            return False


def _replaced(value: str, kind: _Kind, variables: bool) -> bool:
    return variables and kind.variables and patterns.has_variables(value)


def _verbatim(value: str, kind: _Kind) -> str:
    """A value of a policy without variables, in which `${` has no meaning."""
    return value.replace("${", "${$}{") if kind.variables else value


def _resolved(values: Sequence[str], context: Context) -> list[str]:
    found = []
    for each in values:
        try:
            found.append(patterns.resolve(each, context))
        except patterns.UnresolvedVariableError:
            continue
    return found
