from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.clock import Clock
from localcloud.core.delays import NO_DELAYS
from localcloud.core.ledger import Ledger
from localcloud.core.providers import ProvisioningError, ResourceRequest
from localcloud.logs.events import Events
from localcloud.logs.patterns import PatternError, matcher
from localcloud.logs.providers import LogGroupProvider, LogStreamProvider, UnsupportedProvider
from localcloud.server import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT, REGION = "111111111111", "eu-west-1"
_groups = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    server = LocalCloud(tmp_path_factory.mktemp("logs"), services=("logs", "sts"), delays=NO_DELAYS)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def logs(server: LocalCloud) -> Any:
    return server.cloud.client("logs", ACCOUNT, REGION)


@pytest.fixture
def group(request: pytest.FixtureRequest, logs: Any) -> str:
    """A separate log group for each test."""
    name: str = request.node.name
    logs.create_log_group(logGroupName=name)
    return name


def write(server: LocalCloud, group: str, stream: str, *lines: str, at: float = 1000.0) -> None:
    timed = [(at + number, line) for number, line in enumerate(lines)]
    server.cloud.logs.write(ACCOUNT, REGION, group, stream, timed)


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


class TestGroups:
    def test_a_group_is_created_once_and_found_by_name(self, logs: Any, group: str) -> None:
        with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=group)
        (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        assert found["arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*"
        logs.put_retention_policy(logGroupName=group, retentionInDays=7)
        (found,) = logs.describe_log_groups(logGroupNamePattern=group[2:])["logGroups"]
        assert found["retentionInDays"] == 7
        logs.delete_log_group(logGroupName=group)
        assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
        with pytest.raises(logs.exceptions.ResourceNotFoundException, match="log group"):
            logs.get_log_events(logGroupName=group, logStreamName="s")

    def test_groups_come_in_pages(self, logs: Any) -> None:
        names = [f"paged-{number:03}" for number in range(7)]
        for name in names:
            logs.create_log_group(logGroupName=name)
        pages = logs.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix="paged-", PaginationConfig={"PageSize": 3}
        )
        assert [each["logGroupName"] for page in pages for each in page["logGroups"]] == names

    def test_tags(self, logs: Any, group: str) -> None:
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
        logs.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
        logs.untag_resource(resourceArn=arn, tagKeys=["a"])
        assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}

    def test_another_account_cannot_see_the_group(self, server: LocalCloud, group: str) -> None:
        other = server.cloud.client("logs", "222222222222", REGION)
        assert other.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


