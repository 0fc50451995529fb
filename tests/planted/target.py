"""The target account: what its administrator bootstraps, and the service that is delivered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localcloud.functions.configuration import ARCHITECTURE, RUNTIME
from pipeline.judge import signing
from tests.planted.policies import (
    ASSETS,
    REGION,
    TARGET,
    TOOLING,
    Template,
    allow,
    document,
    get,
    role,
    role_arn,
    service,
    trust,
)

TOPIC = f"arn:aws:sns:{REGION}:{TARGET}:alarms"
SIGNING = Path(signing.__file__).read_text()
HOOK = f"arn:aws:lambda:{REGION}:{TARGET}:function:delivery-hook"
_READ = "s3:GetObject* s3:GetBucket* s3:List*"
_ROLES = f"arn:aws:iam::{TARGET}:role/service-*"
_FUNCTIONS = f"arn:aws:lambda:{REGION}:{TARGET}:function:delivery-*"
_CODE_DEPLOY = f"arn:aws:codedeploy:{REGION}:{TARGET}:"
_GROUP = f"{_CODE_DEPLOY}deploymentgroup:service/prod"
ASSET = "ASSET.zip"
"""The key of the function's code in a committed template; the build writes the real one."""
_ANSWER = '''
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
'''


def target() -> Template:
    """Return the bootstrap's template: CDK's roles, a bucket of assets, a topic of alarms."""
    here = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    return {
        "Resources": {
            "Assets": {
                "Type": "AWS::S3::Bucket",
                "Properties": {"BucketName": ASSETS},
            },
            "AssetsPolicy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "Bucket": {"Ref": "Assets"},
                    "PolicyDocument": document(
                        allow(
                            "Insecure",
                            "s3:*",
                            [f"arn:aws:s3:::{ASSETS}", f"arn:aws:s3:::{ASSETS}/*"],
                            Principal={"AWS": "*"},
                            Condition={"Bool": {"aws:SecureTransport": "false"}},
                        )
                        | {"Effect": "Deny"},
                    ),
                },
            },
            "PublishRole": role(
                "delivery-publish",
                trust({"AWS": role_arn(TOOLING, "").replace("role/", "root")}),
                allow(
                    "Publish",
                    f"{_READ} s3:DeleteObject* s3:PutObject* s3:Abort*",
                    [f"arn:aws:s3:::{ASSETS}", f"arn:aws:s3:::{ASSETS}/*"],
                ),
                Tags=[{"Key": "aws-cdk:bootstrap-role", "Value": "file-publishing"}],
            ),
            "DeployRole": role(
                "delivery-deploy",
                trust({"AWS": role_arn(TOOLING, "").replace("role/", "root")}),
                allow(
                    "Stacks",
                    "cloudformation:CreateChangeSet cloudformation:DeleteChangeSet "
                    "cloudformation:DescribeChangeSet cloudformation:DescribeStacks "
                    "cloudformation:DescribeStackEvents cloudformation:ExecuteChangeSet "
                    "cloudformation:CreateStack cloudformation:UpdateStack "
                    "cloudformation:DeleteStack",
                ),
                allow("Artifacts", f"{_READ} s3:Abort* s3:DeleteObject* s3:PutObject*"),
                allow(
                    "Key",
                    "kms:Decrypt kms:DescribeKey kms:Encrypt kms:ReEncrypt* kms:GenerateDataKey*",
                    Condition=here,
                ),
                allow("Pass", "iam:PassRole", get("ExecutionRole")),
                Tags=[{"Key": "aws-cdk:bootstrap-role", "Value": "deploy"}],
            ),
            "ExecutionRole": _execution_role(),
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "alarms"}},
            "TopicPolicy": {
                "Type": "AWS::SNS::TopicPolicy",
                "Properties": {
                    "Topics": [{"Ref": "Topic"}],
                    "PolicyDocument": document(
                        allow(
                            "Alarms",
                            "sns:Publish",
                            {"Ref": "Topic"},
                            Principal={"Service": "cloudwatch.amazonaws.com"},
                            Condition={"StringEquals": {"aws:SourceAccount": TARGET}},
                        )
                    ),
                },
            },
        }
    }


def _execution_role() -> dict[str, Any]:
    """The role that makes the service's resources, with what these need and no more."""
    created = " ".join(
        f"iam:{each}Role"
        for each in ("Create", "Get", "Update", "Delete", "Tag", "Untag")
    )  # fmt: skip
    policies = " ".join(f"iam:{each}RolePolicy" for each in ("Put", "Get", "Delete"))
    attached = " ".join(f"iam:{each}RolePolicy" for each in ("Attach", "Detach"))
    listed = "iam:ListRolePolicies iam:ListAttachedRolePolicies iam:UpdateAssumeRolePolicy"
    functions = " ".join(
        f"lambda:{each}"
        for each in (
            "CreateFunction", "GetFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration",
            "GetFunctionConfiguration", "DeleteFunction", "PublishVersion",
            "ListVersionsByFunction", "CreateAlias", "GetAlias", "UpdateAlias", "DeleteAlias",
            "TagResource", "ListTags", "PutFunctionConcurrency", "DeleteFunctionConcurrency",
        )
    )  # fmt: skip
    return role(
        "delivery-execution",
        service("cloudformation"),
        allow("Roles", f"{created} {policies} {attached} {listed}", _ROLES),
        allow("Pass", "iam:PassRole", _ROLES),
        allow("Functions", functions, [_FUNCTIONS, f"{_FUNCTIONS}:*"]),
        allow("Code", "s3:GetObject* s3:ListBucket", [
            f"arn:aws:s3:::{ASSETS}", f"arn:aws:s3:::{ASSETS}/*",
        ]),
        allow("Deployments", "codedeploy:*", f"{_CODE_DEPLOY}*"),
        allow(
            "Alarms",
            "cloudwatch:PutMetricAlarm cloudwatch:DeleteAlarms cloudwatch:DescribeAlarms "
            "cloudwatch:TagResource cloudwatch:UntagResource cloudwatch:ListTagsForResource",
            f"arn:aws:cloudwatch:{REGION}:{TARGET}:alarm:*",
        ),
    )  # fmt: skip


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

