"""Stack operations in progress, each in its own thread, and their recovery."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localcloud.cloudformation.operation import InterruptedOperationError, Operation
from localcloud.cloudformation.template import TemplateError, parse
from localcloud.core.storage import StorageError, require_free_space

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloudformation.model import ChangeSet, Stack
    from localcloud.cloudformation.stacks import Stacks

logger = logging.getLogger(__name__)
_SYNCHRONOUS_WAIT_SECONDS = 2.0  # wall seconds
_SHUTDOWN_TIMEOUT_SECONDS = 10.0  # wall seconds
_DISK_SPACE_POLL_SECONDS = 1.0
_INTERRUPTED_REASON = "The local cloud stopped during this operation"


@dataclass
class _OperationThread:
    thread: threading.Thread
    cancel: threading.Event = field(default_factory=threading.Event)


class Executions:
    """Runs stack operations, at most one at a time for each stack."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._records = stacks.records
        self._running: dict[str, _OperationThread] = {}
        self._stopping = threading.Event()

    def execute(self, stack: Stack, change_set: ChangeSet, verb: str) -> None:
        """Execute a change set on a stack that is in `verb`_IN_PROGRESS."""
        self._run(stack, lambda running: self._execute(stack, change_set, verb, running))

    def roll_back(self, stack: Stack) -> None:
        """Roll back the steps of a stack whose status is a rollback in progress."""
        self._run(stack, lambda running: self._roll_back(stack, self._operation(stack, running)))

    def delete(self, stack: Stack) -> None:
        """Delete a stack; first cancel its operation in progress and wait for it."""
        before = self._running.get(stack.id)

        def work(running: _OperationThread) -> None:
            if before is not None:
                before.cancel.set()
                before.thread.join()
                self._stacks.set_status(stack, "DELETE_IN_PROGRESS", "User Initiated")
            self._delete(stack, running)

        self._run(stack, work)

    def cancel(self, stack: Stack) -> None:
        """Cancel the update in progress, which then rolls back."""
        running = self._running.get(stack.id)
        if running is not None:
            running.cancel.set()

    def stop(self) -> None:
        """Interrupt every operation; `resume` continues it in the next process."""
        self._stopping.set()
        under_way = list(self._running.values())
        for running in under_way:
            running.cancel.set()
        for running in under_way:
            running.thread.join(_SHUTDOWN_TIMEOUT_SECONDS)

    def resume(self, stack: Stack) -> None:
        """Resume an operation that the last process did not end.

        A creation or update rolls back; a rollback, cleanup or deletion continues.
        """
        change_set = self._stacks.change_sets.get(stack.change_set_id)
        if change_set is not None and change_set.execution_status == "EXECUTE_IN_PROGRESS":
            cleaning = stack.status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
            change_set.execution_status = "EXECUTE_COMPLETE" if cleaning else "EXECUTE_FAILED"
            self._stacks.save(change_set)
        if stack.status == "DELETE_IN_PROGRESS":
            self.delete(stack)
        elif stack.status.endswith("_COMPLETE_CLEANUP_IN_PROGRESS"):
            self._run(stack, lambda running: self._clean_up(self._operation(stack, running)))
        else:
            if stack.status == "CREATE_IN_PROGRESS":
                self._stacks.set_status(stack, "ROLLBACK_IN_PROGRESS", _INTERRUPTED_REASON)
            elif stack.status == "UPDATE_IN_PROGRESS":
                self._stacks.set_status(stack, "UPDATE_ROLLBACK_IN_PROGRESS", _INTERRUPTED_REASON)
            self.roll_back(stack)

    def _run(self, stack: Stack, work: Callable[[_OperationThread], None]) -> None:
        def guarded() -> None:
            try:
                work(running)
            except InterruptedOperationError:
                return
            except StorageError as error:
                logger.warning("Stack %s: %s", stack.name, error)
                self._forget_thread(stack, running)
                self._resume_with_space(stack)
            finally:
                self._forget_thread(stack, running)

        thread = threading.Thread(target=guarded, name=f"stack-{stack.name}", daemon=True)
        running = self._running[stack.id] = _OperationThread(thread)
        thread.start()
        # Let a short operation end before its caller starts to poll, every few seconds.
        thread.join(_SYNCHRONOUS_WAIT_SECONDS)

    def _forget_thread(self, stack: Stack, running: _OperationThread) -> None:
        if self._running.get(stack.id) is running:
            del self._running[stack.id]

    def _resume_with_space(self, stack: Stack) -> None:
        """Resume an operation that a full disk interrupted once there is space."""
        while not self._stopping.wait(_DISK_SPACE_POLL_SECONDS):
            with suppress(StorageError):
                require_free_space(self._stacks.core.ledger.folder)
                self.resume(stack)
                return

    def _operation(self, stack: Stack, running: _OperationThread) -> Operation:
        return Operation(
            stack,
            self._stacks.provider,
            self._stacks.permissions.of(stack),
            self._records,
            running.cancel,
            self._stopping,
            self._records.steps(stack),
        )

    def _execute(
        self, stack: Stack, change_set: ChangeSet, verb: str, running: _OperationThread
    ) -> None:
        template = parse(change_set.template)
        made = {name: each.made() for name, each in stack.resources.items()}
        imports: set[str] = set()
        operation = self._operation(stack, running)
        try:
            resolver = self._stacks.planner.resolver(
                stack, template, change_set.parameters, made, stack.session_key, imports.add
            )
            reason = operation.apply(template, resolver, made, change_set.tags)
            outputs = [] if reason else self._stacks.exports.outputs(stack, template, resolver)
        except TemplateError as error:
            reason = str(error)
        if reason is not None:
            change_set.execution_status = "EXECUTE_FAILED"
            self._stacks.save(change_set)
            going = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
            asked = "Rollback requested by user." if verb == "CREATE" else ""
            self._stacks.set_status(stack, f"{going}_IN_PROGRESS", f"{reason}{asked}")
            running.cancel = operation.cancel = threading.Event()
            self._roll_back(stack, operation)
            return
        with self._stacks.core.ledger.transaction():
            operation.settle(template, resolver)
            stack.outputs, stack.imports = outputs, sorted(imports)
            stack.template, stack.parameters = change_set.template, change_set.parameters
            stack.capabilities = change_set.capabilities
            stack.tags = change_set.tags
            if verb == "UPDATE":
                self._records.status(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            change_set.execution_status = "EXECUTE_COMPLETE"
            self._stacks.save(change_set)
        if verb == "UPDATE":
            self._clean_up(operation)
        else:
            self._stacks.set_status(stack, "CREATE_COMPLETE")

    def _clean_up(self, operation: Operation) -> None:
        operation.clean_up()
        stack = operation.stack
        self._stacks.set_status(stack, stack.status.removesuffix("_CLEANUP_IN_PROGRESS"))

    def _roll_back(self, stack: Stack, operation: Operation) -> None:
        going = stack.status.removesuffix("_IN_PROGRESS")
        update = going == "UPDATE_ROLLBACK"
        stuck = operation.roll_back(update=update)
        if stuck:
            said = "update" if update else "delete"
            self._stacks.set_status(
                stack,
                f"{going}_FAILED",
                f"The following resource(s) failed to {said}: [{', '.join(stuck)}]. ",
            )
            return
        if update:
            self._stacks.set_status(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
            self._clean_up(operation)
        else:
            self._stacks.set_status(stack, "ROLLBACK_COMPLETE")

    def _delete(self, stack: Stack, running: _OperationThread) -> None:
        used = self._stacks.exports.used(stack, kept=set())
        if used:
            self._stacks.set_status(stack, "DELETE_FAILED", used)
            return
        operation = self._operation(stack, running)
        # Resources that an update replaced and its rollback did not restore.
        stack.leftovers += [
            each.before for each in operation.steps if each.replaces and each.before
        ]
        self._records.forget(stack, operation.steps)
        operation.clean_up()
        stuck = operation.delete_all()
        if stuck:
            self._stacks.set_status(
                stack,
                "DELETE_FAILED",
                f"The following resource(s) failed to delete: [{', '.join(stuck)}]. ",
            )
        else:
            self._stacks.forget_all(stack)
            self._stacks.set_status(stack, "DELETE_COMPLETE")
