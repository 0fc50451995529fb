"""CloudWatch: alarms that cannot be created or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.corpus.deliveries import ONE_FAILURE, Watched, refusal, running
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
    "hashicorp/terraform-provider-aws#29894",
    "CloudWatch",
    situation="None of an alarm's metric queries, or two of them, return data.",
    outcome="PutMetricAlarm fails with a ValidationError.",
)
def test_one_query_of_an_alarm_returns_data(watched: Watched) -> None:
    metric = {"Namespace": "Shop", "MetricName": "Failures"}
    query = {"MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    rule = {
        key: ONE_FAILURE[key] for key in ("EvaluationPeriods", "Threshold", "ComparisonOperator")
    }
    for returned in (False, True):
        queries = [query | {"Id": name, "ReturnData": returned} for name in ("a", "b")]
        found = refusal(watched.client.put_metric_alarm, AlarmName="share", Metrics=queries, **rule)
        assert found == (
            "ValidationError",
            "Exactly one element of the metrics list should return data.",
        )
    assert watched.names() == []


@report(
    "cloudtools/troposphere#1276",
    "CloudWatch",
    situation="An alarm has both Metrics and Statistic.",
    outcome="It fails with a ValidationError that names the property.",
)
def test_an_alarm_on_an_expression_has_no_statistic(watched: Watched) -> None:
    metric = {"Namespace": "Shop", "MetricName": "Failures"}
    query = {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    code, message = refusal(
        watched.client.put_metric_alarm,
        AlarmName="both",
        Metrics=[query],
        Statistic="Sum",
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    assert code == "ValidationError"
    assert message == "Statistic should not be set if list of Metrics is set"


@report(
    "awsdocs/aws-cloudformation-user-guide#911",
    "CloudWatch",
    situation="A composite alarm is created before the alarms in its rule.",
    outcome="It cannot be saved, because the alarms do not exist.",
)
def test_a_composite_alarm_is_created_after_its_children(watched: Watched) -> None:
    rule = "ALARM(FirstAlarm) OR ALARM(SecondAlarm)"
    code, message = refusal(watched.client.put_composite_alarm, AlarmName="Either", AlarmRule=rule)
    assert code == "ValidationError"
    assert message == (
        "Could not save the composite alarm as alarms [FirstAlarm, SecondAlarm] in the alarm rule "
        "do not exist"
    )
    for name in ("FirstAlarm", "SecondAlarm"):
        watched.alarm(name)
    watched.composite("Either", rule)
    assert "Either" in watched.names()


@report(
    "ekristen/aws-nuke#462",
    "CloudWatch",
    situation="An alarm is deleted while a composite alarm depends on it.",
    outcome="DeleteAlarms fails with a ValidationError, and deletes nothing.",
)
def test_an_alarm_used_by_a_composite_is_not_deleted(watched: Watched) -> None:
    for name in ("child", "other"):
        watched.alarm(name)
    watched.composite("parent", "ALARM(child)")
    code, message = refusal(watched.client.delete_alarms, AlarmNames=["child", "other"])
    assert code == "ValidationError"
    assert message == "Cannot delete child as there are composite alarm(s) depending on it."
    assert sorted(watched.names()) == ["child", "other", "parent"]
    watched.client.delete_alarms(AlarmNames=["parent"])
    watched.client.delete_alarms(AlarmNames=["child", "other"])
    assert watched.names() == []


@report(
    "gruntwork-io/cloud-nuke#467",
    "CloudWatch",
    situation="Two composite alarms are deleted in one call.",
    outcome="The call fails: it accepts at most one composite alarm.",
)
def test_composite_alarms_are_deleted_one_by_one(watched: Watched) -> None:
    watched.alarm("child")
    for name in ("first", "second"):
        watched.composite(name, "ALARM(child)")
    code, _message = refusal(watched.client.delete_alarms, AlarmNames=["first", "second"])
    assert code == "ValidationError"
    for name in ("first", "second"):
        watched.client.delete_alarms(AlarmNames=[name])
    assert watched.names() == ["child"]
