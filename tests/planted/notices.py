"""EventBridge's rule that notifies a function of each release."""

from __future__ import annotations

from typing import Any

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from tests.planted.policies import REGION, TOOLING, allow, document, get, role, service

_RULES = f"arn:aws:events:{REGION}:{TOOLING}:rule"


def notices() -> dict[str, Any]:
    """Return a rule that notifies a function of each release, and its dead-letter queue."""
    return {
        "Undelivered": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "undelivered"}},
        "UndeliveredPolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "Undelivered"}],
                "PolicyDocument": document(
                    allow(
                        "Rules",
                        "sqs:SendMessage",
                        get("Undelivered"),
                        Principal={"Service": "events.amazonaws.com"},
                        Condition={"ArnLike": {"aws:SourceArn": f"{_RULES}/*"}},
                    )
                ),
            },
        },
        "NoticeRole": role(
            "delivery-notice",
            service("lambda"),
            ManagedPolicyArns=["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
        ),
        "Notice": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "delivery-notice",
                "Runtime": RUNTIME,
                "Architectures": [ARCHITECTURE],
                "Handler": "index.handler",
                "Role": get("NoticeRole"),
                "Code": {"ZipFile": "def handler(event, context):\n    print('released')\n"},
            },
        },
        "NoticePermission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": get("Notice"),
                "Principal": "events.amazonaws.com",
                "SourceArn": f"{_RULES}/released",
            },
        },
        "Released": {
            "Type": "AWS::Events::Rule",
            "DependsOn": "NoticePermission",
            "Properties": {
                "Name": "released",
                "EventPattern": {
                    "source": ["aws.codepipeline"],
                    "detail-type": ["CodePipeline Pipeline Execution State Change"],
                    "detail": {"state": ["SUCCEEDED"]},
                },
                "Targets": [
                    {
                        "Id": "Notice",
                        "Arn": get("Notice"),
                        "DeadLetterConfig": {"Arn": get("Undelivered")},
                    }
                ],
            },
        },
    }
