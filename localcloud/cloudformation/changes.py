"""The changes of a change set, computed before its execution."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation.intrinsics import NotCreatedError
from localcloud.cloudformation.template import TemplateError, mentions, order

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloudformation.intrinsics import Resolver
    from localcloud.cloudformation.model import Stack, StackResource
    from localcloud.core.providers import Provider, Resource, ResourceRequest

NO_CHANGES = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)
_COMPARED_ATTRIBUTES = ("Metadata", "DeletionPolicy", "UpdateReplacePolicy")
_UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"
"""AWS's placeholder for a value that another resource's change decides."""


class Plan:
    """Compares a template, its functions resolved, with the stack's resources.

    `made` holds the resources that the resolver sees. A resource that is added or replaced is
    removed from it, so that values which depend on it become unknown.
    """

    def __init__(
        self,
        stack: Stack,
        resolver: Resolver,
        made: dict[str, Resource],
        provider: Callable[[str], Provider],
        request: Callable[[StackResource, dict[str, Any]], ResourceRequest],
    ) -> None:
        self._stack = stack
        self._before: dict[str, Any] = json.loads(stack.template).get("Resources", {})
        self._resolver = resolver
        self._made = made
        self._provider = provider
        self._request = request

    def changes(self, template: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the `Changes` of a change set in AWS's shape; empty if nothing changes.

        Raises:
            TemplateError: a value cannot be resolved, or the type of a resource changes.
        """
        wanted = template["Resources"]
        changes = []
        kept = set()
        for logical_id in order(wanted):
            definition = wanted[logical_id]
            if not self._resolver.holds(definition):
                continue
            kept.add(logical_id)
            current = self._stack.resources.get(logical_id)
            if current is None:
                changes.append(_change("Add", logical_id, definition["Type"]))
            elif current.type != definition["Type"]:
                raise TemplateError(
                    "Update of resource type is not permitted. The new template modifies resource "
                    f"type of the following resources: [{logical_id}]"
                )
            elif modified := self._modified(current, definition):
                changes.append(modified)
        changes += [
            _change("Remove", each.logical_id, each.type, each.physical_id)
            for each in self._stack.resources.values()
            if each.logical_id not in kept
        ]
        return changes

    def _modified(
        self, current: StackResource, definition: dict[str, Any]
    ) -> dict[str, Any] | None:
        before = current.properties
        wanted = definition.get("Properties") or {}
        self._resolver.references = dict(current.references)
        after = self._values(wanted)
        if after != before:
            self._resolver.references = {}
            after = self._values(wanted)
        names = sorted(
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        )
        scope = ["Properties"] if names else []
        if self._value(definition.get("UpdatePolicy") or {}) != current.update_policy:
            scope.append("UpdatePolicy")
        said = self._before.get(current.logical_id, {})
        scope += [name for name in _COMPARED_ATTRIBUTES if said.get(name) != definition.get(name)]
        if not scope:
            return None
        details = [self._detail(current, name, after, wanted.get(name)) for name in names]
        known = {
            name: before.get(name) if value == _UNKNOWN else value for name, value in after.items()
        }
        known = {name: value for name, value in known.items() if value is not None}
        replacement = "False"
        if self._replaces(current, known):
            replacement = "True"
        elif self._replaces(current, after):
            replacement = "Conditional"
        if replacement != "False":
            self._made.pop(current.logical_id)
        change = _change("Modify", current.logical_id, current.type, current.physical_id)
        change["ResourceChange"] |= {
            "Replacement": replacement, "Scope": scope, "Details": details,
        }  # fmt: skip
        return change

    def _detail(
        self, current: StackResource, name: str, after: dict[str, Any], value: Any
    ) -> dict[str, Any]:
        only = current.properties | {name: after.get(name)}
        if name not in after:
            only.pop(name)
        recreated = self._replaces(current, only)
        unknown = after.get(name) == _UNKNOWN
        detail: dict[str, Any] = {
            "Target": {
                "Attribute": "Properties",
                "Name": name,
                "RequiresRecreation": "Always" if recreated else "Never",
            },
            "Evaluation": "Dynamic" if unknown else "Static",
            "ChangeSource": "DirectModification",
        }
        causes = [pair for pair in sorted(mentions(value)) if pair[0] not in self._made]
        if unknown and causes:
            logical_id, attribute = causes[0]
            detail["ChangeSource"] = "ResourceAttribute" if attribute else "ResourceReference"
            detail["CausingEntity"] = f"{logical_id}.{attribute}" if attribute else logical_id
        return detail

    def _values(self, wanted: dict[str, Any]) -> dict[str, Any]:
        after = {name: self._value(value) for name, value in wanted.items()}
        return {name: value for name, value in after.items() if value is not None}

    def _value(self, value: Any) -> Any:
        try:
            return self._resolver.value(value)
        except NotCreatedError:
            return _UNKNOWN

    def _replaces(self, current: StackResource, properties: dict[str, Any]) -> bool:
        request = self._request(current, properties)
        return self._provider(current.type).replaces(request, current.made())


def _change(action: str, logical_id: str, type_name: str, physical_id: str = "") -> dict[str, Any]:
    change = {
        "Action": action,
        "LogicalResourceId": logical_id,
        "ResourceType": type_name,
        "Scope": [],
        "Details": [],
    }
    if physical_id:
        change["PhysicalResourceId"] = physical_id
    return {"Type": "Resource", "ResourceChange": change}
