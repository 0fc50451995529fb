"""Log events become visible some seconds after their write; none is lost."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.clock import Clock
from localcloud.core.delays import AS_ON_AWS, NO_DELAYS, Delays
from localcloud.core.ledger import Ledger
from localcloud.logs.events import Events
from localcloud.logs.visibility import Visibility

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
SHORTEST, LONGEST = 1.0, 31.0
"""Cloud seconds after which the first and the last event is visible."""


class HeldClock(Clock):
    """A clock that a test sets."""

    held = 1_000_000.0

    def timestamp(self) -> float:
        return self.held


@pytest.fixture
def server(start_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    return start_cloud(services=("logs",), delays=AS_ON_AWS)


def _pass(server: LocalCloud, seconds: float) -> None:
    server.cloud.clock._origin += seconds


def _written(server: LocalCloud, stream: str, *texts: str) -> None:
    now = server.cloud.clock.timestamp()
    server.cloud.logs.write(ACCOUNT, REGION, "g", stream, [(now, each) for each in texts])


def _texts(answer: Any) -> list[str]:
    return [each["message"] for each in answer["events"]]


def test_events_become_visible_later_to_each_operation(server: LocalCloud) -> None:
    client = server.cloud.client("logs", ACCOUNT, REGION)
    _written(server, "s", "a", "b")
    _pass(server, SHORTEST)
    stream = {"logGroupName": "g", "logStreamName": "s", "startFromHead": True}
    first = client.get_log_events(**stream)
    assert _texts(first) == _texts(client.filter_log_events(logGroupName="g")) == []
    [described] = client.describe_log_streams(logGroupName="g")["logStreams"]
    assert "lastEventTimestamp" not in described
    _pass(server, LONGEST)
    assert _texts(client.filter_log_events(logGroupName="g")) == ["a", "b"]
    # A client that follows the stream by its tokens loses no event.
    second = client.get_log_events(**stream, nextToken=first["nextForwardToken"])
    assert _texts(second) == ["a", "b"]
    [described] = client.describe_log_streams(logGroupName="g")["logStreams"]
    assert "lastEventTimestamp" in described


def test_subscribers_receive_events_without_delay(server: LocalCloud) -> None:
    heard: list[str] = []
    server.cloud.logs.subscribe(lambda *given: heard.extend(text for _, text in given[-1]))
    _written(server, "s", "a")
    assert heard == ["a"]


def test_a_stream_becomes_visible_in_order_and_a_group_does_not() -> None:
    visibility = Visibility(AS_ON_AWS)
    times = [visibility.seen(1, "g/s", 1000.0 + second) for second in range(60)]
    assert times == sorted(times)
    assert all(2 <= at - (1000 + second) <= 30 for second, at in enumerate(times))
    streams = [visibility.seen(n, f"g/{n}", 1000.0 + n / 10) for n in range(2, 62)]
    assert streams != sorted(streams)


def test_a_seed_reproduces_the_delays() -> None:
    def times(delays: Delays) -> list[float]:
        visibility = Visibility(delays)
        return [visibility.seen(n, f"g/{n}", 1000.0) for n in range(20)]

    assert times(Delays(seed=1)) == times(Delays(seed=1)) != times(Delays(seed=2))
    assert set(times(NO_DELAYS)) == {0.0}


def test_a_folder_with_events_without_a_visibility_time_is_read(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.executescript(
            "CREATE TABLE log_streams (id INTEGER PRIMARY KEY, log_group TEXT NOT NULL,"
            " name TEXT NOT NULL, created REAL NOT NULL, UNIQUE (log_group, name));"
            "CREATE TABLE log_events (seq INTEGER PRIMARY KEY, stream INTEGER NOT NULL,"
            " time REAL NOT NULL, message TEXT NOT NULL);"
            "INSERT INTO log_streams VALUES (1, 'a/r/g', 's', 1);"
            "INSERT INTO log_events VALUES (1, 1, 5.0, 'old');"
        )
    connection.close()
    ledger = Ledger(tmp_path)
    clock = HeldClock()
    for _ in range(2):
        events = Events(ledger, clock, AS_ON_AWS)
        assert [each.message for each in events.read("a/r/g", ["s"], most=9)] == ["old"]
    events.write("a/r/g", "s", [(6.0, "new")])
    assert [each.message for each in events.read("a/r/g", ["s"], most=9)] == ["old"]
    clock.held += LONGEST
    assert [each.message for each in events.read("a/r/g", ["s"], most=9)] == ["old", "new"]
    ledger.close()
