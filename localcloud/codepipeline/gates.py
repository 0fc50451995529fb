"""The entrances of stages ("How pipeline executions work" of the CodePipeline user guide).

A stage has one execution inside. Those that wait in front of it go in by their order; in
SUPERSEDED mode one that arrives takes the place of those that wait.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ENTERED, SUPERSEDED = "Entered", "Superseded"

Stage = tuple[str, str]
"""A pipeline's key and a stage's name."""


class Gate:
    """One stage's entrance, by itself: who is inside, and who waits."""

    def __init__(self) -> None:
        self.inside: str | None = None
        self.waiting: list[str] = []
        self.open = True

    def arrive(self, execution: str, *, supersede: bool) -> list[str]:
        """Come to stand in front of the stage; returns who has to go."""
        gone = self.waiting if supersede else []
        self.waiting = [*([] if supersede else self.waiting), execution]
        return gone

    def admit(self) -> str | None:
        """Let the first in that may go in, if one may."""
        if self.inside is None and self.waiting and self.open:
            self.inside = self.waiting.pop(0)
            return self.inside
        return None


class Ticket:
    """A place in front of a stage."""

    def __init__(self) -> None:
        self._decided = threading.Event()
        self._outcome = ""

    def decide(self, outcome: str) -> None:
        """Say what becomes of who holds it."""
        self._outcome = outcome
        self._decided.set()

    def wait(self) -> str:
        """ENTERED, SUPERSEDED, or what `withdraw` or `refused` said."""
        self._decided.wait()
        return self._outcome


class Gates:
    """All entrances; safe from any thread. Nothing is called back under its lock but `refused`."""

    def __init__(self) -> None:
        self._gates: dict[Stage, Gate] = {}
        self._tickets: dict[str, Ticket] = {}
        self._lock = threading.Lock()

    def arrive(
        self,
        stage: Stage,
        execution: str,
        *,
        leaving: Stage | None = None,
        supersede: bool = False,
        refused: Callable[[], str] = lambda: "",
    ) -> Ticket:
        """Come to stand in front of a stage; the ticket tells when it may be entered.

        In the same moment the stage behind is left, so that nobody overtakes. `refused` says why
        the execution may not even wait, if so. With any outcome but ENTERED it is in no stage.
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
            for other in self._gate(stage).arrive(execution, supersede=supersede):
                self._decide(other, SUPERSEDED)
            self._admit(stage)
        return ticket

    def leave(self, stage: Stage, execution: str) -> None:
        """Make room for the next."""
        with self._lock:
            self._leave(stage, execution)

    def hand_over(self, stage: Stage, execution: str, to: str) -> None:
        """Put another execution in one's place, ahead of all that wait."""
        with self._lock:
            gate = self._gate(stage)
            if gate.inside == execution:
                gate.inside = to

    def withdraw(self, execution: str, outcome: str) -> None:
        """Take an execution from in front of a stage, if it waits there."""
        with self._lock:
            for gate in self._gates.values():
                if execution in gate.waiting:
                    gate.waiting.remove(execution)
                    self._decide(execution, outcome)

    def set_open(self, stage: Stage, is_open: bool) -> None:
        """Enable or disable the transition into a stage."""
        with self._lock:
            self._gate(stage).open = is_open
            self._admit(stage)

    def waiting(self, stage: Stage) -> list[str]:
        """Who waits in front of a stage."""
        with self._lock:
            return list(self._gate(stage).waiting)

    def inside(self, stage: Stage) -> str | None:
        """Who is in a stage."""
        with self._lock:
            return self._gate(stage).inside

    def _gate(self, stage: Stage) -> Gate:
        return self._gates.setdefault(stage, Gate())

    def _leave(self, stage: Stage, execution: str) -> None:
        gate = self._gate(stage)
        if gate.inside == execution:
            gate.inside = None
            self._admit(stage)

    def _admit(self, stage: Stage) -> None:
        admitted = self._gate(stage).admit()
        if admitted:
            self._decide(admitted, ENTERED)

    def _decide(self, execution: str, outcome: str) -> None:
        self._tickets.pop(execution).decide(outcome)
