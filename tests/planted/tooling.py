"""The tooling account's stack: the pipeline, its roles, its key and its bucket."""

from __future__ import annotations

import json
from typing import Any

from localcloud.functions.configuration import ARCHITECTURE, RUNTIME
from tests.planted.policies import (
    ASSETS,
    BUCKET,
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

REPOSITORY, PIPELINE = "acme/delivery", "delivery"
PARAMETER, SECRET = "/delivery/channel", "delivery-token"
PIPELINE_ARN = f"arn:aws:codepipeline:{REGION}:{TOOLING}:{PIPELINE}"
PROJECT_ARN = f"arn:aws:codebuild:{REGION}:{TOOLING}:project/delivery"
_RULES = f"arn:aws:events:{REGION}:{TOOLING}:rule"
_LOGS = f"arn:aws:logs:{REGION}:{TOOLING}:log-group:/aws/codebuild/delivery"
_BUCKET = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
_READ = "s3:GetObject* s3:GetBucket* s3:List*"
_WRITE = f"{_READ} s3:DeleteObject* s3:PutObject* s3:Abort*"
_DECRYPT = "kms:Decrypt kms:DescribeKey"
_ENCRYPT = f"{_DECRYPT} kms:Encrypt kms:ReEncrypt* kms:GenerateDataKey*"
_DEPLOYERS = {"AWS": [role_arn(TARGET, "delivery-deploy"), role_arn(TARGET, "delivery-execution")]}
BUILDSPEC = {
    "version": "0.2",
    "env": {"parameter-store": {"CHANNEL": PARAMETER}, "secrets-manager": {"TOKEN": SECRET}},
    "phases": {"build": {"commands": ["python publish.py"]}},
    "artifacts": {"files": ["service.json"]},
}


def tooling() -> Template:
    """Return the template."""
    return {
        "Resources": {
            "Connection": {
                "Type": "AWS::CodeConnections::Connection",
                "Properties": {"ConnectionName": "delivery", "ProviderType": "GitHub"},
            },
            "Key": {
                "Type": "AWS::KMS::Key",
                "Properties": {
                    "KeyPolicy": document(
                        allow("Own", "kms:*", Principal={"AWS": role_arn(TOOLING, "").replace(
                            "role/", "root")}),
                        allow("Target", _DECRYPT, Principal=_DEPLOYERS),
                    )
                },
            },
            "Artifacts": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "BucketName": BUCKET,
                    "BucketEncryption": {
                        "ServerSideEncryptionConfiguration": [
                            {
                                "ServerSideEncryptionByDefault": {
                                    "SSEAlgorithm": "aws:kms",
                                    "KMSMasterKeyID": get("Key"),
                                }
                            }
                        ]
                    },
                },
            },
            "ArtifactsPolicy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "Bucket": {"Ref": "Artifacts"},
                    "PolicyDocument": document(
                        allow(
                            "Insecure", "s3:*", _BUCKET, Principal={"AWS": "*"},
                            Condition={"Bool": {"aws:SecureTransport": "false"}},
                        ) | {"Effect": "Deny"},
                        allow("Target", _READ, _BUCKET, Principal=_DEPLOYERS),
                    ),
                },
            },
            "Channel": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": PARAMETER, "Type": "String", "Value": "stable"},
            },
            **_roles(),
            "Project": {
                "Type": "AWS::CodeBuild::Project",
                "Properties": {
                    "Name": "delivery",
                    "ServiceRole": get("BuildRole"),
                    "EncryptionKey": get("Key"),
                    "Source": {"Type": "CODEPIPELINE", "BuildSpec": json.dumps(BUILDSPEC)},
                    "Artifacts": {"Type": "CODEPIPELINE"},
                    "Environment": {
                        "Type": "LINUX_CONTAINER",
                        "Image": "aws/codebuild/standard:7.0",
                        "ComputeType": "BUILD_GENERAL1_SMALL",
                    },
                },
            },
            "Pipeline": _pipeline(),
            "Start": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "Name": "start",
                    "EventPattern": {"source": ["acme.releases"]},
                    "Targets": [
                        {
                            "Id": "Pipeline",
                            "Arn": PIPELINE_ARN,
                            "RoleArn": get("StartRole"),
                            "DeadLetterConfig": {"Arn": get("Undelivered")},
                        }
                    ],
                },
            },
            **_notices(),
        },
        "Outputs": {"Connection": {"Value": {"Ref": "Connection"}}},
    }  # fmt: skip


def _notices() -> dict[str, Any]:
    """A function that is told of each release, and the queue of what was not delivered."""
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


