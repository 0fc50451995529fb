"""The queues of stages, against a model of AWS's documented behavior."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from localcloud.codepipeline.halt import AbandonedError, Halt
from localcloud.codepipeline.queues import ENTERED, SUPERSEDED, StageQueues, Ticket

if TYPE_CHECKING:
    from localcloud.codepipeline.queues import Stage

STAGES: list[Stage] = [("p", name) for name in ("source", "build", "prod")]


def decision(ticket: Ticket) -> str:
    """Return the decision of a ticket without waiting for it."""
    return ticket._decision


class Traffic(RuleBasedStateMachine):
    """Moves executions, numbered in order of start, through three stages."""

    @initialize(mode=st.sampled_from(["SUPERSEDED", "QUEUED"]))
    def begin(self, mode: str) -> None:
        self.mode = mode
        self.queues = StageQueues()
        self.tickets: dict[str, Ticket] = {}
        self.stage: dict[str, int] = {}
        """The stage in which an execution is or for which it waits."""
        self.ended: dict[str, str] = {}
        self.began = 0
        self.entered: list[list[int]] = [[], [], []]
        self.closed: set[int] = set()
        self.rollbacks: set[str] = set()
        """Executions that run only one stage."""

    def enqueue(self, execution: str, index: int) -> None:
        self.stage[execution] = index
        self.tickets[execution] = self.queues.enqueue(
            STAGES[index],
            execution,
            leaving=STAGES[index - 1] if index else None,
            supersede=self.mode == "SUPERSEDED" and index > 0,
        )
        self.settle()

    def settle(self) -> None:
        """Record all decisions so far."""
        for execution, ticket in list(self.tickets.items()):
            if decision(ticket) == ENTERED:
                del self.tickets[execution]
                self.entered[self.stage[execution]].append(int(execution))
            elif decision(ticket):
                del self.tickets[execution]
                self.ended[execution] = decision(ticket)

    def inside(self) -> list[str]:
        return [each for each in self.stage if each not in self.tickets and each not in self.ended]

    @rule()
    def start(self) -> None:
        self.began += 1
        self.enqueue(str(self.began), 0)

    @precondition(lambda self: self.inside())
    @rule(data=st.data())
    def advance(self, data: st.DataObject) -> None:
        execution = data.draw(st.sampled_from(self.inside()))
        index = self.stage[execution]
        if index + 1 < len(STAGES) and execution not in self.rollbacks:
            self.enqueue(execution, index + 1)
        else:
            self.ended[execution] = "Succeeded"
            self.queues.leave(STAGES[index], execution)
            self.settle()

    @precondition(lambda self: self.inside())
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        execution = data.draw(st.sampled_from(self.inside()))
        self.ended[execution] = "Failed"
        self.queues.leave(STAGES[self.stage[execution]], execution)
        self.settle()

    @precondition(lambda self: self.inside())
    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        execution = data.draw(st.sampled_from(self.inside()))
        self.ended[execution] = "Failed"
        self.began += 1
        index, new = self.stage[execution], str(self.began)
        self.queues.replace_inside(STAGES[index], execution, new)
        self.queues.leave(STAGES[index], execution)
        self.stage[new] = index
        self.rollbacks.add(new)
        self.settle()

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        self.queues.withdraw(data.draw(st.sampled_from(sorted(self.tickets))), "Stopped")
        self.settle()

    @rule(index=st.sampled_from([1, 2]), is_open=st.booleans())
    def transition(self, index: int, is_open: bool) -> None:
        (self.closed.discard if is_open else self.closed.add)(index)
        self.queues.set_open(STAGES[index], is_open=is_open)
        self.settle()

    @invariant()
    def one_inside_each_stage_and_nobody_lost(self) -> None:
        for index, stage in enumerate(STAGES):
            inside = [each for each in self.inside() if self.stage[each] == index]
            assert len(inside) <= 1
            assert self.queues.inside(stage) == (inside[0] if inside else None)
            waiting = [each for each in self.tickets if self.stage[each] == index]
            assert self.queues.waiting(stage) == waiting, "all wait, by their arrival"
            if self.mode == "SUPERSEDED" and index > 0:
                assert len(waiting) <= 1
            if not inside and index not in self.closed:
                assert not waiting, "an open stage that is free lets the first in"

    @invariant()
    def the_order_is_kept(self) -> None:
        for entered in self.entered:
            assert entered == sorted(entered)

    @invariant()
    def only_what_a_newer_one_overtook_is_superseded(self) -> None:
        for execution, ended in self.ended.items():
            if ended == SUPERSEDED:
                assert self.mode == "SUPERSEDED"
                newer = [e for e in self.stage if int(e) > int(execution)]
                assert any(self.stage[each] >= self.stage[execution] for each in newer)


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=60, stateful_step_count=30)


def test_a_rejected_arrival_frees_the_previous_stage() -> None:
    queues = StageQueues()
    assert queues.enqueue(STAGES[0], "1").wait() == ENTERED
    second = queues.enqueue(STAGES[0], "2")
    refused = queues.enqueue(STAGES[1], "1", leaving=STAGES[0], refused=lambda: "Cancelled")
    assert (refused.wait(), second.wait()) == ("Cancelled", ENTERED)
    assert queues.inside(STAGES[1]) is None


def test_a_halt_wakes_all_waiters() -> None:
    halt, action, condition = Halt(), threading.Event(), threading.Event()
    with halt.waking(action), halt.waking(condition, when_stopping=True):
        halt.stop()
        assert condition.is_set()
        assert not action.is_set()
        halt.check()
        halt.abandon()
        assert action.is_set()
    late = threading.Event()
    with halt.waking(late):
        assert late.is_set()
    with pytest.raises(AbandonedError):
        halt.check()
