"""One stack operation: resources made in order, or everything back as it was.

What it does to a resource is recorded as a step before it is done, with the resource as it was:
so it can be undone by this process, or by the next one.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ParamValidationError

from localcloud.cloudformation import schemas
from localcloud.cloudformation.model import StackResource, Step
from localcloud.cloudformation.template import TemplateError, dependencies, order
from localcloud.core.providers import ProvisioningError, Resource, ResourceRequest

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping

    from localcloud.cloudformation.intrinsics import Resolver
    from localcloud.cloudformation.model import Stack
    from localcloud.cloudformation.permissions import Permit
    from localcloud.cloudformation.records import Records
    from localcloud.core.providers import Provider

logger = logging.getLogger(__name__)
_REPLACED = "Requested update requires the creation of a new physical resource; hence creating one."


class InterruptedOperationError(Exception):
    """The local cloud stops: the next one takes the operation up where its records end."""


@dataclass
class Operation:
    """Does one thing to a stack: brings it to a template, back, or to an end.

    `permit` raises `ProvisioningError` for what the stack's role may not do;
    `cancel` ends a wait of a provider, `stopping` says that this process ends. Each method
    raises `InterruptedOperationError` then, with everything recorded that was done.
    """

    stack: Stack
    provider: Callable[[str], Provider]
    permit: Permit
    records: Records
    cancel: threading.Event
    stopping: threading.Event
    steps: list[Step] = field(default_factory=list)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def apply(
        self,
        template: dict[str, Any],
        resolver: Resolver,
        made: dict[str, Resource],
        tags: Mapping[str, str],
    ) -> str | None:
        """Make all that the template wants; the reason of a failure, or None.

        `made` is what the resolver sees; it grows as resources are made.
        """
        resources = template["Resources"]
        for logical_id in order(resources):
            if self.cancel.is_set():
                return "User Initiated"
            definition = resources[logical_id]
            wanted = _defined(logical_id, definition, resources)
            before = self.stack.resources.get(logical_id)
            try:
                if resolver.holds(definition):
                    properties, policy = resolved(resolver, definition, before)
                    wanted.references = dict(resolver.references)
                    request = self._request(wanted, properties, policy, tags)
                    self._reach(request, wanted, definition)
                    made[logical_id] = self.stack.resources[logical_id].made()
            except Exception as error:  # noqa: BLE001  # a provider's bug fails its resource
                reason = self._reason(error)
                begun = bool(self.steps) and self.steps[-1].logical_id == logical_id
                now = self.stack.resources[logical_id] if begun else replace(before or wanted)
                verb = "update" if before else "create"
                self.records.mark(self.stack, now, f"{verb.upper()}_FAILED", reason)
                return f"The following resource(s) failed to {verb}: [{logical_id}]. "
        return None

    def settle(self, template: dict[str, Any], resolver: Resolver) -> None:
        """Have the template's own word on what stays, and what is left over: to be removed."""
        resources = template["Resources"]
        left = [
            replace(step.before, deletion_policy=step.replace_policy)
            for step in self.steps
            if step.replaces
            and step.before
            and step.before.physical_id != self.stack.resources[step.logical_id].physical_id
        ]
        for logical_id, resource in list(self.stack.resources.items()):
            definition = resources.get(logical_id)
            if definition is None or not resolver.holds(definition):
                left.append(resource)
                self.records.drop(self.stack, logical_id)
                continue
            resource.deletion_policy = definition.get("DeletionPolicy", "Delete")
            resource.dependencies = dependencies(definition, resources)
            self.records.keep(self.stack, resource)
        self.stack.leftovers = dependents_first(left)
        self.records.forget(self.stack, self.steps)
        self.steps = []

    def clean_up(self) -> None:
        """Remove what is left over; what will not go is left to its owner.

        AWS reports it as DELETE_FAILED and completes the stack all the same
        (serverless-full-stack-webapp-starter-kit#185).
        """
        for resource in list(self.stack.leftovers):
            try:
                self._remove(resource)
            except Exception as error:  # noqa: BLE001  # as in apply
                self.records.mark(self.stack, resource, "DELETE_FAILED", self._reason(error))
            self.stack.leftovers.remove(resource)
            self.records.save(self.stack)

    def roll_back(self, *, update: bool) -> list[str]:
        """Undo every step, newest first; return the logical ids that could not be undone.

        A failed creation removes what it made. A failed update first restores every resource;
        what it made is left over for `clean_up`, as AWS removes it in
        UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS ("Stack status codes").
        """
        stuck = []
        for step in reversed(list(self.steps)):
            try:
                if not update:
                    self._undo_creation(step)
                elif step.before is None or step.replaces:
                    self._leave_over(step)
                    continue
                else:
                    self._restore(self.stack.resources[step.logical_id], step.before)
            except Exception as error:  # noqa: BLE001  # as in apply
                now = self.stack.resources[step.logical_id]
                verb = "UPDATE" if step.before else "DELETE"
                self.records.mark(self.stack, now, f"{verb}_FAILED", self._reason(error))
                stuck.append(step.logical_id)
            else:
                self.records.forget(self.stack, [step])
                self.steps.remove(step)
        return stuck

    def delete_all(self) -> list[str]:
        """Remove every resource, dependents first; the logical ids that would not go.

        What one of those depends on stays as well.
        """
        stuck: list[str] = []
        needed: set[str] = set()
        for resource in dependents_first(self.stack.resources.values()):
            if resource.logical_id in needed:
                needed.update(resource.dependencies)
                continue
            try:
                self._remove(resource)
                self.records.drop(self.stack, resource.logical_id)
            except Exception as error:  # noqa: BLE001  # as in apply
                self.records.mark(self.stack, resource, "DELETE_FAILED", self._reason(error))
                stuck.append(resource.logical_id)
                needed.update(resource.dependencies)
        return stuck

    def _reach(
        self, request: ResourceRequest, wanted: StackResource, definition: dict[str, Any]
    ) -> None:
        current = self.stack.resources.get(request.logical_id)
        provider = self.provider(request.type)
        if current is None:
            self._create(request, provider, wanted, None)
        elif (current.properties, current.update_policy) == (
            request.properties,
            request.update_policy,
        ):
            return
        elif provider.replaces(request, current.made()):
            name = schemas.kept_name(
                request.region, request.type, request.properties, current.properties
            )
            if name:
                raise ProvisioningError(
                    "CloudFormation cannot update a stack when a custom-named resource requires "
                    f"replacing. Rename {name} and update the stack again."
                )
            kept = definition.get("UpdateReplacePolicy", "Delete")
            request = replace(request, replaces=current.physical_id)
            self._create(request, provider, wanted, current, kept)
        else:
            self._update(request, provider, wanted, current)

    def _create(
        self,
        request: ResourceRequest,
        provider: Provider,
        wanted: StackResource,
        before: StackResource | None,
        kept: str = "Delete",
    ) -> None:
        self._begin(wanted.logical_id, before, replaces=before is not None, kept=kept)
        self.stack.resources[wanted.logical_id] = wanted
        verb, reason = ("UPDATE", _REPLACED) if before else ("CREATE", "")
        self.records.mark(self.stack, wanted, f"{verb}_IN_PROGRESS", reason)
        self.permit(request, "create", None)
        _hold(wanted, request, provider.create(request))
        self.records.mark(self.stack, wanted, f"{verb}_COMPLETE")

    def _update(
        self,
        request: ResourceRequest,
        provider: Provider,
        wanted: StackResource,
        current: StackResource,
    ) -> None:
        before = replace(current)
        self._begin(current.logical_id, before)
        self.records.mark(self.stack, current, "UPDATE_IN_PROGRESS")
        self.permit(request, "update", before.made())
        _hold(current, request, provider.update(request, before.made()))
        current.deletion_policy = wanted.deletion_policy
        current.dependencies = wanted.dependencies
        current.references = wanted.references
        self.records.mark(self.stack, current, "UPDATE_COMPLETE")

    def _begin(
        self,
        logical_id: str,
        before: StackResource | None,
        *,
        replaces: bool = False,
        kept: str = "Delete",
    ) -> None:
        if self.stopping.is_set():
            raise InterruptedOperationError
        number = self.steps[-1].number + 1 if self.steps else 0
        step = Step(number, logical_id, before, replaces, kept)
        self.records.begin(self.stack, step)
        self.steps.append(step)

    def _undo_creation(self, step: Step) -> None:
        now = self.stack.resources.get(step.logical_id)
        if now is not None:  # None: interrupted before it was begun
            self._remove(_created(now))
            self.records.drop(self.stack, step.logical_id)

    def _leave_over(self, step: Step) -> None:
        """Take what a step made out of the stack, and put back what it replaced."""
        now = self.stack.resources.get(step.logical_id)
        before = step.before
        made = now and now.physical_id != (before.physical_id if before else "")
        self.records.leave_over(self.stack, step, _created(now) if now and made else None)
        self.steps.remove(step)
        if before is not None:
            self.records.mark(self.stack, before, "UPDATE_COMPLETE")

    def _restore(self, now: StackResource, before: StackResource) -> None:
        if self.stopping.is_set():
            raise InterruptedOperationError
        request = self._request(
            before, before.properties, before.update_policy, self.stack.tags, rollback=True
        )
        self.records.mark(self.stack, now, "UPDATE_IN_PROGRESS")
        self.permit(request, "update", now.made())
        _hold(now, request, self.provider(before.type).update(request, now.made()))
        now.deletion_policy, now.dependencies = before.deletion_policy, before.dependencies
        now.references = before.references
        self.records.mark(self.stack, now, "UPDATE_COMPLETE")

    def _remove(self, resource: StackResource) -> None:
        """Remove a resource that its policy does not keep ("DeletionPolicy attribute")."""
        if not resource.physical_id:
            return
        if resource.deletion_policy in {"Retain", "RetainExceptOnCreate"}:
            self.records.mark(self.stack, resource, "DELETE_SKIPPED")
            return
        if self.stopping.is_set():
            raise InterruptedOperationError
        self.records.mark(self.stack, resource, "DELETE_IN_PROGRESS")
        request = self._request(resource, resource.properties, {}, self.stack.tags)
        self.permit(request, "delete", resource.made())
        self.provider(resource.type).delete(request, resource.made())
        self.records.mark(self.stack, resource, "DELETE_COMPLETE")

    def _request(
        self,
        resource: StackResource,
        properties: dict[str, Any],
        update_policy: dict[str, Any],
        tags: Mapping[str, str],
        *,
        rollback: bool = False,
    ) -> ResourceRequest:
        return ResourceRequest(
            type=resource.type,
            logical_id=resource.logical_id,
            account=self.stack.account,
            region=self.stack.region,
            stack_name=self.stack.name,
            stack_id=self.stack.id,
            properties=properties,
            update_policy=update_policy,
            tags=dict(tags),
            cancel=self.cancel,
            rollback=rollback,
            operation=self.id,
        )

    def _reason(self, error: Exception) -> str:
        """Why a resource failed; an error of this cloud itself is logged as well."""
        if self.stopping.is_set():
            raise InterruptedOperationError from error
        if isinstance(error, ClientError):
            said = error.response["Error"]
            return f"{said['Message']} (Error Code: {said['Code']})"
        if not isinstance(error, ProvisioningError | TemplateError | ParamValidationError):
            logger.error("Internal failure", exc_info=error)
            return f"Internal failure of the local cloud: {error!r}"
        return str(error)


