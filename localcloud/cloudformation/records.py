"""The ledger's records of stacks; each change is written by itself at once."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation.model import ChangeSet, Stack, StackResource, Step
from localcloud.core.restoring import restored_on_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.core.clock import Clock
    from localcloud.core.ledger import Ledger

_STACK = "cloudformation:stack"
_RESOURCE = "cloudformation:resource"
_STEP = "cloudformation:step"
_CHANGE_SET = "cloudformation:change-set"


class Records:
    """Stacks, resources, steps of operations in progress, events, and change sets."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def stacks(self) -> Iterator[Stack]:
        """Return every stack, deleted ones included."""
        stacks = {key: Stack.of(document) for key, document in self._ledger.all(_STACK)}
        for key, document in self._ledger.all(_RESOURCE):
            resource = StackResource(**document)
            stacks[key.rsplit("#", 1)[0]].resources[resource.logical_id] = resource
        return iter(stacks.values())

    def status(self, stack: Stack, status: str, reason: str = "") -> None:
        """Set a stack's status, append an event, and write the stack."""
        now = self._clock.timestamp()
        with restored_on_error(stack), self._ledger.transaction():
            stack.status, stack.reason = status, reason
            if status.startswith("UPDATE"):
                stack.updated = now
            if status.startswith("DELETE"):
                stack.deleted = now
            self.save(stack)
            self._event(stack, stack.name, stack.id, "AWS::CloudFormation::Stack")

    def save(self, stack: Stack) -> None:
        """Write a stack without its resources."""
        self._ledger.put(_STACK, stack.key, stack.document())

    def discard(self, stack: Stack) -> None:
        """Delete a stack without resources; its events stay, and cannot be found."""
        self._ledger.delete(_STACK, stack.key)

    def mark(self, stack: Stack, resource: StackResource, status: str, reason: str = "") -> None:
        """Set a resource's status, append an event, and write it if the stack has it."""
        resource.status, resource.reason = status, reason
        resource.timestamp = self._clock.timestamp()
        with self._ledger.transaction():
            if stack.resources.get(resource.logical_id) is resource:
                self.keep(stack, resource)
            self._event(stack, resource.logical_id, resource.physical_id, resource.type, resource)

    def keep(self, stack: Stack, resource: StackResource) -> None:
        """Write a resource and add it to the stack."""
        self._ledger.put(_RESOURCE, f"{stack.key}#{resource.logical_id}", asdict(resource))
        stack.resources[resource.logical_id] = resource

    def drop(self, stack: Stack, logical_id: str) -> None:
        """Delete a resource and remove it from the stack."""
        self._ledger.delete(_RESOURCE, f"{stack.key}#{logical_id}")
        stack.resources.pop(logical_id, None)

    def steps(self, stack: Stack) -> list[Step]:
        """Return the steps of the operation in progress, or those not rolled back."""
        found = self._ledger.all(_STEP, f"{stack.key}#")
        return [Step.of(document) for _, document in found]

    def begin(self, stack: Stack, step: Step) -> None:
        """Write a step before it is carried out."""
        self._ledger.put(_STEP, f"{stack.key}#{step.number:06}", asdict(step))

    def forget(self, stack: Stack, steps: list[Step]) -> None:
        """Delete steps that were rolled back or need no rollback."""
        with self._ledger.transaction():
            for step in steps:
                self._ledger.delete(_STEP, f"{stack.key}#{step.number:06}")

    def move_to_leftovers(self, stack: Stack, step: Step, made: StackResource | None) -> None:
        """Undo a step in the stack; add `made`, the resource it created, to the leftovers."""
        with self._ledger.transaction():
            if step.before is not None:
                self.keep(stack, step.before)
            else:
                self.drop(stack, step.logical_id)
            if made is not None:
                stack.leftovers = [*stack.leftovers, made]
                self.save(stack)
            self.forget(stack, [step])

    def events(self, stack: Stack) -> list[dict[str, Any]]:
        """Return the stack's events, newest first."""
        read = self._ledger.read(f"cloudformation:events:{stack.id}")
        return [event for _, event in reversed(read)]

    def change_sets(self) -> Iterator[ChangeSet]:
        """Return every change set that was not deleted."""
        return (ChangeSet(**document) for _, document in self._ledger.all(_CHANGE_SET))

    def save_change_set(self, change_set: ChangeSet) -> None:
        """Write a change set."""
        self._ledger.put(_CHANGE_SET, change_set.id, asdict(change_set))

    def forget_change_set(self, change_set: ChangeSet) -> None:
        """Delete a change set."""
        self._ledger.delete(_CHANGE_SET, change_set.id)

    def _event(
        self,
        stack: Stack,
        logical_id: str,
        physical_id: str,
        type_name: str,
        of: Stack | StackResource | None = None,
    ) -> None:
        of = of or stack
        event = {
            "EventId": f"{logical_id}-{uuid.uuid4()}",
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": type_name,
            "ResourceStatus": of.status,
            "ResourceStatusReason": of.reason,
            "Timestamp": self._clock.timestamp(),
        }
        self._ledger.append(f"cloudformation:events:{stack.id}", event)
