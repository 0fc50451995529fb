"""Parse event patterns and match events.

Sources: "Creating EventBridge event patterns" and "Comparison operators" in the user guide.
"""

from __future__ import annotations

import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_MISSING = object()
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, limit: value == limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
_MAX_NUMBER = 5_000_000_000


class PatternError(ValueError):
    """EventBridge would reject the pattern; the message is the reason."""


def parse(text: str) -> dict[str, Any]:
    """Parse and check a pattern.

    Raises:
        PatternError: the pattern is invalid.
    """
    try:
        pattern = json.loads(text)
    except ValueError as error:
        raise PatternError("it is not JSON") from error
    if not isinstance(pattern, dict):
        raise PatternError("Filter is not an object")
    _check(pattern)
    return pattern


def matches(pattern: dict[str, Any], event: Any) -> bool:
    """Return whether an event matches a pattern from `parse`."""
    for key, wanted in pattern.items():
        if key == "$or" and isinstance(wanted, list):
            if not any(matches(each, event) for each in wanted):
                return False
            continue
        value = event.get(key, _MISSING) if isinstance(event, dict) else _MISSING
        if isinstance(wanted, dict):
            # In an array of objects, one object must match the whole pattern.
            inner = value if isinstance(value, list) else [value]
            if not any(matches(wanted, each) for each in inner):
                return False
        elif not _leaf(wanted, value):
            return False
    return True


def _leaf(alternatives: list[Any], value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(_alternative(each, found) for each in alternatives for found in values)


def _alternative(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, dict):
        return _equal(wanted, value)
    [(operator, argument)] = wanted.items()
    if operator == "exists":
        return (value is not _MISSING and not isinstance(value, dict)) is argument
    if value is _MISSING or isinstance(value, dict):
        return False
    if operator == "anything-but":
        return _anything_but(argument, value)
    if operator == "numeric":
        return _numeric(argument, value)
    return isinstance(value, str) and _TEXT[operator](argument, value)


def _equal(wanted: Any, value: Any) -> bool:
    # 1, 1.0 and true are different values.
    return type(wanted) is type(value) and bool(wanted == value)


def _anything_but(argument: Any, value: Any) -> bool:
    if isinstance(argument, dict):
        [(operator, inner)] = argument.items()
        unwanted = inner if isinstance(inner, list) else [inner]
        return not (
            isinstance(value, str) and any(_TEXT[operator](each, value) for each in unwanted)
        )
    unwanted = argument if isinstance(argument, list) else [argument]
    return not any(_equal(each, value) for each in unwanted)


def _numeric(argument: list[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return all(
        _COMPARISONS[operator](value, limit)
        for operator, limit in zip(argument[::2], argument[1::2], strict=True)
    )


def _affix(argument: Any, value: str, test: Callable[[str, str], bool]) -> bool:
    if isinstance(argument, dict):
        return test(value.casefold(), argument["equals-ignore-case"].casefold())
    return test(value, argument)


def _cidr(argument: str, value: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(argument, strict=False)
    except ValueError:
        return False


def _wildcard(argument: str, value: str) -> bool:
    # A backslash escapes the next character.
    parts = re.findall(r"\\.|\*|[^\\*]+", argument, re.DOTALL)
    expression = "".join(
        ".*" if part == "*" else re.escape(part[1:] if part[0] == "\\" else part) for part in parts
    )
    return re.fullmatch(expression, value, re.DOTALL) is not None


_TEXT: dict[str, Callable[[Any, str], bool]] = {
    "prefix": lambda argument, value: _affix(argument, value, str.startswith),
    "suffix": lambda argument, value: _affix(argument, value, str.endswith),
    "equals-ignore-case": lambda argument, value: argument.casefold() == value.casefold(),
    "wildcard": _wildcard,
    "cidr": _cidr,
}
_NEGATED = {"prefix", "suffix", "equals-ignore-case", "wildcard"}


def _check(pattern: dict[str, Any]) -> None:
    if not pattern:
        raise PatternError("Empty objects are not allowed")
    for key, wanted in pattern.items():
        if key == "$or" and isinstance(wanted, list):
            if len(wanted) < 2 or not all(isinstance(each, dict) for each in wanted):  # noqa: PLR2004  # AWS's minimum
                raise PatternError("$or takes an array of at least two objects")
            for each in wanted:
                _check(each)
        elif isinstance(wanted, dict):
            _check(wanted)
        elif not isinstance(wanted, list):
            raise PatternError(f'"{key}" must be an object or an array')
        elif not wanted:
            raise PatternError("Empty arrays are not allowed")
        else:
            for each in wanted:
                _check_alternative(each)


def _check_alternative(wanted: Any) -> None:
    if isinstance(wanted, list):
        raise PatternError("Match value must be String, number, true, false, or null")
    if not isinstance(wanted, dict):
        return
    if len(wanted) != 1:
        raise PatternError("Only one key allowed in match expression")
    [(operator, argument)] = wanted.items()
    if operator == "exists":
        _require(isinstance(argument, bool), "exists match pattern must be either true or false.")
    elif operator == "anything-but":
        _check_anything_but(argument)
    elif operator == "numeric":
        _check_numeric(argument)
    elif operator in _TEXT:
        _check_text(operator, argument)
    else:
        raise PatternError(f"Unrecognized match type {operator}")


def _check_text(operator: str, argument: Any) -> None:
    if operator in {"prefix", "suffix"} and isinstance(argument, dict):
        _require(argument.keys() == {"equals-ignore-case"}, f"Unsupported anything in {operator}")
        argument = argument["equals-ignore-case"]
    _require(isinstance(argument, str), f"{operator} match pattern must be a string")
    if operator == "cidr":
        try:
            ipaddress.ip_network(argument, strict=False)
        except ValueError as error:
            raise PatternError(f"Malformed CIDR, {error}") from error
    if operator == "wildcard":
        _require("**" not in re.sub(r"\\.", "x", argument), "Consecutive wildcard characters")
        _require(
            re.fullmatch(r"(?:\\[\\*]|[^\\])*", argument, re.DOTALL) is not None,
            "Invalid escape character",
        )


def _check_anything_but(argument: Any) -> None:
    if isinstance(argument, dict):
        _require(
            len(argument) == 1 and argument.keys() <= _NEGATED,
            f"Unsupported anything-but pattern: {', '.join(argument)}",
        )
        [(operator, inner)] = argument.items()
        for each in inner if isinstance(inner, list) else [inner]:
            _require(isinstance(each, str), f"{operator} of anything-but must be a string")
            _check_text(operator, each)
        return
    listed = argument if isinstance(argument, list) else [argument]
    _require(bool(listed), "Empty arrays are not allowed")
    _require(
        all(isinstance(each, str | int | float) for each in listed),
        "Value of anything-but must be an array or single string/number value.",
    )


def _check_numeric(argument: Any) -> None:
    _require(
        isinstance(argument, list) and len(argument) in {2, 4},
        "Value of numeric must be an array of an operator and a number, once or twice.",
    )
    for operator, limit in zip(argument[::2], argument[1::2], strict=True):
        _require(operator in _COMPARISONS, f"Unrecognized numeric range operator: {operator}")
        _require(
            isinstance(limit, int | float)
            and not isinstance(limit, bool)
            and -_MAX_NUMBER <= limit <= _MAX_NUMBER,
            f"Value of {operator} must be numeric, within plus or minus 5.0E9",
        )


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise PatternError(reason)
