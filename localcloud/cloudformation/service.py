"""CloudFormation: what starts and stops stack operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.cloudformation.executions import Executions
from localcloud.cloudformation.model import UPDATABLE_STATUSES, ChangeSet, Stack, StackStatusError
from localcloud.cloudformation.stacks import Stacks
from localcloud.core.providers import Claimant
from localcloud.core.restoring import restored_on_error

if TYPE_CHECKING:
    from localcloud.core.core import Core
    from localcloud.core.quotas import Quotas
    from localcloud.iam.access import Access
    from localcloud.moto.journal import Journal


class CloudFormation(Stacks):
    """See `localcloud.core.service_api.Service`."""

    def __init__(
        self, core: Core, access: Access, quotas: Quotas, journal: Journal, gateway_endpoint: str
    ) -> None:
        super().__init__(core, access, quotas, journal, gateway_endpoint)
        self.executions = Executions(self)
        access.facts.stack = self.find

    def start(self) -> None:
        """Load every stack, and resume the operations in progress.

        CloudFormation starts as the last service: the other services' providers need their state.
        """
        self.stacks.update({stack.id: stack for stack in self.records.stacks()})
        self.change_sets = {each.id: each for each in self.records.change_sets()}
        for stack in list(self.stacks.values()):
            if stack.in_progress:
                self._adopt(stack)
                self.executions.resume(stack)

    def stop(self) -> None:
        """Interrupt operations in progress; the next start resumes them."""
        self.executions.stop()

    def execute(self, stack: Stack, change_set: ChangeSet, session_key: str) -> None:
        """Start the execution of a change set; `DescribeStacks` shows its progress.

        The stack keeps the change set's role, also for its deletion ("AWS CloudFormation service
        role"). The stack's other change sets are deleted.

        Raises:
            StackStatusError: the stack's status does not allow an update.
        """
        with self._lock:
            if stack.status not in UPDATABLE_STATUSES | {"REVIEW_IN_PROGRESS"}:
                raise StackStatusError(
                    f"Stack:{stack.id} is in {stack.status} state and can not be updated."
                )
            verb = "CREATE" if stack.status == "REVIEW_IN_PROGRESS" else "UPDATE"
            void = [
                each
                for each in list(self.change_sets.values())
                if each.stack_id == stack.id and each is not change_set
            ]
            with restored_on_error(stack, change_set), self.core.ledger.transaction():
                change_set.execution_status = "EXECUTE_IN_PROGRESS"
                stack.change_set_id = change_set.id
                stack.role_arn, stack.session_key = change_set.role_arn, session_key
                for other in void:
                    self.records.forget_change_set(other)
                self.records.save_change_set(change_set)
                self.records.status(stack, f"{verb}_IN_PROGRESS", "User Initiated")
            for other in void:
                self.change_sets.pop(other.id, None)
            self._publish(stack)
        self.executions.execute(stack, change_set, verb)

    def continue_rollback(self, stack: Stack, skipped: list[str], session_key: str) -> None:
        """Retry the rollback of an update; skipped resources keep their current state.

        Raises:
            StackStatusError: the stack is not in UPDATE_ROLLBACK_FAILED.
        """
        with self._lock:
            if stack.status != "UPDATE_ROLLBACK_FAILED":
                raise StackStatusError(
                    f"Stack:{stack.id} is in {stack.status} state and can not continue its "
                    "rollback."
                )
            steps = [each for each in self.records.steps(stack) if each.logical_id in skipped]
            self.records.forget(stack, steps)
            stack.session_key = session_key
            self.set_status(stack, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        self.executions.roll_back(stack)

    def delete(self, stack: Stack, retained: list[str], session_key: str) -> None:
        """Start the deletion of a stack; `retained` are the logical ids to retain.

        Raises:
            StackStatusError: the stack is protected or being updated, or `retained` is set and
                its status is not DELETE_FAILED.
        """
        with self._lock:
            if stack.termination_protection:
                raise StackStatusError(
                    f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
                )
            if stack.status in {"DELETE_IN_PROGRESS", "DELETE_COMPLETE"}:
                return
            if stack.in_progress and not stack.status.startswith(("CREATE", "ROLLBACK")):
                raise StackStatusError(
                    f"Stack [{stack.name}] cannot be deleted while in status {stack.status}"
                )
            if retained and stack.status != "DELETE_FAILED":
                raise StackStatusError(
                    "Invalid operation on stack. RetainResources can be specified only for stacks "
                    "in the DELETE_FAILED state"
                )
            for logical_id in stack.resources.keys() & set(retained):
                stack.resources[logical_id].deletion_policy = "Retain"
                self.records.keep(stack, stack.resources[logical_id])
            stack.session_key = session_key
            if not stack.in_progress:
                self.set_status(stack, "DELETE_IN_PROGRESS", "User Initiated")
        self.executions.delete(stack)

    def _adopt(self, stack: Stack) -> None:
        """Find resources that the last process created but did not record."""
        for resource in stack.resources.values():
            provider = self.provider(resource.type)
            if not resource.physical_id and isinstance(provider, Claimant):
                resource.physical_id = provider.unclaimed(stack.id, resource.logical_id)
