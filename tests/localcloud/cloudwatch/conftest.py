"""A cloud at normal speed and fast ones; every test has its own account."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.delays import AS_ON_AWS, NO_DELAYS, Delays
from localcloud.server import LocalCloud
from tests.localcloud.cloudwatch.state_changes import StateChanges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGION = "eu-west-1"
FAST = 600.0
_accounts = itertools.count(100000000001)


def _started(
    factory: pytest.TempPathFactory, speed: float, delays: Delays = NO_DELAYS
) -> Iterator[LocalCloud]:
    server = LocalCloud(
        factory.mktemp("state") / "state",
        speed=speed,
        services=("logs", "cloudwatch"),
        delays=delays,
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    yield from _started(tmp_path_factory, 1.0)


@pytest.fixture(scope="module")
def fast_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    yield from _started(tmp_path_factory, FAST)


@pytest.fixture(scope="module")
def aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A fast cloud whose metrics arrive as late as on AWS."""
    yield from _started(tmp_path_factory, FAST, AS_ON_AWS)


@pytest.fixture(scope="module")
def late_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A fast cloud whose metrics arrive fifteen minutes later than on AWS."""
    yield from _started(tmp_path_factory, FAST, Delays(metric_seconds=900.0))


@pytest.fixture
def account() -> str:
    return str(next(_accounts))


@pytest.fixture
def client(server: LocalCloud, account: str) -> Any:
    return server.cloud.client("cloudwatch", account, REGION)


@pytest.fixture(scope="module")
def empty_client(server: LocalCloud) -> Any:
    """A client of an account without resources."""
    return server.cloud.client("cloudwatch", "100000000000", REGION)


@pytest.fixture
def fast_client(fast_server: LocalCloud, account: str) -> Any:
    return fast_server.cloud.client("cloudwatch", account, REGION)


@pytest.fixture
def state_changes(account: str) -> Callable[[LocalCloud], StateChanges]:
    """Record the state changes of an account."""
    return lambda server: StateChanges(server, account)
