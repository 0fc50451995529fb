from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.compose import Substitutes
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from tests.localcloud.codepipeline.world import ACCOUNT, NUMBERS, REGION, SERVICES, World
from tests.localcloud.fakes import FakeAlarms, RegionalAlarms

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEED = 600.0  # a minute of the cloud in a tenth of a second


@pytest.fixture(scope="session", autouse=True)
def _own_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A build image for the tests, created once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def alarm_states() -> RegionalAlarms:
    """What pipelines receive in place of CloudWatch."""
    return RegionalAlarms()


@pytest.fixture(scope="session")
def shared(
    tmp_path_factory: pytest.TempPathFactory, alarm_states: RegionalAlarms
) -> Iterator[tuple[LocalCloud, str]]:
    """One local cloud for all pipelines, and its connection."""
    server = LocalCloud(
        tmp_path_factory.mktemp("pipelines"),
        services=SERVICES,
        speed=SPEED,
        delays=NO_DELAYS,
        substitutes=Substitutes(alarms=alarm_states),
    )
    server.start()
    world = World(server, "none")
    connection = world.set_up()
    world.close()
    yield server, connection
    server.stop()


@pytest.fixture
def world(shared: tuple[LocalCloud, str]) -> Iterator[World]:
    """A pipeline for one test, not yet created."""
    server, connection = shared
    world = World(server, f"pipeline-{next(NUMBERS)}", connection)
    yield world
    server.cloud.codepipeline.delete(ACCOUNT, REGION, world.name)
    world.close()


@pytest.fixture
def alarms(world: World, alarm_states: RegionalAlarms) -> FakeAlarms:
    alarms = FakeAlarms(world.server.cloud.bus, ACCOUNT, REGION)
    alarm_states.regions[REGION] = alarms
    return alarms
