"""Wildcards and policy variables of policy elements.

Sources, in the IAM User Guide: "IAM JSON policy elements: Resource" (`*` at the end of an ARN's
segment also matches beyond its colon, any other wildcard stays within the segment), "IAM policy
elements: Variables and tags".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Context = Mapping[str, Sequence[str]]
    """The condition keys of a request, by their names in lower case."""

_ARN_PARTS = 6
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_SPECIAL = {"*": "*", "?": "?", "$": "$"}
_DEFAULT = re.compile(r"\s*([^\s,]+)\s*,\s*'(.*)'\s*", re.DOTALL)


class UnresolvedVariableError(Exception):
    """A policy variable without a single value in the request."""


@lru_cache(maxsize=65536)
def wildcard(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Compile a pattern in which `*` matches any characters and `?` one."""
    return re.compile(_translated(pattern, ".*", "."), _flags(ignore_case=ignore_case))


@lru_cache(maxsize=65536)
def resource(pattern: str) -> re.Pattern[str]:
    """Compile an element of `Resource`."""
    parts = _split(pattern)
    if len(parts) < _ARN_PARTS:
        return re.compile(_translated_segments(parts), re.DOTALL)
    *segments, last = parts
    return re.compile(_translated_segments(segments) + ":" + _translated(last), re.DOTALL)


@lru_cache(maxsize=65536)
def arn(pattern: str) -> re.Pattern[str]:
    """Compile a value of `ArnLike`: six parts, each matched separately."""
    *segments, last = _split(pattern)
    if len(segments) < _ARN_PARTS - 1:
        return re.compile("(?!)")
    inside = [_translated(each, "[^:]*", "[^:]") for each in segments]
    return re.compile(":".join([*inside, _translated(last)]), re.DOTALL)


def has_variables(text: str) -> bool:
    """Whether a text contains a policy variable."""
    return "${" in text


def resolve(text: str, context: Context) -> str:
    """Replace the policy variables of a text; a wildcard in a value is escaped as `${*}` is.

    Raises:
        UnresolvedVariableError: a variable is absent from the request or has several values.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name in _SPECIAL:
            return f"${{{name}}}"
        default = _DEFAULT.fullmatch(name)
        values = context.get((default[1] if default else name).lower(), ())
        if len(values) == 1:
            return _escaped(values[0])
        if default is None or values:
            raise UnresolvedVariableError(name)
        return _escaped(default[2])

    return _VARIABLE.sub(value, text)


def literal(text: str) -> str:
    """Replace `${*}`, `${?}` and `${$}` by the characters that they stand for."""
    return _VARIABLE.sub(lambda found: _SPECIAL.get(found[1], found[0]), text)


def matches_any(
    patterns: Sequence[str],
    value: str,
    context: Context,
    compile_: Callable[[str], re.Pattern[str]],
) -> bool:
    """Whether one of the patterns matches after its variables are replaced."""
    for each in patterns:
        try:
            pattern = resolve(each, context)
        except UnresolvedVariableError:
            continue
        if compile_(pattern).fullmatch(value):
            return True
    return False


def _split(pattern: str) -> list[str]:
    """Split an ARN pattern at its first five colons; a variable may hold a colon."""
    parts: list[str] = []
    current, index = "", 0
    while index < len(pattern):
        found = _VARIABLE.match(pattern, index)
        if found:
            current += found[0]
            index = found.end()
            continue
        if pattern[index] == ":" and len(parts) < _ARN_PARTS - 1:
            parts.append(current)
            current = ""
        else:
            current += pattern[index]
        index += 1
    return [*parts, current]


def _translated_segments(segments: Sequence[str]) -> str:
    return ":".join(
        _translated(each[:-1], "[^:]*", "[^:]") + ".*"
        if each.endswith("*")
        else _translated(each, "[^:]*", "[^:]")
        for each in segments
    )


def _translated(pattern: str, many: str = ".*", one: str = ".") -> str:
    expression, index = "", 0
    while index < len(pattern):
        found = _VARIABLE.match(pattern, index)
        if found and found[1] in _SPECIAL:
            expression += re.escape(_SPECIAL[found[1]])
            index = found.end()
            continue
        character = pattern[index]
        expression += {"*": many, "?": one}.get(character) or re.escape(character)
        index += 1
    return expression


def _escaped(value: str) -> str:
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", value)


def _flags(*, ignore_case: bool) -> re.RegexFlag:
    return re.DOTALL | re.IGNORECASE if ignore_case else re.DOTALL
