from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from console.judge.traffic import HOURS, Counted, counted
from environments.schema import load_all

if TYPE_CHECKING:
    from tests.console.fakes import FakeAws

PROD = load_all()["prod"]
NOW = datetime(2026, 1, 1, 12, 0, 40, tzinfo=UTC)
FUNCTION = "prod-files-Function"


@pytest.fixture
def cloud(aws: FakeAws) -> dict[str, list[float]]:
    """Prod with a canary, and CloudWatch's counts per minute to 12:00."""
    series: dict[str, list[float]] = {}
    aws.now = NOW
    until = NOW.replace(second=0)

    def data(**asked: Any) -> dict[str, Any]:
        assert asked["EndTime"] == until
        assert asked["StartTime"] == until - timedelta(hours=HOURS)
        results = []
        for query in asked["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
            assert dimensions | {"version": ""} == {
                "service": "files", "environment": "prod", "version": "",
            }  # fmt: skip
            values = series.get(f"{metric['MetricName']} {dimensions['version']}", [])
            times = [until - timedelta(minutes=len(values) - n) for n in range(len(values))]
            results.append(
                {"Id": query["Id"], "Timestamps": times, "Values": values, "StatusCode": "Complete"}
            )
        return {"MetricDataResults": results}

    def resource(kind: str, identifier: str) -> dict[str, Any]:
        return {
            "LogicalResourceId": kind.rsplit(":", 1)[-1],
            "PhysicalResourceId": identifier,
            "ResourceType": kind,
            "Timestamp": NOW,
            "ResourceStatus": "CREATE_COMPLETE",
        }

    aws.answers |= {
        ("cloudwatch", "get_metric_data"): data,
        ("sts", "get_caller_identity"): {"Account": "111111111111"},
        ("cloudformation", "describe_stacks"): {
            "Stacks": [{"StackName": "s", "CreationTime": NOW, "StackStatus": "UPDATE_IN_PROGRESS"}]
        },
        ("cloudformation", "describe_stack_resources"): {
            "StackResources": [
                resource("AWS::Lambda::Alias", f"arn:aws:lambda:r:1:function:{FUNCTION}:live"),
                resource("AWS::CodeDeploy::DeploymentGroup", "group"),
            ]
        },
        ("lambda", "get_alias"): {
            "FunctionVersion": "2",
            "RoutingConfig": {"AdditionalVersionWeights": {"3": 0.1}},
        },
        ("lambda", "get_function_configuration"): {},
    }
    return series


def test_both_versions_are_counted_and_the_stable_ones_failures(
    aws: FakeAws, cloud: dict[str, list[float]]
) -> None:
    cloud |= {
        "Requests 2": [100.0] * 10,
        "Failures 2": [0.0, 1.0] * 5,
        "Requests 3": [10.0] * 2,
        "Failures 3": [9.0] * 2,
    }
    assert counted(aws, "prod", PROD) == Counted(
        seconds=600.0, requests=1020, stable_requests=1000, stable_failures=5
    )


def test_without_traffic_the_counts_are_unknown(
    aws: FakeAws, cloud: dict[str, list[float]]
) -> None:
    assert counted(aws, "prod", PROD) is None


def test_without_a_deployment_the_counts_are_unknown(aws: FakeAws) -> None:
    aws.answers[("cloudformation", "describe_stacks")] = aws.client("cloudformation").error(
        "ValidationError", "Stack with id prod-files does not exist", "DescribeStacks"
    )
    assert counted(aws, "prod", PROD) is None
