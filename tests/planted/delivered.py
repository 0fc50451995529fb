"""The service's stack, which the pipeline deploys to the target account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from pipeline.judge import signing
from tests.planted.policies import ASSETS, REGION, TARGET, Template, allow, get, role, service
from tests.planted.target import TOPIC

SIGNING = Path(signing.__file__).read_text()
HOOK = f"arn:aws:lambda:{REGION}:{TARGET}:function:delivery-hook"
ASSET = "ASSET.zip"
"""The key of the function's code in a committed template; the build writes the real one."""
_GROUP = f"arn:aws:codedeploy:{REGION}:{TARGET}:deploymentgroup:service/prod"
_ANSWER = """
import http.client, json, os
from urllib.parse import urlsplit

def handler(event, context):
    body = json.dumps({
        "deploymentId": event["DeploymentId"],
        "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"],
        "status": "Succeeded",
    }).encode()
    region, endpoint = os.environ["AWS_REGION"], urlsplit(os.environ["AWS_ENDPOINT_URL"])
    headers = signed(
        "POST", endpoint.netloc, "/",
        {"content-type": "application/x-amz-json-1.1",
         "x-amz-target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus"},
        body, service="codedeploy", region=region, now=datetime.now(UTC),
        credentials=Credentials(os.environ["AWS_ACCESS_KEY_ID"],
            os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_SESSION_TOKEN"]),
    )
    connection = http.client.HTTPConnection(endpoint.netloc, timeout=5)
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    said = answer.read().decode()
    print(said)
    if answer.status != 200:
        raise RuntimeError(said)
"""


def delivered(revision: int) -> Template:
    """Return the service's template: a function, its version and alias, and how these shift."""
    watched = {"Name": {"Ref": "Alarm"}}
    return {
        "Resources": {
            "FunctionRole": role(
                "service-function",
                service("lambda"),
                ManagedPolicyArns=[_managed("AWSLambdaBasicExecutionRole")],
            ),
            "Function": _function(
                "delivery-service",
                "FunctionRole",
                {"S3Bucket": ASSETS, "S3Key": ASSET},
                Handler="handler.handler",
            ),
            f"Version{revision}": {
                "Type": "AWS::Lambda::Version",
                "DeletionPolicy": "RetainExceptOnCreate",
                "Properties": {"FunctionName": {"Ref": "Function"}},
            },
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "Name": "live",
                    "FunctionName": {"Ref": "Function"},
                    "FunctionVersion": get(f"Version{revision}", "Version"),
                },
                "UpdatePolicy": {
                    "CodeDeployLambdaAliasUpdate": {
                        "ApplicationName": {"Ref": "Application"},
                        "DeploymentGroupName": {"Ref": "Group"},
                        "BeforeAllowTrafficHook": {"Ref": "Hook"},
                    }
                },
            },
            "HookRole": role(
                "service-hook",
                service("lambda"),
                allow("Answer", "codedeploy:PutLifecycleEventHookExecutionStatus", _GROUP),
                ManagedPolicyArns=[_managed("AWSLambdaBasicExecutionRole")],
            ),
            "Hook": _function(
                "delivery-hook",
                "HookRole",
                {"ZipFile": SIGNING + "\nfrom datetime import UTC, datetime\n" + _ANSWER},
                Handler="index.handler",
            ),
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": "errors",
                    "Namespace": "AWS/Lambda",
                    "MetricName": "Errors",
                    "Dimensions": [{"Name": "FunctionName", "Value": {"Ref": "Function"}}],
                    "Statistic": "Sum",
                    "Period": 60,
                    "EvaluationPeriods": 1,
                    "Threshold": 1,
                    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                    "TreatMissingData": "notBreaching",
                    "AlarmActions": [TOPIC],
                },
            },
            "DeployerRole": role(
                "service-deployer",
                service("codedeploy"),
                allow("Hook", "lambda:InvokeFunction", [HOOK, f"{HOOK}:*"]),
                ManagedPolicyArns=[_managed("AWSCodeDeployRoleForLambdaLimited")],
            ),
            "Application": {
                "Type": "AWS::CodeDeploy::Application",
                "Properties": {"ApplicationName": "service", "ComputePlatform": "Lambda"},
            },
            "Group": {
                "Type": "AWS::CodeDeploy::DeploymentGroup",
                "Properties": {
                    "ApplicationName": {"Ref": "Application"},
                    "DeploymentGroupName": "prod",
                    "ServiceRoleArn": get("DeployerRole"),
                    "DeploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
                    "DeploymentStyle": {
                        "DeploymentType": "BLUE_GREEN",
                        "DeploymentOption": "WITH_TRAFFIC_CONTROL",
                    },
                    "AlarmConfiguration": {"Enabled": True, "Alarms": [watched]},
                    "AutoRollbackConfiguration": {
                        "Enabled": True,
                        "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"],
                    },
                },
            },
        }
    }


def _function(name: str, role_name: str, code: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Runtime": RUNTIME,
            "Architectures": [ARCHITECTURE],
            "Role": get(role_name),
            "Code": code,
            "Timeout": 30,
            **more,
        },
    }


def _managed(name: str) -> str:
    return f"arn:aws:iam::aws:policy/service-role/{name}"