class TestStreams:
    def test_a_stream_is_shown_before_its_first_event(self, logs: Any, group: str) -> None:
        logs.create_log_stream(logGroupName=group, logStreamName="new")
        with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(logGroupName=group, logStreamName="new")
        (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
        assert stream["logStreamName"] == "new"
        assert "firstEventTimestamp" not in stream
        assert messages(logs.get_log_events(logGroupName=group, logStreamName="new")) == []
        with pytest.raises(logs.exceptions.ResourceNotFoundException, match="log stream"):
            logs.put_log_events(
                logGroupName=group, logStreamName="x", logEvents=[{"timestamp": 1, "message": "m"}]
            )

    def test_newest_stream_first(self, server: LocalCloud, logs: Any, group: str) -> None:
        for at, name in ((3000, "old"), (5000, "new"), (4000, "mid")):
            write(server, group, name, "x", "y", at=at)
        found = logs.describe_log_streams(
            logGroupName=group, orderBy="LastEventTime", descending=True
        )["logStreams"]
        assert [each["logStreamName"] for each in found] == ["new", "mid", "old"]
        assert found[0]["firstEventTimestamp"] == 5_000_000
        assert found[0]["lastEventTimestamp"] == 5_001_000
        logs.delete_log_stream(logGroupName=group, logStreamName="new")
        found = logs.describe_log_streams(logGroupName=group)["logStreams"]
        assert [each["logStreamName"] for each in found] == ["mid", "old"]


class TestReading:
    def test_tokens_page_through_a_stream_both_ways(
        self, server: LocalCloud, logs: Any, group: str
    ) -> None:
        lines = [f"line {number}" for number in range(7)]
        write(server, group, "s", *lines)
        ask = {"logGroupName": group, "logStreamName": "s", "limit": 3}
        newest = logs.get_log_events(**ask)
        assert messages(newest) == lines[4:]
        older = logs.get_log_events(**ask, nextToken=newest["nextBackwardToken"])
        assert messages(older) == lines[1:4]
        first = logs.get_log_events(**ask, startFromHead=True)
        assert messages(first) == lines[:3]
        end = logs.get_log_events(**ask, nextToken=newest["nextForwardToken"])
        assert messages(end) == []
        assert end["nextForwardToken"] == newest["nextForwardToken"]
        write(server, group, "s", "later", at=2000)
        tail = logs.get_log_events(**ask, nextToken=end["nextForwardToken"])
        assert messages(tail) == ["later"]
        with pytest.raises(logs.exceptions.InvalidParameterException, match="nextToken"):
            logs.get_log_events(**ask, nextToken="nonsense")

    def test_a_group_is_read_across_its_streams_by_time(
        self, server: LocalCloud, logs: Any, group: str
    ) -> None:
        write(server, group, "a", "a ERROR one", "a fine", at=10)
        write(server, group, "b", "b ERROR two", "b WARN three", at=10.5)
        found = logs.filter_log_events(logGroupName=group)
        assert messages(found) == ["a ERROR one", "b ERROR two", "a fine", "b WARN three"]
        assert messages(logs.filter_log_events(logGroupName=group, filterPattern="ERROR")) == [
            "a ERROR one",
            "b ERROR two",
        ]
        some = logs.filter_log_events(
            logGroupName=group, startTime=10_500, endTime=11_000, logStreamNames=["b", "a"]
        )
        assert messages(some) == ["b ERROR two", "a fine"]
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern="?ERROR ?WARN", PaginationConfig={"PageSize": 2}
        )
        assert [m for page in pages for m in messages(page)] == [
            "a ERROR one",
            "b ERROR two",
            "b WARN three",
        ]
        with pytest.raises(logs.exceptions.InvalidParameterException, match="JSON"):
            logs.filter_log_events(logGroupName=group, filterPattern='{ $.level = "ERROR" }')

    def test_events_of_a_client_are_stamped_by_the_clouds_clock(
        self, server: LocalCloud, logs: Any, group: str
    ) -> None:
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        wall = int(time.time() * 1000)
        logs.put_log_events(
            logGroupName=group,
            logStreamName="s",
            logEvents=[{"timestamp": wall, "message": "now"}],
        )
        (event,) = logs.get_log_events(logGroupName=group, logStreamName="s")["events"]
        assert event["timestamp"] == pytest.approx(
            server.cloud.clock.of_wall(wall / 1000) * 1000, abs=2
        )

    def test_retention_hides_and_removes(
        self, server: LocalCloud, logs: Any, group: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = server.cloud.clock.timestamp()
        write(server, group, "s", "old", at=now - 2 * 86400)
        write(server, group, "s", "new", at=now)
        assert len(messages(logs.filter_log_events(logGroupName=group))) == 2
        logs.put_retention_policy(logGroupName=group, retentionInDays=1)
        assert messages(logs.filter_log_events(logGroupName=group)) == ["new"]
        assert messages(logs.get_log_events(logGroupName=group, logStreamName="s")) == ["new"]
        write(server, group, "s", "newer", at=now + 1)
        logs.delete_retention_policy(logGroupName=group)
        assert messages(logs.filter_log_events(logGroupName=group)) == ["new", "newer"]


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("", ["anything"], []),
        ("ERROR", ["an ERROR"], ["error"]),
        ("ERROR timeout", ["timeout ERROR"], ["ERROR"]),
        ('"it\'s here" -"not this"', ["it's here"], ["it's here not this", "its here"]),
        ("?a1 ?b2", ["a1", "xb2"], ["c3"]),
        (r'"say \"x\""', ['say "x"'], ["say x"]),
    ],
)
def test_patterns(pattern: str, matching: list[str], others: list[str]) -> None:
    matches = matcher(pattern)
    assert [each for each in matching + others if matches(each)] == matching


@pytest.mark.parametrize("pattern", ["{ $.a = 1 }", "[a, b]", "%x%", '"open', "?a b"])
def test_invalid_filter_patterns_are_rejected(pattern: str) -> None:
    with pytest.raises(PatternError):
        matcher(pattern)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Events]:
    ledger = Ledger(tmp_path_factory.mktemp("events"))
    yield Events(ledger, Clock(), NO_DELAYS)
    ledger.close()


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.text("xyz", max_size=3)), max_size=25
    ),
    st.integers(1, 7),
)
def test_pages_return_every_event_once_in_time_order(
    events: Events, written: list[tuple[str, int, str]], page: int
) -> None:
    group = str(next(_groups))
    for stream, at, text in written:
        events.write(group, stream, [(float(at), text)])
    wanted = [text for _, _, text in sorted(written, key=lambda each: each[1])]
    for newest_first in (False, True):
        seen: list[str] = []
        place = None
        while found := events.read(
            group,
            ["a", "b"],
            most=page,
            newest_first=newest_first,
            **{"before" if newest_first else "after": place},
        ):
            seen += [event.message for event in found]
            place = found[-1].place
        assert seen == (wanted[::-1] if newest_first else wanted)