def dependents_first(resources: Iterable[StackResource]) -> list[StackResource]:
    """The order in which resources are removed."""
    by_name = {each.logical_id: each for each in resources}
    placed: dict[str, StackResource] = {}
    entered: set[str] = set()

    def place(name: str) -> None:
        if name in by_name and name not in entered:
            entered.add(name)
            for needed in by_name[name].dependencies:
                place(needed)
            placed[name] = by_name[name]

    for name in by_name:
        place(name)
    return list(placed.values())[::-1]


def resolved(
    resolver: Resolver, definition: dict[str, Any], before: StackResource | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Resolve the properties and the update policy of a template's resource.

    References to secrets keep the values that the resource was made with, unless the resource
    changes ("Using dynamic references": Secrets Manager; serverless-application-model#3547).
    """

    def values() -> tuple[dict[str, Any], dict[str, Any]]:
        properties = resolver.value(definition.get("Properties") or {})
        return properties, resolver.value(definition.get("UpdatePolicy") or {})

    resolver.references = dict(before.references) if before else {}
    found = values()
    if before is None or found == (before.properties, before.update_policy):
        return found
    resolver.references = {}
    return values()


def _created(resource: StackResource) -> StackResource:
    """A resource that is removed by the rollback of the operation that created it.

    RetainExceptOnCreate differs from Retain in that alone ("DeletionPolicy attribute").
    """
    if resource.deletion_policy == "RetainExceptOnCreate":
        return replace(resource, deletion_policy="Delete")
    return resource


def _defined(
    logical_id: str, definition: dict[str, Any], resources: dict[str, Any]
) -> StackResource:
    return StackResource(
        logical_id,
        definition["Type"],
        deletion_policy=definition.get("DeletionPolicy", "Delete"),
        dependencies=dependencies(definition, resources),
    )


def _hold(resource: StackResource, request: ResourceRequest, made: Resource) -> None:
    resource.physical_id = made.physical_id
    resource.attributes = made.attributes
    resource.properties = request.properties
    resource.update_policy = request.update_policy
