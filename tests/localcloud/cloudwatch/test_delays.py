"""Arrival delays of metrics by source, and alarms on late metrics."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from localcloud.cloudwatch.delays import MetricDelays
from localcloud.cloudwatch.metrics import MetricStore
from localcloud.cloudwatch.model import Metric
from localcloud.core.clock import Clock
from localcloud.core.delays import AS_ON_AWS, NO_DELAYS, Delays
from localcloud.core.ledger import Ledger
from localcloud.core.ports import Datum

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud.core.bus import Event
    from localcloud.server import LocalCloud

    class StateChanges(Protocol):
        seen: list[Event]

        def wait(self, alarm: str, value: str, after: Event | None = None) -> Event: ...


REGION = "eu-west-1"
OWNER = "111111111111/eu-west-1/AWS/Lambda"
METRIC = Metric("111111111111", REGION, "AWS/Lambda", "Errors", (("FunctionName", "f"),))


class HeldClock(Clock):
    """A clock that a test sets."""

    held = 1_000_000.0

    def timestamp(self) -> float:
        return self.held


def test_a_service_sends_its_metrics_once_a_minute() -> None:
    delays = MetricDelays(AS_ON_AWS)
    dimensions = {"FunctionName": "f"}
    times = [delays.of_service(OWNER, dimensions, 1000.0 + second) for second in range(180)]
    assert len(set(times)) in (3, 4)
    assert all(5 <= at - (1000 + second) <= 65 for second, at in enumerate(times))
    versioned = dimensions | {"Resource": "f:live", "ExecutedVersion": "2"}
    assert delays.of_service(OWNER, versioned, 1000.0) == times[0]
    others = {delays.of_service(OWNER, {"FunctionName": f"f{n}"}, 1000.0) for n in range(20)}
    assert len(others) == 20


def test_log_lines_arrive_out_of_order_and_calls_within_seconds() -> None:
    delays = MetricDelays(AS_ON_AWS)
    lines = [delays.of_log_line(f"line {n}", 1000.0 + n) for n in range(100)]
    assert lines != sorted(lines)
    assert all(2 <= at - (1000 + n) <= 50 for n, at in enumerate(lines))
    assert all(1 <= delays.of_call(OWNER, now) - now <= 3 for now in map(float, range(100)))


def test_a_seed_reproduces_delays_and_extra_delay_is_added() -> None:
    def times(model: Delays) -> list[float]:
        delays = MetricDelays(model)
        return [delays.of_log_line(f"line {n}", 1000.0) for n in range(20)] + [
            delays.of_service(OWNER, {"FunctionName": "f"}, 1000.0)
        ]

    assert times(Delays(seed=1)) == times(Delays(seed=1)) != times(Delays(seed=2))
    assert times(Delays(180.0)) == [each + 180 for each in times(Delays())]
    assert len({MetricDelays(Delays(more)).of_call(OWNER, 1000.0) for more in (0.0, 180.0)}) == 1
    assert set(times(NO_DELAYS)) == {1000.0}


def test_data_is_visible_once_it_has_arrived(tmp_path: Path) -> None:
    clock = HeldClock()
    begin = math.floor(clock.held / 60) * 60
    ledger = Ledger(tmp_path)
    store = MetricStore(ledger, clock)

    def read() -> dict[int, float]:
        windows = store.windows(METRIC, None, begin - 120, begin + 120, 60)
        return {at - begin: each.total for at, each in windows.items()}

    store.put(METRIC, "Count", begin, [(1.0, 1.0)])
    store.put(METRIC, "Count", begin, [(2.0, 1.0)], arrives=clock.held + 30)
    store.put(METRIC, "Count", begin - 60, [(4.0, 1.0)], arrives=clock.held + 90)
    assert read() == {0: 1}
    store.flush()
    assert read() == {0: 1}
    # As after a kill: flushed data still arrives.
    store = MetricStore(ledger, clock)
    clock.held += 30
    assert read() == {0: 3}
    store = MetricStore(ledger, clock)
    assert read() == {0: 3}
    store.flush()
    clock.held += 60
    assert read() == {-60: 4, 0: 3}
    for _ in range(2):
        store.flush()
        store = MetricStore(ledger, clock)
        assert read() == {-60: 4, 0: 3}
    ledger.close()


def test_a_metric_is_not_listed_before_its_data_arrive(tmp_path: Path) -> None:
    clock = HeldClock()
    ledger = Ledger(tmp_path)
    store = MetricStore(ledger, clock)
    store.put(METRIC, "Count", clock.held, [(1.0, 1.0)], arrives=clock.held + 30)
    assert store.metrics(METRIC.account, REGION, 0) == []
    clock.held += 30
    assert store.metrics(METRIC.account, REGION, 0) == [METRIC]
    ledger.close()


def _alarm(client: Any, name: str, periods: int) -> None:
    client.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": "FunctionName", "Value": "f"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=periods,
        DatapointsToAlarm=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )


@pytest.mark.parametrize("delay", ["as on AWS", "fifteen minutes more"])
def test_an_alarm_uses_late_data_only_within_its_evaluation_range(
    request: pytest.FixtureRequest,
    account: str,
    state_changes: Callable[[LocalCloud], StateChanges],
    delay: str,
) -> None:
    """See "Evaluating an alarm"; mapbox/cloudfriend#70 is about data beyond the range."""
    late = delay != "as on AWS"
    server = request.getfixturevalue("late_server" if late else "aws_server")
    client = server.cloud.client("cloudwatch", account, REGION)
    changes = state_changes(server)
    _alarm(client, "one-minute", 1)
    _alarm(client, "half-hour", 30)
    changes.wait("half-hour", "OK")
    now = server.cloud.clock.timestamp()
    data = [Datum("Errors", {"FunctionName": "f"}, (1.0,), now, "Count")]
    server.cloud.cloudwatch.put(account, REGION, "AWS/Lambda", data)
    alarmed = changes.wait("half-hour", "ALARM")
    changes.wait("half-hour", "OK", after=alarmed)
    seen = {each.detail["alarmName"] for each in changes.seen if
            each.detail["state"]["value"] == "ALARM"}  # fmt: skip
    assert seen == ({"half-hour"} if late else {"one-minute", "half-hour"})


def test_metrics_of_log_lines_arrive_later(
    late_server: LocalCloud, account: str, state_changes: Callable[[LocalCloud], StateChanges]
) -> None:
    cloud = late_server.cloud
    client, logs = (cloud.client(each, account, REGION) for each in ("cloudwatch", "logs"))
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    directive = {"Namespace": "N", "Dimensions": [[]], "Metrics": [{"Name": "Failures"}]}
    stamp = int(time.time() * 1000)
    line = json.dumps({"_aws": {"Timestamp": stamp, "CloudWatchMetrics": [directive]},
                       "Failures": 1})  # fmt: skip
    written = cloud.clock.timestamp()
    event = {"timestamp": stamp, "message": line}
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[event])
    assert client.list_metrics()["Metrics"] == []
    changes = state_changes(late_server)
    client.put_metric_alarm(
        AlarmName="failures", Namespace="N", MetricName="Failures", Statistic="Sum", Period=60,
        EvaluationPeriods=30, DatapointsToAlarm=1, Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )  # fmt: skip
    changes.wait("failures", "ALARM")
    assert cloud.clock.timestamp() >= written + 902
