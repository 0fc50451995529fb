"""Read a CloudFormation template: its resources, their references, and values as text."""

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
    """A document is no CloudFormation template."""


@dataclass(frozen=True)
class Resource:
    """One resource of a template."""

    logical_id: str
    type: str
    body: Mapping[str, Any]

    @cached_property
    def properties(self) -> dict[str, Any]:
        """Return its properties; empty if a function generates them as a whole."""
        return mapping(self.body.get("Properties"))


@dataclass(frozen=True)
class Template:
    """The resources of a template by logical id, and its metadata."""

    resources: Mapping[str, Resource]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    transform: Any = None
    """The macros that CloudFormation applies to the whole template."""

    @classmethod
    def of(cls, document: Any) -> Template:
        """Read a parsed template.

        Raises:
            TemplateError: the document is no template.
        """
        found = document.get("Resources") if isinstance(document, dict) else None
        if not isinstance(found, dict):
            raise TemplateError("Resources: found no object; the key is required")
        for logical_id, body in found.items():
            if not isinstance(body, dict) or not isinstance(body.get("Type"), str):
                raise TemplateError(f"Resources.{logical_id}: found no Type; the key is required")
        resources = {key: Resource(key, body["Type"], body) for key, body in found.items()}
        return cls(resources, mapping(document.get("Metadata")), document.get("Transform"))

    def of_type(self, *types: str) -> Iterator[Resource]:
        """Yield the resources of these types."""
        return (each for each in self.resources.values() if each.type in types)

    def referenced(self, value: Any, type_: str) -> Resource | None:
        """Return the only resource of a type that a value refers to; None if there is none."""
        found = {each for each in references(value) if each in self.resources}
        named = [self.resources[each] for each in found if self.resources[each].type == type_]
        return named[0] if len(named) == 1 else None


def mapping(value: Any) -> dict[str, Any]:
    """Return an object; an empty one for any other value and for a function such as `Fn::If`."""
    if not isinstance(value, dict) or _function(value):
        return {}
    return value


def listed(value: Any) -> list[Any]:
    """Return a list; a list with the value for any other value; an empty list for None."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def number(value: Any) -> float | None:
    """Return a number, which may be text; None for a value that is known only at deployment."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def text(value: Any) -> str:
    """Return a value as text, with `${Id}` and `${Id.Attribute}` for references.

    Values that are equal at deployment have the same text, whichever functions generate them.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        made = _made(*next(iter(value.items())))
        if made is not None:
            return made
    return canonical(value)


def canonical(value: Any) -> str:
    """Return a value as JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def references(value: Any) -> Iterator[str]:
    """Yield the logical ids and parameters that a value refers to by `Ref`, `GetAtt` or `Sub`."""
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
    """Return the text that a function generates; None for a function that is not supported."""
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
