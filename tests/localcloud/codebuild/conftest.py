from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from tests.localcloud.codebuild.builds import SERVICES, Builds

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def _own_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use a separate image for the tests, created once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """One local cloud for all builds."""
    server = LocalCloud(tmp_path_factory.mktemp("builds"), services=SERVICES, delays=NO_DELAYS)
    server.start()
    Builds(server).set_up()
    yield server
    server.stop()


@pytest.fixture
def builds(server: LocalCloud) -> Builds:
    """A separate project for each test."""
    found = Builds(server, project=f"builder-{next(_numbers)}")
    found.declare()
    return found
