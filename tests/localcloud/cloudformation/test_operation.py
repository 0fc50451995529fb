"""Operations against a model: random templates, failures, and process ends."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from localcloud.cloudformation.intrinsics import Resolver
from localcloud.cloudformation.model import Stack
from localcloud.cloudformation.operation import Operation
from localcloud.cloudformation.records import Records
from localcloud.core.clock import Clock
from localcloud.core.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

_NAMES = "ABCDE"


@dataclass
class Update:
    resources: dict[str, Any]
    dies_in: int | None


@st.composite
def updates(draw: st.DrawFn) -> list[Update]:
    return draw(st.lists(_update(), min_size=1, max_size=5))


@st.composite
def _update(draw: st.DrawFn) -> Update:
    # A random order, so that dependencies reverse between two templates.
    names = draw(st.permutations(_NAMES))[: draw(st.integers(1, len(_NAMES)))]
    resources: dict[str, Any] = {}
    for place, name in enumerate(names):
        value = draw(st.sampled_from(["one", "two", "one", "two", "bad", "bug"]))
        properties: dict[str, Any] = {"Key": draw(st.sampled_from("kl")), "Value": value}
        needed = draw(st.sets(st.sampled_from(names[:place]), max_size=2)) if place else set()
        if needed:
            properties["Needs"] = [{"Ref": other} for other in sorted(needed)]
        resources[name] = {"Type": "Test", "Properties": properties}
    return Update(resources, draw(st.none() | st.integers(0, 8)))


class Process:
    """One process, which loads the stack from the records."""

    def __init__(self, ledger: Ledger, world: Any) -> None:
        self.ledger, self.world = ledger, world
        self.records = Records(ledger, Clock())
        self.stack = next(self.records.stacks())

    def operation(self) -> Operation:
        return Operation(
            self.stack,
            lambda _type: self.world,
            lambda _request, _verb, _current: None,
            self.records,
            threading.Event(),
            threading.Event(),
            self.records.steps(self.stack),
        )

    def update(self, resources: dict[str, Any]) -> bool:
        """Update the stack as `Executions` does; return whether it succeeded."""
        made = {name: each.made() for name, each in self.stack.resources.items()}
        resolver = Resolver(
            {},
            parameters={},
            pseudo={},
            resources=made,
            dynamic=lambda *_: "",
            imported=str,
            gateway="",
        )
        template = {"Resources": resources}
        operation = self.operation()
        self.records.status(self.stack, "UPDATE_IN_PROGRESS")
        if operation.apply(template, resolver, made, {}) is not None:
            self.records.status(self.stack, "UPDATE_ROLLBACK_IN_PROGRESS")
            self.roll_back(operation)
            return False
        with self.ledger.transaction():
            operation.settle(template, resolver)
            self.records.status(self.stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        operation.clean_up()
        self.records.status(self.stack, "UPDATE_COMPLETE")
        return True

    def resume(self) -> bool:
        """Resume as `Executions.resume` does; return whether the update succeeded."""
        if self.stack.status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
            self.operation().clean_up()
            self.records.status(self.stack, "UPDATE_COMPLETE")
            return True
        self.roll_back(self.operation())
        return False

    def roll_back(self, operation: Operation) -> None:
        """Roll back as `Executions` does; repeat nothing that was done."""
        assert operation.roll_back(update=True) == []
        self.records.status(self.stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        operation.clean_up()
        self.records.status(self.stack, "UPDATE_ROLLBACK_COMPLETE")


def _state(world: Any, stack: Stack) -> dict[str, Any]:
    """Return the resources that exist, by logical id."""
    found = {
        name: world.exists[each.physical_id] | {"id": each.physical_id}
        for name, each in stack.resources.items()
    }
    assert sorted(each["id"] for each in found.values()) == sorted(world.exists)
    for name, each in stack.resources.items():
        assert world.exists[each.physical_id] == each.properties, name
    return found


def _wanted(resources: dict[str, Any], stack: Stack) -> dict[str, Any]:
    ids = {name: each.physical_id for name, each in stack.resources.items()}
    wanted = {}
    for name, definition in resources.items():
        properties = dict(definition["Properties"])
        if "Needs" in properties:
            properties["Needs"] = [ids[each["Ref"]] for each in properties["Needs"]]
        wanted[name] = properties | {"id": ids[name]}
    return wanted


def _ledgers() -> Iterator[Ledger]:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        ledger._connection.execute("PRAGMA synchronous=OFF")
        yield ledger
        ledger.close()


@settings(max_examples=60)
@given(updates())
def _check_updates(new_world: Any, killed: Any, wanted: list[Update]) -> None:
    for ledger in _ledgers():
        Records(ledger, Clock()).save(Stack("id", "name", "1", "r", "CREATE_COMPLETE", 0.0))
        world = new_world()
        process = Process(ledger, world)
        for update in wanted:
            before = _state(world, process.stack)
            world.dies_in = update.dies_in
            try:
                went_through = process.update(update.resources)
                event("went through" if went_through else "rolled back")
            except killed:
                world.dies_in = None
                process = Process(ledger, world)
                went_through = process.resume()
                event("killed, and cleaned up" if went_through else "killed, and rolled back")
            world.dies_in = None
            after = _state(world, process.stack)
            assert after == (_wanted(update.resources, process.stack) if went_through else before)
            assert _state(world, Process(ledger, world).stack) == after
            assert process.records.steps(process.stack) == []
        assert process.operation().delete_all() == []
        assert world.exists == {}
        assert Process(ledger, world).stack.resources == {}


def test_an_update_succeeds_or_leaves_all_resources_unchanged(new_world: Any, killed: Any) -> None:
    """An update succeeds, or leaves all resources as they were.

    After a success the resources match the template. After a failure, or the end of the process at
    any call of a provider, they are unchanged. No resource is left over, and the world asserts
    that none is deleted while another one refers to it.
    """
    _check_updates(new_world, killed)


def test_a_bug_of_a_provider_fails_its_resource_and_is_logged(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for ledger in _ledgers():
        Records(ledger, Clock()).save(Stack("id", "name", "1", "r", "CREATE_COMPLETE", 0.0))
        process = Process(ledger, world)
        assert not process.update({"A": {"Type": "Test", "Properties": {"Value": "bug"}}})
        reasons = [each["ResourceStatusReason"] for each in process.records.events(process.stack)]
        assert "Internal failure of the local cloud: KeyError('a bug')" in reasons
    assert "KeyError: 'a bug'" in caplog.text
