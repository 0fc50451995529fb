"""Queues of executions at stages.

A stage runs one execution at a time. Waiting executions enter the stage in order of arrival. In
SUPERSEDED mode an arriving execution supersedes those that wait.

Source: "How pipeline executions work", CodePipeline user guide.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ENTERED, SUPERSEDED = "Entered", "Superseded"

Stage = tuple[str, str]
"""A pipeline's key and a stage's name."""


class StageQueue:
    """One stage: the execution inside and those that wait. Not thread-safe."""

    def __init__(self) -> None:
        self.inside: str | None = None
        self.waiting: list[str] = []
        self.open = True

    def enqueue(self, execution: str, *, supersede: bool) -> list[str]:
        """Queue an execution for the stage; return those that it supersedes."""
        gone = self.waiting if supersede else []
        self.waiting = [*([] if supersede else self.waiting), execution]
        return gone

    def admit(self) -> str | None:
        """Move the first waiting execution into the stage if it is free and enabled."""
        if self.inside is None and self.waiting and self.open:
            self.inside = self.waiting.pop(0)
            return self.inside
        return None


class Ticket:
    """The pending decision about an execution that waits for a stage."""

    def __init__(self) -> None:
        self._decided = threading.Event()
        self._decision = ""

    def decide(self, decision: str) -> None:
        """Set the decision and wake the thread that waits for it."""
        self._decision = decision
        self._decided.set()

    def wait(self) -> str:
        """Wait for the decision: ENTERED, SUPERSEDED, or that of `withdraw` or `refused`."""
        self._decided.wait()
        return self._decision


class StageQueues:
    """The queues of all stages. Thread-safe; under its lock it calls only `refused`."""

    def __init__(self) -> None:
        self._queues: dict[Stage, StageQueue] = {}
        self._tickets: dict[str, Ticket] = {}
        self._lock = threading.Lock()

    def enqueue(
        self,
        stage: Stage,
        execution: str,
        *,
        leaving: Stage | None = None,
        supersede: bool = False,
        refused: Callable[[], str] = lambda: "",
    ) -> Ticket:
        """Queue an execution for a stage; return the ticket that admits it.

        The execution leaves its previous stage under the same lock, so that no other overtakes it.
        `refused` returns the decision if the execution must not wait, or else "". With any
        decision but ENTERED the execution is in no stage.
        """
        ticket = Ticket()
        with self._lock:
            if leaving:
                self._leave(leaving, execution)
            early = refused()
            if early:
                ticket.decide(early)
                return ticket
            self._tickets[execution] = ticket
            for other in self._queue(stage).enqueue(execution, supersede=supersede):
                self._decide(other, SUPERSEDED)
            self._admit(stage)
        return ticket

    def leave(self, stage: Stage, execution: str) -> None:
        """Remove an execution from a stage and admit the next one."""
        with self._lock:
            self._leave(stage, execution)

    def replace_inside(self, stage: Stage, execution: str, to: str) -> None:
        """Replace the execution in a stage by another one, ahead of those that wait."""
        with self._lock:
            queue = self._queue(stage)
            if queue.inside == execution:
                queue.inside = to

    def withdraw(self, execution: str, decision: str) -> None:
        """Remove a waiting execution from its queue, with a decision."""
        with self._lock:
            for queue in self._queues.values():
                if execution in queue.waiting:
                    queue.waiting.remove(execution)
                    self._decide(execution, decision)

    def set_open(self, stage: Stage, is_open: bool) -> None:
        """Enable or disable the transition into a stage."""
        with self._lock:
            self._queue(stage).open = is_open
            self._admit(stage)

    def waiting(self, stage: Stage) -> list[str]:
        """Return the executions that wait for a stage, in order."""
        with self._lock:
            return list(self._queue(stage).waiting)

    def inside(self, stage: Stage) -> str | None:
        """Return the execution in a stage, or None."""
        with self._lock:
            return self._queue(stage).inside

    def _queue(self, stage: Stage) -> StageQueue:
        return self._queues.setdefault(stage, StageQueue())

    def _leave(self, stage: Stage, execution: str) -> None:
        queue = self._queue(stage)
        if queue.inside == execution:
            queue.inside = None
            self._admit(stage)

    def _admit(self, stage: Stage) -> None:
        admitted = self._queue(stage).admit()
        if admitted:
            self._decide(admitted, ENTERED)

    def _decide(self, execution: str, decision: str) -> None:
        self._tickets.pop(execution).decide(decision)
