"""CloudWatch as boto3 sees it; botocore's model checks the wire."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from localcloud.core.ports import Datum

if TYPE_CHECKING:
    from localcloud.server import LocalCloud

REGION = "eu-west-1"
ALARM: dict[str, Any] = {
    "Namespace": "N",
    "MetricName": "Failures",
    "Dimensions": [{"Name": "version", "Value": "2"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "Threshold": 1.5,
    "ComparisonOperator": "GreaterThanThreshold",
    # So that no evaluation changes a state set by a test.
    "TreatMissingData": "ignore",
}


def _minute(server: LocalCloud, ago: int = 0) -> datetime:
    """Return the start of a minute of cloud time."""
    return datetime.fromtimestamp(int(server.cloud.clock.timestamp()) // 60 * 60 - 60 * ago, UTC)


def _stat(name: str, stat: str = "Sum", period: int = 60) -> dict[str, Any]:
    metric = {"Namespace": "N", "MetricName": name}
    return {"Metric": metric, "Period": period, "Stat": stat}


def test_metric_data_is_read_unchanged(server: LocalCloud, client: Any) -> None:
    at = _minute(server, 3)
    client.put_metric_data(
        Namespace="N",
        MetricData=[
            {"MetricName": "m", "Value": 4, "Timestamp": at},
            {"MetricName": "m", "Values": [1, 7], "Counts": [2, 1], "Timestamp": at},
            {
                "MetricName": "m",
                "StatisticValues": {"SampleCount": 4, "Sum": 8, "Minimum": 0, "Maximum": 9},
                "Timestamp": at + timedelta(minutes=1),
            },
        ],
    )
    found = client.get_metric_statistics(
        Namespace="N",
        MetricName="m",
        StartTime=at,
        EndTime=at + timedelta(minutes=2),
        Period=60,
        Statistics=["SampleCount", "Sum", "Average", "Minimum", "Maximum"],
        ExtendedStatistics=["p50"],
    )
    first, second = sorted(found["Datapoints"], key=lambda each: each["Timestamp"])
    assert first == {
        "Timestamp": at, "SampleCount": 4, "Sum": 13, "Average": 3.25, "Minimum": 1, "Maximum": 7,
        "Unit": "None", "ExtendedStatistics": {"p50": 1},
    }  # fmt: skip
    assert second == {
        "Timestamp": at + timedelta(minutes=1), "SampleCount": 4, "Sum": 8, "Average": 2,
        "Minimum": 0, "Maximum": 9, "Unit": "None",
    }  # fmt: skip


def test_metric_data_with_math_is_returned_in_the_requested_order(
    server: LocalCloud, client: Any
) -> None:
    at = _minute(server, 5)
    for n, value in enumerate([10, 20, 30]):
        client.put_metric_data(
            Namespace="N",
            MetricData=[
                {"MetricName": "m", "Value": value, "Timestamp": at + timedelta(minutes=n)}
            ],
        )
    span = {"StartTime": at, "EndTime": at + timedelta(minutes=4)}
    queries = [
        {"Id": "e1", "Expression": "m1 / SUM(m1)", "Label": "share"},
        {"Id": "m1", "MetricStat": _stat("m"), "ReturnData": False},
        {"Id": "nothing", "MetricStat": _stat("nobody")},
    ]
    found = client.get_metric_data(MetricDataQueries=queries, ScanBy="TimestampAscending", **span)[
        "MetricDataResults"
    ]
    assert [(each["Id"], each["Label"], each["StatusCode"]) for each in found] == [
        ("e1", "share", "Complete"),
        ("nothing", "nobody", "Complete"),
    ]
    assert found[0]["Values"] == pytest.approx([1 / 6, 1 / 3, 1 / 2])
    assert found[0]["Timestamps"] == [at + timedelta(minutes=n) for n in range(3)]
    newest_first = client.get_metric_data(MetricDataQueries=queries, **span)["MetricDataResults"]
    assert newest_first[0]["Timestamps"][0] == at + timedelta(minutes=2)
    pages = list(
        client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, MaxDatapoints=2, ScanBy="TimestampAscending", **span
        )
    )
    values = [
        value for page in pages for each in page["MetricDataResults"] for value in each["Values"]
    ]
    assert len(pages) == 2
    assert values == pytest.approx([1 / 6, 1 / 3, 1 / 2])


def test_only_high_resolution_metrics_keep_seconds(server: LocalCloud, client: Any) -> None:
    at = _minute(server, 2)
    for name, resolution in (("fine", 1), ("coarse", 60)):
        client.put_metric_data(
            Namespace="N",
            MetricData=[
                {
                    "MetricName": name,
                    "Value": 1,
                    "Timestamp": at + timedelta(seconds=second),
                    "StorageResolution": resolution,
                }
                for second in (5, 25, 26)
            ],
        )

    def read(name: str) -> list[tuple[int, float]]:
        (found,) = client.get_metric_data(
            MetricDataQueries=[{"Id": "m", "MetricStat": _stat(name, period=10)}],
            StartTime=at,
            EndTime=at + timedelta(minutes=1),
            ScanBy="TimestampAscending",
        )["MetricDataResults"]
        times = [int((each - at).total_seconds()) for each in found["Timestamps"]]
        return list(zip(times, found["Values"], strict=True))

    assert read("fine") == [(0, 1), (20, 2)]
    assert read("coarse") == [(0, 3)]


def test_metrics_are_listed_by_name_and_dimensions(client: Any) -> None:
    dimensions = [{"Name": "version", "Value": "2"}, {"Name": "service", "Value": "files"}]
    client.put_metric_data(
        Namespace="N",
        MetricData=[
            {"MetricName": "a", "Value": 1, "Dimensions": dimensions},
            {"MetricName": "b", "Value": 1},
        ],
    )
    client.put_metric_data(Namespace="O", MetricData=[{"MetricName": "a", "Value": 1}])

    def names(**asked: Any) -> list[tuple[str, str]]:
        found = client.list_metrics(**asked)["Metrics"]
        return [(each["Namespace"], each["MetricName"]) for each in found]

    assert names() == [("N", "a"), ("N", "b"), ("O", "a")]
    assert names(Namespace="N", MetricName="a") == [("N", "a")]
    assert names(Dimensions=[{"Name": "version"}]) == [("N", "a")]
    assert names(Dimensions=[{"Name": "version", "Value": "3"}]) == []
    assert names(RecentlyActive="PT3H") == names()


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        (
            {"Value": 1, "Timestamp": timedelta(days=-15)},
            "InvalidParameterValue",
        ),
        (
            {"Value": 1, "Timestamp": timedelta(hours=3)},
            "InvalidParameterValue",
        ),
        ({"Value": 2.0**361}, "InvalidParameterValue"),
        ({"Values": [1, 2], "Counts": [1]}, "InvalidParameterValue"),
        ({"Values": [1], "Counts": [0]}, "InvalidParameterValue"),
        ({"Values": [1.0] * 151}, "InvalidParameterValue"),
        ({"Value": 1, "Values": [1]}, "InvalidParameterCombination"),
        ({}, "InvalidParameterCombination"),
        ({"Value": 1, "StorageResolution": 5}, "InvalidParameterValue"),
        ({"Value": 1, "Unit": "Apples"}, "InvalidParameterValue"),
    ],
    ids=str,
)
def test_an_invalid_request_stores_no_data(
    empty_client: Any, datum: dict[str, Any], code: str
) -> None:
    good = {"MetricName": "good", "Value": 1}
    if "Timestamp" in datum:
        datum = datum | {"Timestamp": datetime.now(UTC) + datum["Timestamp"]}
    with pytest.raises(ClientError) as refused:
        empty_client.put_metric_data(
            Namespace="N", MetricData=[good, {"MetricName": "bad"} | datum]
        )
    assert refused.value.response["Error"]["Code"] == code
    assert empty_client.list_metrics()["Metrics"] == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"EvaluationPeriods": None}, "EvaluationPeriods"),
        ({"DatapointsToAlarm": 4}, "DatapointsToAlarm"),
        ({"ExtendedStatistic": "p99"}, "ExtendedStatistic"),
        ({"Statistic": None, "ExtendedStatistic": "tm99"}, "tm99"),
        ({"Period": 45}, "Period"),
        ({"Period": 300, "EvaluationPeriods": 300}, "86400"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "GreaterThanUpperThreshold"),
        ({"TreatMissingData": "panic"}, "panic"),
        ({"ThresholdMetricId": "ad1"}, "ThresholdMetricId"),
        ({"EvaluationWindow": {"WallClockWindow": {}}}, "wall clock"),
        (
            {"Metrics": [{"Id": "m1", "MetricStat": _stat("m")}]},
            "should not be set if list of Metrics is set",
        ),
        ({"MetricName": None}, "MetricName"),
        ({"Threshold": None}, "Threshold"),
    ],
    ids=str,
)
def test_invalid_alarms_are_rejected_by_name(
    empty_client: Any, change: dict[str, Any], named: str
) -> None:
    definition = {key: value for key, value in (ALARM | change).items() if value is not None}
    with pytest.raises(ClientError, match=named):
        empty_client.put_metric_alarm(AlarmName="a", **definition)
    assert empty_client.describe_alarms()["MetricAlarms"] == []


@pytest.mark.parametrize(
    ("queries", "named"),
    [
        ([{"Id": "e1", "Expression": "ANOMALY_DETECTION_BAND(m1)"}], "ANOMALY_DETECTION_BAND"),
        ([{"Id": "e1", "Expression": "SEARCH('{N} m', 'Sum')"}], "SEARCH"),
        ([{"Id": "e1", "Expression": "MAX(m1)"}], "must be a time series"),
        ([{"Id": "e1", "Expression": "METRICS() + 0"}], "one time series"),
        (
            [{"Id": "e1", "Expression": "m1"}, {"Id": "e2", "Expression": "m1"}],
            "Exactly one element",
        ),
        ([{"Id": "e1", "Expression": "m1 +"}], "unexpected end"),
    ],
    ids=str,
)
def test_expressions_that_no_alarm_may_watch(
    empty_client: Any, queries: list[dict[str, Any]], named: str
) -> None:
    metrics = [{"Id": name, "MetricStat": _stat("m"), "ReturnData": False} for name in ("m1", "m2")]
    with pytest.raises(ClientError, match=named):
        empty_client.put_metric_alarm(
            AlarmName="a",
            Metrics=[*queries, *metrics],
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )


def test_an_alarm_is_described_unchanged(client: Any, account: str) -> None:
    client.put_metric_alarm(AlarmName="a", Tags=[{"Key": "team", "Value": "files"}], **ALARM)
    (alarm,) = client.describe_alarms(AlarmNames=["a"])["MetricAlarms"]
    assert {key: alarm[key] for key in ALARM} == ALARM
    assert (alarm["StateValue"], alarm["ActionsEnabled"]) == ("INSUFFICIENT_DATA", True)
    assert alarm["StateReason"] == "Unchecked: Initial alarm creation"
    arn = alarm["AlarmArn"]
    assert arn == f"arn:aws:cloudwatch:{REGION}:{account}:alarm:a"
    client.tag_resource(ResourceARN=arn, Tags=[{"Key": "stage", "Value": "prod"}])
    client.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [
        {"Key": "stage", "Value": "prod"}
    ]
    client.disable_alarm_actions(AlarmNames=["a"])
    assert not client.describe_alarms(AlarmNames=["a"])["MetricAlarms"][0]["ActionsEnabled"]
    client.enable_alarm_actions(AlarmNames=["a"])
    (watching,) = client.describe_alarms_for_metric(
        Namespace="N", MetricName="Failures", Dimensions=ALARM["Dimensions"]
    )["MetricAlarms"]
    assert watching["AlarmName"] == "a"
    assert watching["ActionsEnabled"]
    client.put_metric_alarm(AlarmName="a", **ALARM | {"Threshold": 9})
    assert client.describe_alarms()["MetricAlarms"][0]["Threshold"] == 9
    client.delete_alarms(AlarmNames=["a"])
    assert client.describe_alarms()["MetricAlarms"] == []
    history = client.describe_alarm_history(AlarmName="a")["AlarmHistoryItems"]
    assert [each["HistorySummary"].split()[-1] for each in history] == [
        "deleted", "updated", "updated", "updated", "created",
    ]  # fmt: skip


def test_alarms_are_found_by_prefix_state_type_and_page(client: Any) -> None:
    for name in ("prod-a", "prod-b", "dev-a"):
        client.put_metric_alarm(AlarmName=name, **ALARM)
    client.put_composite_alarm(AlarmName="prod-all", AlarmRule='ALARM("prod-a") OR ALARM(prod-b)')
    client.set_alarm_state(AlarmName="prod-b", StateValue="OK", StateReason="by hand")

    def names(**asked: Any) -> list[str]:
        pages = client.get_paginator("describe_alarms").paginate(**asked)
        return [
            each["AlarmName"]
            for page in pages
            for kind in ("MetricAlarms", "CompositeAlarms")
            for each in page[kind]
        ]

    assert names() == ["dev-a", "prod-a", "prod-b"]
    assert names(AlarmNamePrefix="prod") == ["prod-a", "prod-b"]
    assert names(AlarmTypes=["CompositeAlarm"]) == ["prod-all"]
    assert names(StateValue="OK", AlarmTypes=["MetricAlarm", "CompositeAlarm"]) == [
        "prod-b", "prod-all",
    ]  # fmt: skip
    assert names(PaginationConfig={"PageSize": 1}) == ["dev-a", "prod-a", "prod-b"]
    with pytest.raises(ClientError, match="unknown"):
        client.describe_alarms(NextToken="unknown")


def test_composite_alarms_follow_their_children(client: Any, account: str) -> None:
    for name in ("a", "b"):
        client.put_metric_alarm(AlarmName=name, **ALARM)
    client.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(a) AND ALARM(b)")
    client.put_composite_alarm(AlarmName="above", AlarmRule="NOT OK(both)")

    def states() -> list[str]:
        found = client.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        return [each["StateValue"] for each in found]

    assert states() == ["OK", "OK"]
    client.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="by hand")
    assert states() == ["OK", "OK"]
    client.set_alarm_state(AlarmName="b", StateValue="ALARM", StateReason="by hand")
    assert states() == ["ALARM", "ALARM"]
    (both,) = client.describe_alarms(AlarmNames=["both"], AlarmTypes=["CompositeAlarm"])[
        "CompositeAlarms"
    ]
    assert f":{account}:alarm:b transitioned to ALARM at " in both["StateReason"]
    triggering = json.loads(both["StateReasonData"])["triggeringAlarms"]
    assert [each["state"]["value"] for each in triggering] == ["ALARM", "ALARM"]
    client.set_alarm_state(AlarmName="a", StateValue="OK", StateReason="by hand")
    assert states() == ["OK", "OK"]


def test_invalid_composite_alarms_are_rejected(client: Any) -> None:
    client.put_metric_alarm(AlarmName="metric", **ALARM)
    client.put_composite_alarm(AlarmName="low", AlarmRule="FALSE")
    client.put_composite_alarm(AlarmName="high", AlarmRule="ALARM(low)")
    for asked, named in (
        ({"AlarmRule": "ALARM(nobody)"}, "nobody"),
        ({"AlarmRule": "ALARM("}, "not valid"),
        ({"AlarmRule": "TRUE", "ActionsSuppressor": "a"}, "ActionsSuppressor"),
        ({"AlarmName": "metric", "AlarmRule": "TRUE"}, "another type"),
        ({"AlarmName": "low", "AlarmRule": "ALARM(high)"}, "depend on itself"),
    ):
        with pytest.raises(ClientError, match=named):
            client.put_composite_alarm(**({"AlarmName": "c"} | asked))
    found = client.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert [each["AlarmRule"] for each in found] == ["ALARM(low)", "FALSE"]


def test_an_unknown_alarm_is_an_error(client: Any, account: str) -> None:
    arn = f"arn:aws:cloudwatch:{REGION}:{account}:alarm:nobody"
    client.put_metric_alarm(AlarmName="a", **ALARM)
    for operation, asked, code in (
        ("delete_alarms", {"AlarmNames": ["a", "nobody"]}, "ResourceNotFound"),
        ("list_tags_for_resource", {"ResourceARN": arn}, "ResourceNotFoundException"),
        (
            "set_alarm_state",
            {"AlarmName": "nobody", "StateValue": "OK", "StateReason": ""},
            "ResourceNotFound",
        ),
    ):
        with pytest.raises(ClientError, match="nobody") as refused:
            getattr(client, operation)(**asked)
        assert refused.value.response["Error"]["Code"] == code
    assert len(client.describe_alarms()["MetricAlarms"]) == 1


@pytest.mark.filterwarnings("ignore:Exception.ApiError. with code NotImplemented")
def test_an_unsupported_operation_is_named(client: Any) -> None:
    with pytest.raises(ClientError, match="cloudwatch:PutDashboard is not part of the local cloud"):
        client.put_dashboard(DashboardName="d", DashboardBody="{}")


def _post(server: LocalCloud, account: str, path: str, kind: str, body: bytes) -> tuple[int, str]:
    url = server.cloud.endpoint + path
    request = AWSRequest("POST", url, {"Content-Type": kind}, body)
    key = Credentials(account, server.cloud.credentials.secret_key)
    SigV4Auth(key, "monitoring", REGION).add_auth(request)
    answer = urllib3.request("POST", url, body=body, headers=dict(request.headers))
    return answer.status, answer.data.decode()


def test_the_query_protocol_is_accepted_and_cbor_rejected(
    server: LocalCloud, client: Any, account: str
) -> None:
    form = "application/x-www-form-urlencoded"
    put = (
        "Action=PutMetricAlarm&Version=2010-08-01&AlarmName=q&Namespace=N&MetricName=m&Period=60"
        "&Statistic=Sum&EvaluationPeriods=1&Threshold=5&ComparisonOperator=LessThanThreshold"
        "&Dimensions.member.1.Name=d&Dimensions.member.1.Value=x&ActionsEnabled=false"
    )
    assert _post(server, account, "/", form, put.encode())[0] == 200
    (alarm,) = client.describe_alarms()["MetricAlarms"]
    assert (alarm["Threshold"], alarm["Period"], alarm["ActionsEnabled"]) == (5.0, 60, False)
    status, answer = _post(server, account, "/", form, b"Action=DescribeAlarms&Version=2010-08-01")
    assert status == 200
    assert "<AlarmName>q</AlarmName>" in answer
    path = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms"
    status, answer = _post(server, account, path, "application/cbor", b"\xa0")
    assert status == 501
    assert "not CBOR" in answer


def test_log_lines_become_metrics(server: LocalCloud, client: Any, account: str) -> None:
    logs = server.cloud.client("logs", account, REGION)
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    now = int(time.time() * 1000)
    directive = {
        "Namespace": "N",
        "Dimensions": [["version"]],
        "Metrics": [{"Name": "Latency", "Unit": "Milliseconds"}, {"Name": "nobody"}],
    }
    line: dict[str, Any] = {
        "_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]},
        "version": "2",
    }
    late = line | {"_aws": line["_aws"] | {"Timestamp": now - 15 * 86400 * 1000}}
    texts = [
        json.dumps(line | {"Latency": 12.5}),
        json.dumps(late | {"Latency": 99}),
        "plain words",
        '{"_aws": {"CloudWatchMetrics": ',
    ]
    logs.put_log_events(
        logGroupName="g",
        logStreamName="s",
        logEvents=[{"timestamp": now, "message": text} for text in texts],
    )

    def total(namespace: str, name: str, **dimensions: str) -> list[float]:
        found = client.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=_minute(server, 5),
            EndTime=_minute(server, -5),
            Period=600,
            Statistics=["Sum"],
        )
        return [each["Sum"] for each in found["Datapoints"]]

    assert total("N", "Latency", version="2") == [12.5]
    # The undefined target twice, and the time too long ago.
    assert total("AWS/Logs", "EMFValidationErrors", LogGroupName="g") == [3]
    assert total("AWS/Logs", "EMFParsingErrors", LogGroupName="g") == [1]


def test_other_services_put_metrics_through_the_port(
    server: LocalCloud, client: Any, account: str
) -> None:
    now = server.cloud.clock.timestamp()
    server.cloud.cloudwatch.put(
        account,
        REGION,
        "AWS/Lambda",
        [
            Datum("Duration", {"FunctionName": "f"}, (1.0, 3.0), now, "Milliseconds", (3, 1)),
            Datum("Errors", {"FunctionName": "f"}, (1.0,), now, "Count"),
        ],
    )
    found = client.get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Duration",
        Dimensions=[{"Name": "FunctionName", "Value": "f"}],
        StartTime=_minute(server, 1),
        EndTime=_minute(server, -2),
        Period=3600,
        Statistics=["Average", "SampleCount"],
    )
    (point,) = found["Datapoints"]
    assert (point["Average"], point["SampleCount"], point["Unit"]) == (1.5, 4, "Milliseconds")


def test_accounts_and_regions_are_isolated(server: LocalCloud, client: Any, account: str) -> None:
    client.put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 1}])
    client.put_metric_alarm(AlarmName="a", **ALARM)
    for other, region in ((account, "us-east-1"), ("222222222222", REGION)):
        elsewhere = server.cloud.client("cloudwatch", other, region)
        assert elsewhere.list_metrics()["Metrics"] == []
        assert elsewhere.describe_alarms()["MetricAlarms"] == []
    states = server.cloud.cloudwatch.alarm_states(account, REGION, ["a", "nobody"])
    assert {name: state.value for name, state in states.items()} == {"a": "INSUFFICIENT_DATA"}
