"""The steps of one stack operation: apply a template, roll back, or delete.

Before each change to a resource, the operation records a step with the resource's earlier state,
so that this process or the next one can roll it back.
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
    """The local cloud stops; its next start resumes the operation from its records."""


@dataclass
class Operation:
    """One operation on a stack: applies a template, rolls back, or deletes.

    `permit` raises `ProvisioningError` if the stack's role lacks a permission.
    `cancel` ends a provider's wait. `stopping` is set when this process stops: each method then
    raises `InterruptedOperationError`, with all completed changes recorded.
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
        """Create or update the template's resources; return the failure's reason, or None.

        `made` holds the resources that the resolver sees; each created resource is added to it.
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
                    self._create_or_update(request, wanted, definition)
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
        """Adopt the template's deletion policies, and collect resources to delete later.

        They become the stack's leftovers: replaced resources and those not in the template.
        """
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
        self.stack.leftovers = deletion_order(left)
        self.records.forget(self.stack, self.steps)
        self.steps = []

    def clean_up(self) -> None:
        """Delete the stack's leftovers; one that cannot be deleted stays in the account.

        AWS reports it as DELETE_FAILED and still completes the update
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
        """Roll back every step, newest first; return the logical ids that failed.

        A failed creation deletes the resources that it created. A failed update first restores
        every resource. `clean_up` then deletes the resources that the update created, as AWS does
        in UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS ("Stack status codes").
        """
        stuck = []
        for step in reversed(list(self.steps)):
            try:
                if not update:
                    self._undo_creation(step)
                elif step.before is None or step.replaces:
                    self._move_to_leftovers(step)
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
        """Delete every resource, dependents first; return the logical ids that failed.

        The resources that a failed one depends on stay as well.
        """
        stuck: list[str] = []
        needed: set[str] = set()
        for resource in deletion_order(self.stack.resources.values()):
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

    def _create_or_update(
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
            name = schemas.shared_custom_name(
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
        _record_result(wanted, request, provider.create(request))
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
        _record_result(current, request, provider.update(request, before.made()))
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
        if now is not None:  # None: interrupted before the step started
            self._remove(_created(now))
            self.records.drop(self.stack, step.logical_id)

    def _move_to_leftovers(self, step: Step) -> None:
        """Move what a step created to the leftovers; restore the replaced resource."""
        now = self.stack.resources.get(step.logical_id)
        before = step.before
        made = now and now.physical_id != (before.physical_id if before else "")
        self.records.move_to_leftovers(self.stack, step, _created(now) if now and made else None)
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
        _record_result(now, request, self.provider(before.type).update(request, now.made()))
        now.deletion_policy, now.dependencies = before.deletion_policy, before.dependencies
        now.references = before.references
        self.records.mark(self.stack, now, "UPDATE_COMPLETE")

    def _remove(self, resource: StackResource) -> None:
        """Delete a resource unless its policy retains it ("DeletionPolicy attribute")."""
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


def deletion_order(resources: Iterable[StackResource]) -> list[StackResource]:
    """Sort resources in the order of their deletion."""
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

    References to secrets keep the values with which the resource was created, unless the resource
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
    """Return a resource for deletion by the rollback of the operation that created it.

    Only there RetainExceptOnCreate differs from Retain ("DeletionPolicy attribute").
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


def _record_result(resource: StackResource, request: ResourceRequest, made: Resource) -> None:
    resource.physical_id = made.physical_id
    resource.attributes = made.attributes
    resource.properties = request.properties
    resource.update_policy = request.update_policy
