"""A CloudFormation template, and the questions that rules ask it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_IN_SUB = re.compile(r"\$\{(?P<name>[^!}.]+)(?P<attribute>\.[^}]*)?\}")


class TemplateError(Exception):
    """A document is no template."""


@dataclass(frozen=True)
class Resource:
    """One resource of a template, as it stands there."""

    logical_id: str
    type: str
    body: Mapping[str, Any]

    @cached_property
    def properties(self) -> dict[str, Any]:
        """Its properties; none where they are made by a function of the whole."""
        return mapping(self.body.get("Properties"))


@dataclass(frozen=True)
class Template:
    """The resources of a template by logical id, and its metadata."""

    resources: Mapping[str, Resource]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    transform: Any = None
    """The macros that CloudFormation applies to the whole of it."""

    @classmethod
    def of(cls, document: Any) -> Template:
        """Take a parsed template.

        Raises:
            TemplateError: it is none.
        """
        found = document.get("Resources") if isinstance(document, dict) else None
        if not isinstance(found, dict):
            raise TemplateError("found no table Resources")
        for logical_id, body in found.items():
            if not isinstance(body, dict) or not isinstance(body.get("Type"), str):
                raise TemplateError(f"Resources.{logical_id}: found no Type")
        resources = {key: Resource(key, body["Type"], body) for key, body in found.items()}
        return cls(resources, mapping(document.get("Metadata")), document.get("Transform"))

    def of_type(self, *types: str) -> Iterator[Resource]:
        """Its resources of these types."""
        return (each for each in self.resources.values() if each.type in types)

    def referenced(self, value: Any, type_: str) -> Resource | None:
        """The resource of this type that a value refers to, if it does to just one."""
        found = {each for each in references(value) if each in self.resources}
        named = [self.resources[each] for each in found if self.resources[each].type == type_]
        return named[0] if len(named) == 1 else None


def mapping(value: Any) -> dict[str, Any]:
    """A table as it is; nothing for what is none, or is made by a function (`Fn::If`)."""
    if not isinstance(value, dict) or _function(value):
        return {}
    return value


def listed(value: Any) -> list[Any]:
    """A list as it is, one thing as a list of it, nothing as an empty one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def number(value: Any) -> float | None:
    """A number, also one written as text; None for what is known only when it is deployed."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def text(value: Any) -> str:
    """A value as text, in which `${Id}` and `${Id.Attribute}` stand for what is not known yet.

    Values that CloudFormation would make the same have the same text, however they are joined.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        made = _made(*next(iter(value.items())))
        if made is not None:
            return made
    return canonical(value)


def canonical(value: Any) -> str:
    """A value as JSON, the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def references(value: Any) -> Iterator[str]:
    """All that a value refers to by `Ref`, `Fn::GetAtt` or `Fn::Sub`: logical ids, parameters."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref" and isinstance(inner, str):
                yield inner
            elif key == "Fn::GetAtt" and inner:
                yield str(inner[0] if isinstance(inner, list) else inner).split(".")[0]
            elif key == "Fn::Sub":
                yield from _substituted(inner)
            else:
                yield from references(inner)


def _function(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


def _made(function: str, argument: Any) -> str | None:
    """What a function makes, as text; None for one that is not simply put together."""
    if function == "Ref" and isinstance(argument, str):
        return f"${{{argument}}}"
    if function == "Fn::GetAtt":
        return f"${{{'.'.join(map(text, listed(argument)))}}}"
    if function == "Fn::Join" and isinstance(argument, list):
        separator, parts = (*argument, None, None)[:2]
        if isinstance(separator, str) and isinstance(parts, list):
            return separator.join(map(text, parts))
    if function == "Fn::Sub":
        template, values = _sub(argument)
        return _IN_SUB.sub(
            lambda found: text(values[found["name"]]) if found["name"] in values else found[0],
            template,
        )
    return None


def _substituted(argument: Any) -> Iterator[str]:
    template, values = _sub(argument)
    yield from (each["name"] for each in _IN_SUB.finditer(template) if each["name"] not in values)
    yield from references(list(values.values()))


def _sub(argument: Any) -> tuple[str, dict[str, Any]]:
    template, *rest = listed(argument) or [""]
    values = rest[0] if rest and isinstance(rest[0], dict) else {}
    return (template if isinstance(template, str) else canonical(template)), values
