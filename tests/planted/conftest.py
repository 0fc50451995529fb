"""One delivery for all planted faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from tests.planted.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEED = 300.0


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    """A delivery that has released once, at 300 times the speed of AWS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        server = LocalCloud(
            tmp_path_factory.mktemp("planted"), speed=SPEED, iam="enforce", delays=NO_DELAYS
        )
        server.start()
        delivery = Delivery(server, tmp_path_factory.mktemp("checkout"))
        delivery.set_up()
        first = delivery.release()
        assert first.status == "Succeeded", first.failed
        yield delivery
        server.stop()


@pytest.fixture
def delivery(healthy: Delivery) -> Delivery:
    """The delivery without faults: the next test resets those that one plants."""
    healthy.restore()
    return healthy
