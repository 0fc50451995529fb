from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.core.delays import NO_DELAYS
from localcloud.core.ports import AlarmState
from localcloud.server import LocalCloud
from tests.localcloud.codepipeline.world import ACCOUNT, NUMBERS, REGION, SERVICES, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SPEED = 600.0  # a minute of the cloud in a tenth of a second


class Alarms:
    """CloudWatch, as far as a pipeline asks it: alarms that a test sets."""

    def __init__(self, server: LocalCloud) -> None:
        self._bus = server.cloud.bus
        self.states: dict[str, str] = {}

    def alarm_states(
        self, account: str, region: str, names: Iterable[str]
    ) -> dict[str, AlarmState]:
        return {
            name: AlarmState(self.states[name], "a test said so", 0.0)  # type: ignore[arg-type]  # one of the literals
            for name in names
            if name in self.states
        }

    def set(self, name: str, state: str) -> None:
        self.states[name] = state
        self._bus.publish(ACCOUNT, REGION, "aws.cloudwatch", "CloudWatch Alarm State Change", {})


@pytest.fixture(scope="session", autouse=True)
def _own_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An image of the tests' own, made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalCloud, str]]:
    """One local cloud for all pipelines, and its connection."""
    server = LocalCloud(
        tmp_path_factory.mktemp("pipelines"), services=SERVICES, speed=SPEED, delays=NO_DELAYS
    )
    server.start()
    world = World(server, "none")
    connection = world.set_up()
    world.close()
    yield server, connection
    server.stop()


@pytest.fixture
def world(shared: tuple[LocalCloud, str]) -> Iterator[World]:
    """A pipeline of the test's own, not yet created."""
    server, connection = shared
    world = World(server, f"pipeline-{next(NUMBERS)}", connection)
    yield world
    server.cloud.codepipeline.delete(ACCOUNT, REGION, world.name)
    world.close()


@pytest.fixture
def alarms(world: World) -> Alarms:
    alarms = Alarms(world.server)
    world.server.cloud.cloudwatch = alarms  # type: ignore[assignment]  # a fake at the port
    return alarms
