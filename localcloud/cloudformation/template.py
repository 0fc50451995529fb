"""Templates: read, checked, and put in order."""

from __future__ import annotations

import json
from graphlib import CycleError, TopologicalSorter
from typing import Any

import yaml

_SECTIONS = {
    "AWSTemplateFormatVersion", "Conditions", "Description", "Hooks", "Mappings", "Metadata",
    "Outputs", "Parameters", "Resources", "Rules", "Transform",
}  # fmt: skip


class TemplateError(Exception):
    """A template that CloudFormation would not take; the message is AWS's, or in its style."""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms (`!Ref`, `!GetAtt a.b`, `!Sub` …)."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]  # a mapping
    if suffix in {"Ref", "Condition"}:
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def parse(text: str) -> dict[str, Any]:
    """Read a template, JSON or YAML.

    Raises:
        TemplateError: it is malformed, or has a part that this cloud cannot honour.
    """
    try:
        template = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0]
        raise TemplateError(f"Template format error: {first}") from error
    if not isinstance(template, dict):
        raise TemplateError("Template format error: unsupported structure.")
    unknown = template.keys() - _SECTIONS
    if unknown:
        raise TemplateError(
            f"Invalid template property or properties [{', '.join(sorted(unknown))}]"
        )
    resources = template.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    for logical_id, resource in resources.items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise TemplateError(
                f"Template format error: [/Resources/{logical_id}] resource definition is malformed"
            )
    if "Transform" in template:
        raise TemplateError(f"Transform {template['Transform']} is not part of the local cloud")
    order(resources)
    return template


def references(value: Any) -> set[str]:
    """Every name that a value refers to by Ref, GetAtt or Sub."""
    if isinstance(value, list):
        return set().union(*(references(item) for item in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, inner in value.items():
        if key == "Ref" and isinstance(inner, str):
            found.add(inner)
        elif key == "Fn::GetAtt":
            found.add(inner[0] if isinstance(inner, list) else str(inner).split(".", 1)[0])
            found |= references(inner)
        elif key == "Fn::Sub":
            text = inner if isinstance(inner, str) else inner[0]
            found |= {name.split(".", 1)[0] for name in _variables(text)}
            found |= references(inner)
        else:
            found |= references(inner)
    return found


def _variables(text: str) -> list[str]:
    return [
        part.split("}", 1)[0]
        for part in text.split("${")[1:]
        if "}" in part and not part.startswith("!")
    ]


def order(resources: dict[str, Any]) -> list[str]:
    """Logical ids so that each comes behind all that it depends on.

    Raises:
        TemplateError: a reference leads nowhere (AWS's words), or in a circle.
    """
    graph: dict[str, set[str]] = {}
    for logical_id, resource in resources.items():
        explicit = resource.get("DependsOn", [])
        needed = {explicit} if isinstance(explicit, str) else set(explicit)
        missing = needed - resources.keys()
        if missing:
            raise TemplateError(
                "Template format error: Unresolved resource dependencies "
                f"[{', '.join(sorted(missing))}] in the Resources block of the template"
            )
        parts = [resource.get("Properties"), resource.get("UpdatePolicy")]
        graph[logical_id] = needed | (references(parts) & resources.keys())
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise TemplateError(f"Circular dependency between resources: [{circle}]") from error
