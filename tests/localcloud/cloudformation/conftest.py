from __future__ import annotations

import itertools
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.delays import NO_DELAYS
from localcloud.core.providers import ProvisioningError, Resource
from localcloud.server import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.core.providers import ResourceRequest

ACCOUNT, REGION = "111111111111", "eu-west-1"


class KilledError(BaseException):
    """Simulates the end of the process for the code under test."""


@dataclass
class World:
    """A fake provider with the resources that it created: properties by physical id.

    `Key` is a create-only property. A `Value` of "bad" or "bug" fails, and "slow" waits for `held`.
    A resource whose logical id is in `stuck` cannot be deleted, nor restored by a rollback. After
    `dies_in` calls, the next one raises `KilledError` before it does anything.
    """

    exists: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str, bool]] = field(default_factory=list)
    dies_in: int | None = None
    stuck: set[str] = field(default_factory=set)
    held: threading.Event | None = None
    """A waiting call waits for this event, or until it is cancelled."""
    entered: threading.Event = field(default_factory=threading.Event)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        return bool(request.properties.get("Key") != current.properties.get("Key"))

    def create(self, request: ResourceRequest) -> Resource:
        self._begin("create", request)
        name = f"{request.logical_id}-{next(self._numbers)}"
        self.exists[name] = request.properties
        return Resource(name, {"Value": request.properties.get("Value", "")}, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        assert current.physical_id in self.exists
        self._begin("update", request)
        self.exists[current.physical_id] = request.properties
        attributes = {"Value": request.properties.get("Value", "")}
        return Resource(current.physical_id, attributes, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        users = [name for name, each in self.exists.items() if current.physical_id in str(each)]
        assert not users, f"{current.physical_id} is removed while {users} refer to it"
        self._begin("delete", request)
        self.exists.pop(current.physical_id, None)

    def _begin(self, verb: str, request: ResourceRequest) -> None:
        if self.dies_in is not None:
            if self.dies_in == 0:
                raise KilledError
            self.dies_in -= 1
        self.calls.append((verb, request.logical_id, request.rollback))
        if self.held is not None and request.properties.get("Value") == "slow":
            self.entered.set()
            while not self.held.wait(0.01):
                if request.cancel.is_set():
                    raise ProvisioningError("cancelled")
        if (verb == "delete" or request.rollback) and request.logical_id in self.stuck:
            raise ProvisioningError("will not go")
        if verb == "delete":
            return
        if request.properties.get("Value") == "bad":
            raise ProvisioningError("a bad value")
        if request.properties.get("Value") == "bug":
            raise KeyError("a bug")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def new_world() -> type[World]:
    return World


@pytest.fixture
def killed() -> type[BaseException]:
    return KilledError


@pytest.fixture
def start(tmp_path: Path, world: World) -> Iterator[Callable[..., LocalCloud]]:
    """Starts local clouds in which the world provides `Test::World::Thing`."""
    servers: list[LocalCloud] = []

    def started(*, speed: float = 1.0) -> LocalCloud:
        server = LocalCloud(
            tmp_path / "state",
            speed=speed,
            services=("logs", "sts", "cloudformation"),
            delays=NO_DELAYS,
        )
        server.cloud.cloudformation.providers["Test::World::Thing"] = world
        server.start()
        servers.append(server)
        return server

    yield started
    for server in servers:
        if server.running:
            server.stop()


@pytest.fixture
def cloud(start: Callable[..., LocalCloud]) -> LocalCloud:
    return start()


@pytest.fixture
def settle() -> Callable[[LocalCloud], None]:
    """Wait until every operation in progress in a cloud has ended."""

    def settle(cloud: LocalCloud) -> None:
        for running in list(cloud.cloud.cloudformation.executions._running.values()):
            running.thread.join(60)

    return settle


@pytest.fixture
def client(cloud: LocalCloud, world: World, settle: Callable[[LocalCloud], None]) -> Any:
    """Return a client whose calls return when their operation has ended."""
    client = cloud.cloud.client("cloudformation", ACCOUNT, REGION)

    def wait(**_: Any) -> None:
        if world.held is None or world.held.is_set():
            settle(cloud)

    client.meta.events.register("after-call.cloudformation", wait)
    return client


@pytest.fixture
def template() -> Callable[..., str]:
    """Return a template of things: `name=value`, or `name={…}` for a full definition."""

    def text(outputs: dict[str, Any] | None = None, /, **things: Any) -> str:
        resources = {
            name: {
                "Type": "Test::World::Thing",
                **(value if isinstance(value, dict) else {"Properties": {"Value": value}}),
            }
            for name, value in things.items()
        }
        return json.dumps({"Resources": resources} | ({"Outputs": outputs} if outputs else {}))

    return text
