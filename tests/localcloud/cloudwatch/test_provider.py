"""Alarms in templates."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.providers import ProvisioningError, Resource, ResourceRequest

if TYPE_CHECKING:
    from localcloud.server import LocalCloud

REGION = "eu-west-1"
ALARM: dict[str, Any] = {
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "Threshold": "0.05",
    "TreatMissingData": "notBreaching",
    "ActionsEnabled": "false",
    "Metrics": [
        {"Id": "share", "Expression": "bad / all", "Label": "share"},
        *(
            {
                "Id": name,
                "ReturnData": "false",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "N",
                        "MetricName": name,
                        "Dimensions": [{"Name": "version", "Value": "2"}],
                    },
                    "Period": "60",
                    "Stat": "Sum",
                },
            }
            for name in ("bad", "all")
        ),
    ],
    "Tags": [{"Key": "team", "Value": "files"}],
}


def _request(account: str, kind: str, properties: dict[str, Any]) -> ResourceRequest:
    return ResourceRequest(
        type=f"AWS::CloudWatch::{kind}",
        logical_id="Rail",
        account=account,
        region=REGION,
        stack_name="files",
        stack_id=f"arn:aws:cloudformation:{REGION}:{account}:stack/files/1",
        properties=properties,
        cancel=threading.Event(),
        tags={"stage": "prod"},
    )


def test_an_alarm_is_created_updated_and_deleted(server: LocalCloud, account: str) -> None:
    provider = server.cloud.cloudwatch.providers["AWS::CloudWatch::Alarm"]
    client = server.cloud.client("cloudwatch", account, REGION)
    made = provider.create(_request(account, "Alarm", ALARM))
    (alarm,) = client.describe_alarms(AlarmNames=[made.physical_id])["MetricAlarms"]
    assert made.physical_id.startswith("files-Rail-")
    assert made.attributes == {"Arn": alarm["AlarmArn"]}
    assert (alarm["Threshold"], alarm["ActionsEnabled"]) == (0.05, False)
    assert alarm["Metrics"][1]["MetricStat"]["Period"] == 60
    assert alarm["Metrics"][1]["ReturnData"] is False
    tags = client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    assert tags == [{"Key": "stage", "Value": "prod"}, {"Key": "team", "Value": "files"}]

    changed = _request(account, "Alarm", ALARM | {"Threshold": 0.2})
    assert not provider.replaces(changed, made)
    assert provider.replaces(_request(account, "Alarm", ALARM | {"AlarmName": "named"}), made)
    provider.update(changed, made)
    assert client.describe_alarms()["MetricAlarms"][0]["Threshold"] == 0.2
    provider.delete(changed, made)
    provider.delete(changed, made)
    assert client.describe_alarms()["MetricAlarms"] == []


def test_a_composite_alarm_watches_alarms_by_reference_or_arn(
    server: LocalCloud, account: str
) -> None:
    providers = server.cloud.cloudwatch.providers
    child = providers["AWS::CloudWatch::Alarm"].create(_request(account, "Alarm", ALARM))
    rule = f'ALARM("{child.physical_id}") OR ALARM({child.attributes["Arn"]})'
    made = providers["AWS::CloudWatch::CompositeAlarm"].create(
        _request(account, "CompositeAlarm", {"AlarmRule": rule, "AlarmName": "all"})
    )
    assert made == Resource(
        "all",
        {"Arn": f"arn:aws:cloudwatch:{REGION}:{account}:alarm:all"},
        {"AlarmRule": rule, "AlarmName": "all"},
    )
    states = server.cloud.cloudwatch.alarm_states(account, REGION, ["all"])
    assert states["all"].value == "OK"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"Colour": "red"}, r"AWS::CloudWatch::Alarm: property Colour is unknown"),
        ({"Metrics": [{"Id": "m", "Foo": 1}]}, r"Metrics: property Foo is unknown"),
        ({"Threshold": "high"}, r"Threshold: 'high' is not a valid double"),
        ({"ActionsEnabled": "perhaps"}, r"ActionsEnabled: 'perhaps' is not a valid boolean"),
        ({"EvaluationPeriods": []}, r"EvaluationPeriods: \[\] is not a valid integer"),
        ({"Metrics": "m1"}, r"Metrics"),
        ({"ThresholdMetricId": "ad1"}, r"anomaly detection"),
        ({"AlarmName": "there"}, r"already exists"),
    ],
    ids=str,
)
def test_invalid_alarm_templates_are_rejected_by_name(
    server: LocalCloud, account: str, change: dict[str, Any], problem: str
) -> None:
    provider = server.cloud.cloudwatch.providers["AWS::CloudWatch::Alarm"]
    provider.create(_request(account, "Alarm", ALARM | {"AlarmName": "there"}))
    with pytest.raises(ProvisioningError, match=problem):
        provider.create(_request(account, "Alarm", ALARM | change))
