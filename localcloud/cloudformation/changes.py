"""What a change set would change, before anything is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.cloudformation.template import TemplateError, parse, references

if TYPE_CHECKING:
    from localcloud.cloudformation.intrinsics import Resolver
    from localcloud.cloudformation.model import Stack

NO_CHANGES = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)
_UNSAID = object()


def differences(
    stack: Stack, wanted: dict[str, Any], parameters: dict[str, Any], resolver: Resolver
) -> list[dict[str, Any]]:
    """The `Changes` of a change set, in AWS's shape; empty when every resource stays as it is."""
    old = parse(stack.template)["Resources"] if stack.resources else {}
    moved = {
        name
        for name in parameters.keys() | stack.parameters.keys()
        if parameters.get(name, _UNSAID) != stack.parameters.get(name, _UNSAID)
    }
    changes = []
    for logical_id, definition in wanted["Resources"].items():
        if not resolver.holds(definition):
            continue
        current = stack.resources.get(logical_id)
        if current is None:
            changes.append(_change("Add", logical_id, definition["Type"]))
        elif definition != old.get(logical_id) or references(definition) & moved:
            changes.append(_modified(logical_id, definition, current.physical_id, resolver))
    kept = {name for name, each in wanted["Resources"].items() if resolver.holds(each)}
    changes += [
        _change("Remove", logical_id, each.type, each.physical_id)
        for logical_id, each in stack.resources.items()
        if logical_id not in kept
    ]
    return changes


def _modified(
    logical_id: str, definition: dict[str, Any], physical_id: str, resolver: Resolver
) -> dict[str, Any]:
    replacement = "False"
    try:
        resolver.value(definition.get("Properties", {}))
    except TemplateError:
        replacement = "Conditional"  # a value is known only when another resource exists
    return _change("Modify", logical_id, definition["Type"], physical_id, replacement)


def _change(
    action: str, logical_id: str, type_name: str, physical_id: str = "", replacement: str = ""
) -> dict[str, Any]:
    change = {
        "Action": action,
        "LogicalResourceId": logical_id,
        "ResourceType": type_name,
        "Scope": ["Properties"] if action == "Modify" else [],
        "Details": [],
    }
    if physical_id:
        change["PhysicalResourceId"] = physical_id
    if replacement:
        change["Replacement"] = replacement
    return {"Type": "Resource", "ResourceChange": change}
