"""A fake of production's account: a stack, an alias, at most one deployment."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from pipeline.judge.statistics.condemnation import condemnation_key, text
from tests.console.fakes import COMMIT, OLD, START, at

if TYPE_CHECKING:
    from pipeline.judge.statistics.condemnation import Condemnation
    from pipeline.judge.statistics.record import Record
    from tests.console.fakes import FakeAws

ALIAS = "arn:aws:lambda:eu-west-1:444444444444:function:files:live"


class Prod:
    """The answers of production's account: a stack, an alias, at most one deployment."""

    def __init__(self, aws: FakeAws) -> None:
        self.commits = {"2": OLD, "3": COMMIT}
        self.stack_status = "UPDATE_COMPLETE"
        self.weights: dict[str, float] = {}
        self.version = "2"
        self.deployment: dict[str, Any] | None = None
        self.requests = {"2": [400.0, 330.0], "3": [50.0, 32.0]}
        self.failures = {"2": [0.0], "3": [17.0]}
        self.throttles: list[float] = []
        self.bake: dict[str, Any] = {}
        self.record: Record | None = None
        self.condemnation: Condemnation | None = None
        s3 = aws.client("s3")

        def decision(**asked: str) -> Any:
            assert asked["Bucket"] == "decisions"
            kept = {}
            if self.record:
                kept["decisions/d-SHIFT.json"] = self.record.text()
            if self.condemnation:
                key = condemnation_key(self.condemnation.version_digest)
                kept[key] = text(self.condemnation)
            if asked["Key"] not in kept:
                return s3.error("NoSuchKey", "The specified key does not exist.", "GetObject")
            return {"Body": io.BytesIO(kept[asked["Key"]].encode())}

        resources = {
            "AWS::Lambda::Alias": ALIAS,
            "AWS::CodeDeploy::Application": "application",
            "AWS::CodeDeploy::DeploymentGroup": "group",
        }
        aws.answers |= {
            ("cloudformation", "describe_stacks"): lambda **asked: {
                "Stacks": [
                    {
                        "StackName": asked["StackName"],
                        "CreationTime": START,
                        "StackStatus": self.stack_status,
                        "Outputs": [
                            {"OutputKey": "Url", "OutputValue": "http://127.0.0.1/prod/"},
                            {"OutputKey": "Decisions", "OutputValue": "decisions"},
                        ],
                    }
                ]
            },
            ("cloudformation", "describe_stack_resources"): {
                "StackResources": [
                    {
                        "LogicalResourceId": kind,
                        "PhysicalResourceId": physical,
                        "ResourceType": kind,
                        "ResourceStatus": "CREATE_COMPLETE",
                        "Timestamp": START,
                    }
                    for kind, physical in resources.items()
                ]
            },
            ("lambda", "get_alias"): lambda **_: {
                "FunctionVersion": self.version,
                "RoutingConfig": {"AdditionalVersionWeights": self.weights},
            },
            ("lambda", "get_function_configuration"): lambda **asked: {
                "Environment": {"Variables": {"COMMIT": self.commits[asked["Qualifier"]]}}
            },
            ("codedeploy", "list_deployments"): lambda **_: {
                "deployments": ["d-ROLLBACK", "d-SHIFT"] if self.deployment else []
            },
            ("codedeploy", "get_deployment"): lambda **asked: {
                "deploymentInfo": self.deployment
                if asked["deploymentId"] == "d-SHIFT"
                else {
                    "deploymentId": "d-ROLLBACK",
                    "createTime": at(999),
                    "status": "Succeeded",
                    "creator": "codeDeployRollback",
                }
            },
            ("codedeploy", "list_deployment_targets"): {"targetIds": ["files:live"]},
            ("codedeploy", "get_deployment_target"): lambda **_: {
                "deploymentTarget": {
                    "deploymentTargetType": "LambdaFunction",
                    "lambdaTarget": {
                        "lambdaFunctionInfo": {"currentVersion": "2", "targetVersion": "3"},
                        "lifecycleEvents": [
                            {"lifecycleEventName": "AfterAllowTraffic"} | self.bake
                        ],
                    },
                }
            },
            ("cloudwatch", "get_metric_data"): self.metrics,
            ("s3", "get_object"): decision,
            ("cloudwatch", "describe_alarm_history"): lambda **asked: {
                "AlarmHistoryItems": [
                    self.history(asked["AlarmName"], "OK", 90, ""),
                    self.history(asked["AlarmName"], "ALARM", 80, "1 datapoint was above 0.05"),
                ]
            },
        }

    def metrics(self, **asked: Any) -> dict[str, Any]:
        results = []
        for query in asked["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            if metric["MetricName"] == "Throttles":
                results.append({"Id": query["Id"], "Values": self.throttles})
                continue
            version = next(
                each["Value"] for each in metric["Dimensions"] if each["Name"] == "version"
            )
            counted = self.requests if metric["MetricName"] == "Requests" else self.failures
            results.append({"Id": query["Id"], "Values": counted[version]})
        return {"MetricDataResults": results}

    @staticmethod
    def history(alarm: str, state: str, seconds: float, reason: str) -> dict[str, Any]:
        new = {"stateValue": state, "stateReason": reason}
        return {
            "AlarmName": alarm,
            "Timestamp": at(seconds),
            "HistoryItemType": "StateUpdate",
            "HistoryData": json.dumps({"version": "1.0", "newState": new}),
        }

    def shift(self, status: str, **more: Any) -> None:
        self.deployment = {
            "deploymentId": "d-SHIFT",
            "createTime": at(60),
            "startTime": at(61),
            "status": status,
            "creator": "CloudFormation",
        } | more
