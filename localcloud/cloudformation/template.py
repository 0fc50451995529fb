"""Templates: parsing, references, and the order of resources."""

from __future__ import annotations

import json
import re
from graphlib import CycleError, TopologicalSorter
from typing import Any

import yaml

from localcloud.core import strict_json

_SECTIONS = {
    "AWSTemplateFormatVersion", "Conditions", "Description", "Hooks", "Mappings", "Metadata",
    "Outputs", "Parameters", "Resources", "Rules", "Transform",
}  # fmt: skip
_VARIABLE = re.compile(r"\$\{(?!!)\s*([^}]*?)\s*\}")
DYNAMIC = re.compile(r"\{\{resolve:([a-z-]+):([^}]+)\}\}")
"""A dynamic reference; its groups are the service and the reference."""


class TemplateError(Exception):
    """CloudFormation rejects the template; the message is AWS's, or in its style."""


class _Loader(yaml.SafeLoader):
    """Loads YAML with CloudFormation's short forms (`!Ref`, `!GetAtt a.b`, `!Sub` …).

    A date stays a string, such as the `Version: 2012-10-17` of policies.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  # as in the base class
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


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


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Load a mapping; reject repeated keys, which YAML forbids and PyYAML accepts."""
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the name {key.value!r} is repeated", problem_mark=key.start_mark
                )
            seen.add(key.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _short_form)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _read(text: str) -> Any:
    """Parse a template's text as JSON or YAML.

    Raises:
        TemplateError: it is neither; the text is AWS's.
    """
    if text.lstrip().startswith("{"):
        try:
            return strict_json.parse(text, unique=True)
        except json.JSONDecodeError as error:
            where = f"(line {error.lineno}, column {error.colno})"
            raise TemplateError(f"Template format error: JSON not well-formed. {where}") from error
        except ValueError as error:
            raise TemplateError(
                f"Template format error: JSON not well-formed. ({error})"
            ) from error
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"(line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise TemplateError(f"Template format error: YAML not well-formed. {where}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TemplateError(f"Template format error: YAML not well-formed. ({error})") from error
    finally:
        loader.dispose()


def parse(text: str) -> dict[str, Any]:
    """Parse a template, JSON or YAML, and check its structure.

    Raises:
        TemplateError: it is malformed, or the local cloud does not support a part of it.
    """
    template = _read(text)
    if not isinstance(template, dict):
        raise TemplateError("Template format error: unsupported structure.")
    unknown = {str(name) for name in template} - _SECTIONS
    if unknown:
        raise TemplateError(
            f"Invalid template property or properties [{', '.join(sorted(unknown))}]"
        )
    for name in _SECTIONS - {"AWSTemplateFormatVersion", "Description", "Transform"}:
        if not isinstance(template.get(name, {}), dict):
            raise TemplateError(f"Template format error: Every {name} object must be an object.")
    resources = template.get("Resources")
    if not resources:
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    for logical_id, resource in resources.items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise TemplateError(
                f"Template format error: [/Resources/{logical_id}] resource definition is malformed"
            )
    if template.get("Transform"):
        raise TemplateError(f"Transform {template['Transform']} is not part of the local cloud")
    order(resources)
    return template


def references(value: Any) -> set[str]:
    """Return every name that a value refers to by Ref, GetAtt or Sub."""
    return {name for name, _ in mentions(value)}


def mentions(value: Any) -> set[tuple[str, str]]:
    """Return every name that a value refers to, with its attribute or ""."""
    if isinstance(value, list):
        return set().union(*map(mentions, value))
    if not isinstance(value, dict):
        return set()
    found: set[tuple[str, str]] = set()
    for key, inner in value.items():
        if key == "Ref" and isinstance(inner, str):
            found.add((inner, ""))
        elif key == "Fn::GetAtt":
            name, attribute = attribute_of(inner)
            found.add((name, attribute if isinstance(attribute, str) else ""))
            found |= mentions(attribute)
        elif key == "Fn::Sub":
            text, own = (inner, {}) if isinstance(inner, str) else (inner[0], inner[1])
            for variable in _VARIABLE.findall(text):
                if variable not in own:
                    name, _, attribute = variable.partition(".")
                    found.add((name, attribute))
            found |= mentions(own)
        else:
            found |= mentions(inner)
    return found


def attribute_of(argument: Any) -> tuple[str, Any]:
    """Return logical id and attribute of an `Fn::GetAtt`, in either of its two forms.

    Raises:
        TemplateError: it has neither form.
    """
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[0], str):  # noqa: PLR2004  # a separator and a list
        raise TemplateError(
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the "
            "resource name and the resource attribute"
        )
    return parts[0], parts[1]


def dependencies(definition: dict[str, Any], resources: dict[str, Any]) -> list[str]:
    """Return the logical ids that a resource depends on, sorted."""
    explicit = definition.get("DependsOn", [])
    named = {explicit} if isinstance(explicit, str) else set(explicit)
    parts = [definition.get("Properties"), definition.get("UpdatePolicy")]
    return sorted(named | (references(parts) & resources.keys()))


def order(resources: dict[str, Any]) -> list[str]:
    """Sort logical ids so that each follows its dependencies; the order is stable.

    Raises:
        TemplateError: a `DependsOn` names no resource (AWS's text), or dependencies are circular.
    """
    graph = {name: dependencies(each, resources) for name, each in resources.items()}
    missing = {name for needed in graph.values() for name in needed} - resources.keys()
    if missing:
        raise unresolved(missing, "Resources")
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise TemplateError(f"Circular dependency between resources: [{circle}]") from error


def unresolved(names: set[str], block: str) -> TemplateError:
    """Return the error for references to missing names."""
    return TemplateError(
        f"Template format error: Unresolved resource dependencies [{', '.join(sorted(names))}] "
        f"in the {block} block of the template"
    )