def declared(type_name: str, **properties: Any) -> ResourceRequest:
    return ResourceRequest(
        type=type_name,
        logical_id="It",
        account=ACCOUNT,
        region=REGION,
        stack_name="stack",
        stack_id="arn:stack",
        properties=properties,
        cancel=threading.Event(),
        tags={"owner": "us"},
    )


class TestProviders:
    def test_the_lifecycle_of_a_group_in_a_template(self, server: LocalCloud, logs: Any) -> None:
        provider = LogGroupProvider(server.cloud.logs.events, server.cloud.logs.encryption)
        wanted = declared("AWS::Logs::LogGroup", LogGroupName="declared", RetentionInDays="30")
        made = provider.create(wanted)
        assert provider.create(wanted) == made, "an interrupted creation is taken up"
        (found,) = logs.describe_log_groups(logGroupNamePrefix="declared")["logGroups"]
        assert found["retentionInDays"] == 30
        assert made.attributes["Arn"] == found["arn"]
        tags = logs.list_tags_for_resource(resourceArn=found["logGroupArn"])["tags"]
        assert tags == {"owner": "us"}
        provider.update(declared("AWS::Logs::LogGroup", LogGroupName="declared"), made)
        (found,) = logs.describe_log_groups(logGroupNamePrefix="declared")["logGroups"]
        assert "retentionInDays" not in found
        provider.delete(wanted, made)
        assert logs.describe_log_groups(logGroupNamePrefix="declared")["logGroups"] == []

    def test_an_existing_group_is_not_adopted(
        self, server: LocalCloud, logs: Any, group: str
    ) -> None:
        with pytest.raises(ProvisioningError, match="already exists"):
            LogGroupProvider(server.cloud.logs.events, server.cloud.logs.encryption).create(
                declared("AWS::Logs::LogGroup", LogGroupName=group)
            )

    def test_unsupported_settings_are_named(self, server: LocalCloud) -> None:
        with pytest.raises(ProvisioningError, match="DataProtectionPolicy"):
            LogGroupProvider(server.cloud.logs.events, server.cloud.logs.encryption).create(
                declared("AWS::Logs::LogGroup", LogGroupName="x", DataProtectionPolicy={})
            )
        with pytest.raises(ProvisioningError, match="AWS::Logs::MetricFilter"):
            UnsupportedProvider().create(declared("AWS::Logs::MetricFilter"))

    def test_a_stream(self, server: LocalCloud, logs: Any, group: str) -> None:
        provider = LogStreamProvider(server.cloud.logs.events)
        wanted = declared("AWS::Logs::LogStream", LogGroupName=group, LogStreamName="s")
        made = provider.create(wanted)
        assert len(logs.describe_log_streams(logGroupName=group)["logStreams"]) == 1
        provider.delete(wanted, made)
        assert logs.describe_log_streams(logGroupName=group)["logStreams"] == []


def test_subscribers_receive_only_durable_events(server: LocalCloud, logs: Any, group: str) -> None:
    heard: list[tuple[Any, ...]] = []

    def subscriber(*written: Any) -> None:
        stored = messages(logs.filter_log_events(logGroupName=group))
        heard.append((*written[:4], stored))

    server.cloud.logs.subscribe(subscriber)
    write(server, group, "s", "one")
    server.cloud.logs._subscribers.remove(subscriber)
    assert heard == [(ACCOUNT, REGION, group, "s", ["one"])]


_CHILD = """
import os, signal, sys
from pathlib import Path
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
server = LocalCloud(Path(sys.argv[1]), services=("logs",), delays=NO_DELAYS)
server.start()
server.cloud.logs.write("111111111111", "eu-west-1", "g", "s", [(1.0, "written")])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_written_events_survive_a_kill(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tmp_path / "state")], check=False, capture_output=True
    )
    assert done.returncode == -9, done.stderr
    ledger = Ledger(tmp_path / "state")
    stored = Events(ledger, Clock(), NO_DELAYS).read("111111111111/eu-west-1/g", ["s"], most=9)
    ledger.close()
    assert [event.message for event in stored] == ["written"]
