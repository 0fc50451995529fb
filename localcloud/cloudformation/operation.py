"""One stack operation: resources made in order, or everything back as it was."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation.model import StackResource
from localcloud.cloudformation.template import TemplateError, order
from localcloud.resources import ProvisioningError, Resource, ResourceRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloudformation.intrinsics import Resolver
    from localcloud.cloudformation.model import Stack
    from localcloud.resources import Provider


@dataclass
class Step:
    """What was done to one resource, with what it was before (None: it did not exist)."""

    logical_id: str
    before: StackResource | None
    replaced: bool = False


@dataclass
class Operation:
    """Brings a stack to a template, resource by resource.

    `record` makes the stack's state durable, with an event for the resource that it names.
    """

    stack: Stack
    template: dict[str, Any]
    resolver: Resolver
    made: dict[str, Resource]
    """What the resolver sees; grows as resources are made."""
    provider: Callable[[str], Provider]
    record: Callable[[StackResource | None], None]
    cancel: threading.Event

    def __post_init__(self) -> None:
        self._steps: list[Step] = []

    def apply(self) -> str | None:
        """Make all that the template wants; the reason of a failure, or None."""
        resources = self.template["Resources"]
        for logical_id in order(resources):
            definition = resources[logical_id]
            try:
                if self.resolver.holds(definition):
                    self._reach(logical_id, definition)
                if self.cancel.is_set():
                    return "Resource creation cancelled"
            except (ProvisioningError, TemplateError) as error:
                resource = self.stack.resources.get(logical_id) or StackResource(
                    logical_id, definition["Type"], ""
                )
                was = resource.status
                verb = "UPDATE" if was.startswith("UPDATE") or resource.physical_id else "CREATE"
                self._mark(resource, f"{verb}_FAILED", str(error))
                return f"The following resource(s) failed to {verb.lower()}: [{logical_id}]. "
        return None

    def clean_up(self) -> None:
        """Remove what the template no longer wants and what was replaced, newest first."""
        wanted = {
            logical_id
            for logical_id, definition in self.template["Resources"].items()
            if self.resolver.holds(definition)
        }
        gone = [each for each in self.stack.resources.values() if each.logical_id not in wanted]
        for resource in reversed(gone):
            self._remove(resource)
            self.stack.resources.pop(resource.logical_id, None)
        for step in reversed(self._steps):
            if step.replaced and step.before:
                self._remove(step.before)

    def roll_back(self) -> list[str]:
        """Undo every step, newest first; the logical ids that could not be brought back."""
        stuck = []
        for step in reversed(self._steps):
            now = self.stack.resources[step.logical_id]
            try:
                if step.before is None:
                    self._remove(now)
                    self.stack.resources.pop(step.logical_id, None)
                elif step.replaced:
                    self.stack.resources[step.logical_id] = step.before
                    self._remove(now)
                    self._mark(step.before, "UPDATE_COMPLETE")
                else:
                    self._restore(now, step.before)
            except ProvisioningError as error:
                self._mark(now, "UPDATE_FAILED", str(error))
                stuck.append(step.logical_id)
        return stuck

    def delete_all(self) -> list[str]:
        """Remove every resource, dependents first; the logical ids that would not go."""
        resources = self.template["Resources"]
        placed = {logical_id: place for place, logical_id in enumerate(order(resources))}
        stuck = []
        for resource in sorted(
            self.stack.resources.values(), key=lambda each: -placed.get(each.logical_id, 0)
        ):
            try:
                self._remove(resource)
                self.stack.resources.pop(resource.logical_id)
            except ProvisioningError as error:
                self._mark(resource, "DELETE_FAILED", str(error))
                stuck.append(resource.logical_id)
        return stuck

    def _reach(self, logical_id: str, definition: dict[str, Any]) -> None:
        request = self._request(logical_id, definition)
        current = self.stack.resources.get(logical_id)
        provider = self.provider(request.type)
        deletion = definition.get("DeletionPolicy", "Delete")
        if current is None or not current.physical_id:
            self._create(request, provider, deletion, None)
        elif current.type != request.type:
            raise ProvisioningError(
                f"Update of resource type is not permitted. The new template modifies resource "
                f"type of the following resources: [{logical_id}]"
            )
        elif (
            current.properties == request.properties
            and current.update_policy == request.update_policy
        ):
            current.deletion_policy = deletion
        elif provider.replaces(request, current.made()):
            kept = definition.get("UpdateReplacePolicy", "Delete")
            current.deletion_policy = kept
            self._create(request, provider, deletion, current)
        else:
            self._update(request, provider, current)

    def _create(
        self,
        request: ResourceRequest,
        provider: Provider,
        deletion: str,
        before: StackResource | None,
    ) -> None:
        resource = StackResource(request.logical_id, request.type, "", deletion_policy=deletion)
        verb = "UPDATE" if before else "CREATE"
        reason = (
            "Requested update requires the creation of a new physical resource; hence creating one."
            if before
            else ""
        )
        self._mark(resource, f"{verb}_IN_PROGRESS", reason)
        self._hold(resource, request, provider.create(request))
        self.stack.resources[request.logical_id] = resource
        self._steps.append(Step(request.logical_id, before, replaced=before is not None))
        self._mark(resource, f"{verb}_COMPLETE")

    def _update(self, request: ResourceRequest, provider: Provider, current: StackResource) -> None:
        before = StackResource(**vars(current))
        # Recorded first: an update that fails half way is undone as well.
        self._steps.append(Step(request.logical_id, before))
        self._mark(current, "UPDATE_IN_PROGRESS")
        self._hold(current, request, provider.update(request, before.made()))
        self._mark(current, "UPDATE_COMPLETE")

    def _restore(self, now: StackResource, before: StackResource) -> None:
        request = ResourceRequest(
            type=before.type,
            logical_id=before.logical_id,
            account=self.stack.account,
            region=self.stack.region,
            stack_name=self.stack.name,
            stack_id=self.stack.id,
            properties=before.properties,
            update_policy=before.update_policy,
            tags=self.stack.tags,
            cancel=threading.Event(),
            rollback=True,
        )
        self._mark(now, "UPDATE_IN_PROGRESS")
        self._hold(now, request, self.provider(before.type).update(request, now.made()))
        self._mark(now, "UPDATE_COMPLETE")

    def _remove(self, resource: StackResource) -> None:
        if not resource.physical_id:
            return
        if resource.deletion_policy in {"Retain", "Snapshot"}:
            self._mark(resource, "DELETE_SKIPPED")
            return
        self._mark(resource, "DELETE_IN_PROGRESS")
        request = self._request(resource.logical_id, {"Type": resource.type}, resource.properties)
        self.provider(resource.type).delete(request, resource.made())
        self._mark(resource, "DELETE_COMPLETE")

    def _request(
        self, logical_id: str, definition: dict[str, Any], properties: dict[str, Any] | None = None
    ) -> ResourceRequest:
        if properties is None:
            properties = self.resolver.value(definition.get("Properties") or {})
        return ResourceRequest(
            type=definition["Type"],
            logical_id=logical_id,
            account=self.stack.account,
            region=self.stack.region,
            stack_name=self.stack.name,
            stack_id=self.stack.id,
            properties=properties or {},
            update_policy=self.resolver.value(definition.get("UpdatePolicy") or {}),
            tags=self.stack.tags,
            cancel=self.cancel,
        )

    def _hold(self, resource: StackResource, request: ResourceRequest, made: Resource) -> None:
        resource.physical_id = made.physical_id
        resource.attributes = made.attributes
        resource.properties = request.properties
        resource.update_policy = request.update_policy
        self.made[request.logical_id] = made

    def _mark(self, resource: StackResource, status: str, reason: str = "") -> None:
        resource.status = status
        resource.reason = reason
        self.record(resource)
