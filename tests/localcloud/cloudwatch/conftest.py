"""One cloud of ordinary speed and one that is fast; every test has an account of its own there."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.server import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.bus import Event

REGION = "eu-west-1"
FAST = 600.0
_accounts = itertools.count(100000000001)


def _started(
    factory: pytest.TempPathFactory, speed: float, metric_delay: float | None = None
) -> Iterator[LocalCloud]:
    server = LocalCloud(
        factory.mktemp("state") / "state",
        speed=speed,
        services=("logs", "cloudwatch"),
        metric_delay=metric_delay,
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
    """A fast one whose metrics arrive as late as AWS's."""
    yield from _started(tmp_path_factory, FAST, 0.0)


@pytest.fixture(scope="module")
def late_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A fast one whose metrics arrive fifteen minutes later than AWS's."""
    yield from _started(tmp_path_factory, FAST, 900.0)


@pytest.fixture
def account() -> str:
    return str(next(_accounts))


@pytest.fixture
def client(server: LocalCloud, account: str) -> Any:
    return server.cloud.client("cloudwatch", account, REGION)


@pytest.fixture(scope="module")
def empty_client(server: LocalCloud) -> Any:
    """Of an account in which nothing is ever made."""
    return server.cloud.client("cloudwatch", "100000000000", REGION)


@pytest.fixture
def fast_client(fast_server: LocalCloud, account: str) -> Any:
    return fast_server.cloud.client("cloudwatch", account, REGION)


class StateChanges:
    """The alarm state changes of an account, as they come."""

    def __init__(self, server: LocalCloud, account: str) -> None:
        self.seen: list[Event] = []
        self._account = account
        self._changed = threading.Condition()
        server.cloud.bus.subscribe(self._note)

    def _note(self, event: Event) -> None:
        if event.account == self._account:
            with self._changed:
                self.seen.append(event)
                self._changed.notify_all()

    def wait(self, alarm: str, value: str, after: Event | None = None) -> Event:
        """The first change of the alarm into a state, behind another event where one is given."""

        def found() -> Event | None:
            first = self.seen.index(after) if after else 0
            return next(
                (
                    event
                    for event in self.seen[first:]
                    if event.detail["alarmName"] == alarm
                    and event.detail["state"]["value"] == value
                ),
                None,
            )

        with self._changed:
            assert self._changed.wait_for(lambda: found() is not None, timeout=60), self.seen
            event = found()
        assert event is not None
        return event


@pytest.fixture
def state_changes(account: str) -> Callable[[LocalCloud], StateChanges]:
    """Watches the account in a cloud from now on."""
    return lambda server: StateChanges(server, account)
