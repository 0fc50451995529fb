"""Values and types of a template's parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation.limits import check_parameter
from localcloud.cloudformation.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SSM = "AWS::SSM::Parameter::Value<"
_BOUNDS: tuple[tuple[str, Callable[[str, Any], bool], str], ...] = (
    ("MinLength", lambda value, bound: len(value) >= int(bound), "contain at least {} characters"),
    ("MaxLength", lambda value, bound: len(value) <= int(bound), "contain at most {} characters"),
    ("MinValue", lambda value, bound: float(value) >= float(bound), "be at least {}"),
    ("MaxValue", lambda value, bound: float(value) <= float(bound), "be at most {}"),
    (
        "AllowedPattern",
        lambda value, bound: re.fullmatch(bound, value) is not None,
        "match pattern {}",
    ),
    (
        "AllowedValues",
        lambda value, bound: value in {str(each) for each in bound},
        "be one of AllowedValues: {}",
    ),
)


def parameter_values(
    template: dict[str, Any], given: list[dict[str, Any]], before: Mapping[str, Any]
) -> dict[str, str]:
    """Return the value of each parameter: the given, previous or default one.

    `given` is in the API's shape, `before` holds the previous values by name.

    Raises:
        TemplateError: a parameter has no value or a value that is not allowed, or is unknown.
    """
    declared: dict[str, Any] = template.get("Parameters", {})
    by_name = {each["ParameterKey"]: each for each in given}
    unknown = sorted(by_name.keys() - declared.keys())
    if unknown:
        raise TemplateError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values: dict[str, Any] = {}
    for name, definition in declared.items():
        entry = by_name.get(name, {"ParameterValue": definition.get("Default")})
        if entry.get("UsePreviousValue"):
            entry = {"ParameterValue": before.get(name, definition.get("Default"))}
        values[name] = entry.get("ParameterValue")
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise TemplateError(f"Parameters: [{', '.join(missing)}] must have values")
    texts = {name: _text(value) for name, value in values.items()}
    for name, value in texts.items():
        check_parameter(name, value)
        _check(name, value, declared[name])
    return texts


def reference_values(
    template: dict[str, Any], values: Mapping[str, str], stored: Callable[[str], str]
) -> dict[str, Any]:
    """Return what `Ref` returns for each parameter, by name.

    `stored` reads the Parameter Store.

    Raises:
        TemplateError: `stored` raises it.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        kind = template.get("Parameters", {}).get(name, {}).get("Type", "String")
        if kind.startswith(_SSM):
            kind, value = kind.removeprefix(_SSM)[:-1], stored(value)  # noqa: PLW2901  # continue with the inner type
        is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
        found[name] = [part.strip() for part in value.split(",")] if is_list else value
    return found


def no_echo_parameters(template: dict[str, Any]) -> set[str]:
    """Return the names of the parameters with `NoEcho`."""
    declared: dict[str, Any] = template.get("Parameters", {})
    return {name for name, each in declared.items() if str(each.get("NoEcho")).lower() == "true"}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(name: str, value: str, definition: dict[str, Any]) -> None:
    if definition["Type"] == "Number" and not re.fullmatch(r"[+-]?\d+(\.\d+)?", value):
        raise TemplateError(f"Parameter '{name}' must be a number")
    for constraint, holds, said in _BOUNDS:
        if constraint in definition and not holds(value, definition[constraint]):
            described = definition.get("ConstraintDescription")
            raise TemplateError(
                f"Parameter '{name}' failed to satisfy constraint: {described}"
                if described
                else f"Parameter '{name}' must {said.format(definition[constraint])}"
            )