def _roles() -> dict[str, Any]:
    """The roles of CDK: the pipeline's, one for each action, the build's, the rule's."""
    actions = [role_arn(TOOLING, "delivery-source"), role_arn(TOOLING, "delivery-start-build")]
    artifacts = (
        allow("Artifacts", _WRITE, _BUCKET),
        allow("Key", _ENCRYPT, get("Key")),
    )
    uses = "codeconnections:UseConnection codestar-connections:UseConnection"
    by_pipeline = trust({"AWS": get("PipelineRole")})
    publishing = {"StringEquals": {"iam:ResourceTag/aws-cdk:bootstrap-role": "file-publishing"}}
    through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    return {
        "PipelineRole": role(
            "delivery-pipeline",
            service("codepipeline", ArnEquals={"aws:SourceArn": PIPELINE_ARN}),
            *artifacts,
            allow("Actions", "sts:AssumeRole", [*actions, role_arn(TARGET, "delivery-deploy")]),
        ),
        "SourceRole": role(
            "delivery-source",
            by_pipeline,
            *artifacts,
            allow("Connection", uses, {"Ref": "Connection"}),
        ),
        "StartBuildRole": role(
            "delivery-start-build",
            by_pipeline,
            allow(
                "Build",
                "codebuild:BatchGetBuilds codebuild:StartBuild codebuild:StopBuild",
                PROJECT_ARN,
            ),
        ),
        "BuildRole": role(
            "delivery-build",
            service("codebuild"),
            allow(
                "Logs",
                "logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents",
                [_LOGS, f"{_LOGS}:*"],
            ),
            allow("Artifacts", _WRITE, _BUCKET),
            allow("Key", _ENCRYPT, get("Key"), Condition=through_s3),
            allow("Connection", uses, {"Ref": "Connection"}),
            allow(
                "Parameter",
                "ssm:GetParameters",
                f"arn:aws:ssm:{REGION}:{TOOLING}:parameter{PARAMETER}",
            ),
            allow(
                "Secret",
                "secretsmanager:GetSecretValue",
                f"arn:aws:secretsmanager:{REGION}:{TOOLING}:secret:{SECRET}-??????",
            ),
            allow(
                "Publish", "sts:AssumeRole", f"arn:*:iam::{TARGET}:role/*", Condition=publishing
            ),
        ),
        "StartRole": role(
            "delivery-start",
            service("events"),
            allow("Start", "codepipeline:StartPipelineExecution", PIPELINE_ARN),
        ),
    }


def _pipeline() -> dict[str, Any]:
    deploy = {
        "StackName": "service",
        "ChangeSetName": "PipelineChange",
        "RoleArn": role_arn(TARGET, "delivery-execution"),
        "Capabilities": "CAPABILITY_NAMED_IAM",
        "TemplatePath": "Synth::service.json",
    }
    deployer = role_arn(TARGET, "delivery-deploy")
    return {
        "Type": "AWS::CodePipeline::Pipeline",
        "Properties": {
            "Name": PIPELINE,
            "PipelineType": "V2",
            "RoleArn": get("PipelineRole"),
            "ArtifactStore": {
                "Type": "S3",
                "Location": {"Ref": "Artifacts"},
                "EncryptionKey": {"Id": get("Key"), "Type": "KMS"},
            },
            "Stages": [
                _stage(
                    "Source",
                    _action(
                        "Git", "Source", "CodeStarSourceConnection",
                        RoleArn=get("SourceRole"),
                        Configuration={
                            "ConnectionArn": {"Ref": "Connection"},
                            "FullRepositoryId": REPOSITORY,
                            "BranchName": "main",
                            "DetectChanges": False,
                            "OutputArtifactFormat": "CODEBUILD_CLONE_REF",
                        },
                        OutputArtifacts=[{"Name": "App"}],
                    ),
                ),
                _stage(
                    "Build",
                    _action(
                        "Synth", "Build", "CodeBuild",
                        RoleArn=get("StartBuildRole"),
                        Configuration={
                            "ProjectName": {"Ref": "Project"},
                            "EnvironmentVariables": json.dumps(
                                [{"name": "ASSETS", "value": ASSETS, "type": "PLAINTEXT"}]
                            ),
                        },
                        InputArtifacts=[{"Name": "App"}],
                        OutputArtifacts=[{"Name": "Synth"}],
                    ),
                ),
                _stage(
                    "Target",
                    _action(
                        "Prepare", "Deploy", "CloudFormation",
                        RoleArn=deployer,
                        Configuration=deploy | {"ActionMode": "CHANGE_SET_REPLACE"},
                        InputArtifacts=[{"Name": "Synth"}],
                    ),
                    _action(
                        "Deploy", "Deploy", "CloudFormation",
                        RoleArn=deployer,
                        RunOrder=2,
                        Configuration={
                            "ActionMode": "CHANGE_SET_EXECUTE",
                            "StackName": "service",
                            "ChangeSetName": "PipelineChange",
                        },
                    ),
                ),
            ],
        },
    }  # fmt: skip


def _stage(name: str, *actions: dict[str, Any]) -> dict[str, Any]:
    return {"Name": name, "Actions": list(actions)}


def _action(name: str, category: str, provider: str, **more: Any) -> dict[str, Any]:
    kind = {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
    return {"Name": name, "ActionTypeId": kind, **more}
