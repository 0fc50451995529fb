"""Alarms over time: evaluations, actions, and recovery after a restart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import pytest
from botocore.config import Config

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
SERVICES = ("logs", "cloudwatch")
FAST = 600.0
FAILURES: dict[str, Any] = {
    "Namespace": "N",
    "MetricName": "Failures",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 5,
    "ComparisonOperator": "GreaterThanThreshold",
}
BY_HAND = FAILURES | {"TreatMissingData": "ignore"}
"""On a metric without data, so that no evaluation changes a state set by a test."""


def _put(server: LocalCloud, account: str, name: str, *values: float) -> None:
    now = server.cloud.clock.timestamp()
    server.cloud.cloudwatch.put(account, REGION, "N", [Datum(name, {}, values, now)])


def _history(client: Any, name: str, kind: str) -> list[str]:
    items = client.describe_alarm_history(
        AlarmName=name, HistoryItemType=kind, ScanBy="TimestampAscending"
    )["AlarmHistoryItems"]
    return [each["HistorySummary"] for each in items]


def test_an_alarm_changes_state_and_publishes_it(
    fast_server: LocalCloud,
    fast_client: Any,
    account: str,
    state_changes: Callable[[LocalCloud], StateChanges],
) -> None:
    changes = state_changes(fast_server)
    fast_client.put_metric_alarm(
        AlarmName="failing",
        AlarmDescription="too many",
        TreatMissingData="notBreaching",
        **FAILURES,
    )
    _put(fast_server, account, "Failures", 4, 3)
    alarm = changes.wait("failing", "ALARM")
    assert (alarm.source, alarm.detail_type) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    assert alarm.resources == (f"arn:aws:cloudwatch:{REGION}:{account}:alarm:failing",)
    assert "1 out of the last 1 datapoints [7.0 (" in alarm.detail["state"]["reason"]
    assert alarm.detail["configuration"]["description"] == "too many"
    (metric,) = alarm.detail["configuration"]["metrics"]
    assert metric["metricStat"] == {
        "metric": {"namespace": "N", "name": "Failures", "dimensions": {}},
        "period": 60,
        "stat": "Sum",
    }
    # The data point leaves the evaluation range, and no other follows.
    back = changes.wait("failing", "OK", after=alarm)
    assert back.detail["previousState"] == alarm.detail["state"]
    assert back.detail["state"]["reason"].endswith("treated as [NonBreaching].")
    assert _history(fast_client, "failing", "StateUpdate")[-2:] == [
        f"Alarm updated from {alarm.detail['previousState']['value']} to ALARM",
        "Alarm updated from ALARM to OK",
    ]


@pytest.mark.parametrize(
    ("treated", "state"), [("breaching", "ALARM"), ("notBreaching", "OK"), ("missing", None)]
)
def test_an_alarm_on_a_metric_without_data(
    fast_server: LocalCloud,
    fast_client: Any,
    account: str,
    state_changes: Callable[[LocalCloud], StateChanges],
    treated: str,
    state: str | None,
) -> None:
    changes = state_changes(fast_server)
    fast_client.put_metric_alarm(AlarmName="silent", TreatMissingData=treated, **FAILURES)
    # Created later and changed by each evaluation: after its change, the other was evaluated, too.
    fast_client.put_metric_alarm(
        AlarmName="witness",
        **FAILURES | {"MetricName": "also silent", "TreatMissingData": "breaching"},
    )
    changes.wait("witness", "ALARM")
    (silent,) = fast_client.describe_alarms(AlarmNames=["silent"])["MetricAlarms"]
    assert silent["StateValue"] == (state or "INSUFFICIENT_DATA")
    if state:
        assert "no datapoints were received for 1 period" in silent["StateReason"]


def test_an_alarm_on_a_share_of_the_new_version_alone(
    fast_server: LocalCloud,
    fast_client: Any,
    account: str,
    state_changes: Callable[[LocalCloud], StateChanges],
) -> None:
    changes = state_changes(fast_server)
    metrics = [
        {
            "Id": name.lower(),
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "N", "MetricName": name},
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for name in ("Failures", "Requests")
    ]
    for name, least in (("share", 10), ("too-few", 1000)):
        expression = f"IF(requests >= {least}, failures / requests, 0)"
        fast_client.put_metric_alarm(
            AlarmName=name,
            Metrics=[{"Id": "share", "Expression": expression, "Label": "share"}, *metrics],
            EvaluationPeriods=1,
            Threshold=0.05,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        )
    now = fast_server.cloud.clock.timestamp()
    fast_server.cloud.cloudwatch.put(
        account,
        REGION,
        "N",
        [Datum("Requests", {}, (100.0,), now), Datum("Failures", {}, (6.0,), now)],
    )
    alarm = changes.wait("share", "ALARM")
    assert "[0.06 (" in alarm.detail["state"]["reason"]
    assert alarm.detail["configuration"]["metrics"][0]["expression"].startswith("IF(requests")
    changes.wait("share", "OK", after=alarm)
    assert not [
        event
        for event in changes.seen
        if event.detail["alarmName"] == "too-few" and event.detail["state"]["value"] == "ALARM"
    ]


def test_a_percentile_of_too_few_samples_changes_nothing(
    fast_server: LocalCloud,
    fast_client: Any,
    account: str,
    state_changes: Callable[[LocalCloud], StateChanges],
) -> None:
    changes = state_changes(fast_server)
    slow = {key: value for key, value in FAILURES.items() if key != "Statistic"}
    for name, how in (("careful", "ignore"), ("eager", "evaluate")):
        fast_client.put_metric_alarm(
            AlarmName=name, ExtendedStatistic="p90", EvaluateLowSampleCountPercentile=how, **slow
        )
    _put(fast_server, account, "Failures", 1, 2, 90)
    changes.wait("eager", "ALARM")
    assert {event.detail["alarmName"] for event in changes.seen} == {"eager"}


def test_an_alarm_of_ten_seconds(
    fast_server: LocalCloud, fast_client: Any, state_changes: Callable[[LocalCloud], StateChanges]
) -> None:
    changes = state_changes(fast_server)
    fast_client.put_metric_alarm(AlarmName="quick", **FAILURES | {"Period": 10})
    fast_client.put_metric_data(
        Namespace="N",
        MetricData=[{"MetricName": "Failures", "Value": 9, "StorageResolution": 1}],
    )
    alarm = changes.wait("quick", "ALARM")
    assert json.loads(alarm.detail["state"]["reasonData"])["period"] == 10


def test_actions_run_in_order_and_are_recorded(
    start_cloud: Callable[..., LocalCloud], account: str
) -> None:
    server = start_cloud(services=SERVICES)
    client = server.cloud.client("cloudwatch", account, REGION)
    topic = server.cloud.client("sns", account, REGION).create_topic(Name="ops")["TopicArn"]
    gone = topic.replace("ops", "gone")
    stop = "arn:aws:automate:eu-west-1:ec2:stop"
    client.put_metric_alarm(AlarmName="a", AlarmActions=[topic, gone, stop], **BY_HAND)
    client.put_metric_alarm(
        AlarmName="quiet", AlarmActions=[topic], ActionsEnabled=False, **FAILURES
    )
    for name in ("a", "quiet"):
        client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    server.stop()  # returns after all due actions
    again = start_cloud(services=SERVICES)
    client = again.cloud.client("cloudwatch", account, REGION)
    done = _history(client, "a", "Action")
    assert [each.split(". ")[0] for each in done] == [
        f"Successfully executed action {topic}",
        f"Failed to execute action {gone}",
        f"Failed to execute action {stop}",
    ]
    assert "is not part of the local cloud" in done[2]
    assert _history(client, "quiet", "Action") == []
    (item,) = client.describe_alarm_history(AlarmName="a", HistoryItemType="Action", MaxRecords=1,
        ScanBy="TimestampAscending")["AlarmHistoryItems"]  # fmt: skip
    message = json.loads(item["HistoryData"])["publishedMessage"]
    assert message["AlarmName"] == "a"
    assert (message["OldStateValue"], message["NewStateValue"]) == ("INSUFFICIENT_DATA", "ALARM")
    assert message["Trigger"]["MetricName"] == "Failures"


_PROCESS = textwrap.dedent(
    """
    import sys, threading
    from pathlib import Path
    from localcloud.core.delays import NO_DELAYS
    from localcloud.server import LocalCloud
    services = ("logs", "cloudwatch")
    server = LocalCloud(Path(sys.argv[1]), services=services, delays=NO_DELAYS)
    server.start()
    print(server.cloud.endpoint, flush=True)
    threading.Event().wait()
    """
)


def test_acknowledged_calls_survive_a_kill(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path, account: str
) -> None:
    state = tmp_path / "state"
    with subprocess.Popen(
        [sys.executable, "-c", _PROCESS, str(state)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        client = boto3.client(
            "cloudwatch",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=account,
            aws_secret_access_key=json.loads((state / "endpoint.json").read_text())["secret_key"],
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 4}])
        client.put_metric_alarm(AlarmName="a", Tags=[{"Key": "k", "Value": "v"}], **BY_HAND)
        client.put_composite_alarm(AlarmName="c", AlarmRule="ALARM(a)")
        client.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="by hand")
        os.kill(process.pid, signal.SIGKILL)
    client = start_cloud(services=SERVICES).cloud.client("cloudwatch", account, REGION)
    assert [each["MetricName"] for each in client.list_metrics()["Metrics"]] == ["m"]
    (alarm,) = client.describe_alarms()["MetricAlarms"]
    assert (alarm["StateValue"], alarm["StateReason"]) == ("ALARM", "by hand")
    assert client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    (composite,) = client.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert composite["StateValue"] == "ALARM"
    assert _history(client, "c", "StateUpdate") == [
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
    ]


def test_alarms_keep_their_state_after_a_restart_and_continue(
    start_cloud: Callable[..., LocalCloud],
    state_changes: Callable[[LocalCloud], StateChanges],
    account: str,
) -> None:
    server = start_cloud(services=SERVICES)
    client = server.cloud.client("cloudwatch", account, REGION)
    client.put_metric_alarm(AlarmName="kept", **BY_HAND)
    client.set_alarm_state(AlarmName="kept", StateValue="OK", StateReason="by hand")
    server.stop()
    again = start_cloud(services=SERVICES, speed=FAST)
    changes = state_changes(again)
    state = again.cloud.cloudwatch.alarm_states(account, REGION, ["kept"])["kept"]
    assert (state.value, state.reason) == ("OK", "by hand")
    _put(again, account, "Failures", 9)
    assert changes.wait("kept", "ALARM").detail["previousState"]["reason"] == "by hand"
