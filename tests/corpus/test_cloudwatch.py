"""CloudWatch: the data points that alarms evaluate."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.corpus.deliveries import Watched, refusal, running
from tests.corpus.report import report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.server import LocalCloud


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with running(tmp_path_factory.mktemp("alarms"), "logs", "cloudwatch") as started:
        yield started


@pytest.fixture
def watched(server: LocalCloud) -> Watched:
    return Watched(server)


@report(
    "ACloudGuru/serverless-plugin-aws-alerts#12",
    "CloudWatch",
    situation="An alarm has a dimension that the metric does not have.",
    outcome="It is created, gets no data point and never goes to ALARM.",
)
def test_an_alarm_with_a_wrong_dimension_never_goes_off(watched: Watched) -> None:
    named = [{"Name": "FunctionName", "Value": "hello"}]
    watched.alarm("right", Dimensions=named)
    watched.alarm("wrong", Dimensions=[{"Name": "HelloFunctionName", "Value": "hello"}])
    watched.put(Dimensions=named)
    watched.changes.wait("right", "ALARM")
    # It was evaluated with the other, without a data point in between.
    watched.alarm("later", Dimensions=named, TreatMissingData="breaching")
    watched.changes.wait("later", "ALARM")
    assert watched.state("wrong") == "INSUFFICIENT_DATA"


@report(
    "awsdocs/aws-doc-sdk-examples#409",
    "CloudWatch",
    situation="An alarm has unit Seconds, its metric Percent.",
    outcome="It stays in INSUFFICIENT_DATA: CloudWatch does not convert units.",
)
def test_an_alarm_with_a_wrong_unit_has_no_data(watched: Watched) -> None:
    watched.alarm("seconds", Unit="Seconds")
    watched.alarm("any")
    watched.put(Unit="Percent")
    watched.changes.wait("any", "ALARM")
    watched.alarm("later", TreatMissingData="breaching")
    watched.changes.wait("later", "ALARM")
    assert watched.state("seconds") == "INSUFFICIENT_DATA"


@report(
    "code-dot-org/code-dot-org#64797",
    "CloudWatch",
    situation="An alarm needs five of five data points; one breaches, the others are missing.",
    outcome="The one data point suffices for ALARM.",
)
def test_one_data_point_among_missing_ones_is_an_alarm(watched: Watched) -> None:
    watched.alarm("five", EvaluationPeriods=5, DatapointsToAlarm=5)
    watched.put()
    alarm = watched.changes.wait("five", "ALARM")
    evaluated = json.loads(alarm.detail["state"]["reasonData"])["evaluatedDatapoints"]
    assert [each["value"] for each in evaluated] == [1.0]


@report(
    "justeattakeaway/AwsWatchman#276",
    "CloudWatch",
    situation="A sparse metric breaches, then has no data points; missing data is `missing`.",
    outcome="The alarm goes from ALARM to INSUFFICIENT_DATA, so no OK action runs.",
)
def test_an_alarm_on_a_sparse_metric_does_not_come_back_to_ok(watched: Watched) -> None:
    watched.alarm("sparse", TreatMissingData="missing")
    watched.put()
    alarm = watched.changes.wait("sparse", "ALARM")
    watched.changes.wait("sparse", "INSUFFICIENT_DATA", after=alarm)
    history = watched.client.describe_alarm_history(
        AlarmName="sparse", HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
    )["AlarmHistoryItems"]
    assert [each["HistorySummary"] for each in history] == [
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        "Alarm updated from ALARM to INSUFFICIENT_DATA",
    ]


@report(
    "aws/amazon-cloudwatch-agent#1813",
    "CloudWatch",
    situation="A log line in the embedded metric format declares more than 100 metrics.",
    outcome="The line is in the log, none of its metrics exist, and EMFValidationErrors is 1.",
)
def test_a_log_line_of_too_many_metrics_has_none(watched: Watched) -> None:
    names = [f"Metric{number}" for number in range(101)]
    now = datetime.now(UTC)
    directive = {"Namespace": "Shop", "Dimensions": [[]], "Metrics": [{"Name": n} for n in names]}
    line = {"_aws": {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [directive]}}
    place = {"logGroupName": "scraped", "logStreamName": "s"}
    watched.logs.create_log_group(logGroupName="scraped")
    watched.logs.create_log_stream(**place)
    watched.alarm(
        "invalid",
        Namespace="AWS/Logs",
        MetricName="EMFValidationErrors",
        Dimensions=[{"Name": "LogGroupName", "Value": "scraped"}],
    )
    text = json.dumps(line | dict.fromkeys(names, 1))
    event = {"timestamp": int(now.timestamp() * 1000), "message": text}
    watched.logs.put_log_events(**place, logEvents=[event])
    reason = watched.changes.wait("invalid", "ALARM").detail["state"]["reason"]
    assert "[1.0 (" in reason
    assert watched.client.list_metrics(Namespace="Shop")["Metrics"] == []
    assert [each["message"] for each in watched.logs.get_log_events(**place)["events"]] == [text]


@report(
    "cloud-custodian/cloud-custodian#2559",
    "CloudWatch",
    situation="A data point is more than two weeks old.",
    outcome="PutMetricData fails; the message names the data point.",
)
def test_a_data_point_of_long_ago_is_refused(watched: Watched) -> None:
    old = datetime.now(UTC) - timedelta(days=15)
    datum = {"MetricName": "Failures", "Value": 1, "Timestamp": old}
    call = watched.client.put_metric_data
    code, message = refusal(call, Namespace="Shop", MetricData=[datum])
    assert code in {"InvalidParameterValue", "InvalidParameterValueException"}
    assert message == (
        "The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks."
    )
