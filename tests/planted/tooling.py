"""The tooling account's stack: the pipeline, its roles, its key and its bucket."""

from __future__ import annotations

import json
from typing import Any

from tests.planted.notices import notices
from tests.planted.policies import (
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
from tests.planted.stages import PIPELINE_ARN, pipeline

PARAMETER, SECRET = "/delivery/channel", "delivery-token"
PROJECT_ARN = f"arn:aws:codebuild:{REGION}:{TOOLING}:project/delivery"
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
            "Pipeline": pipeline(),
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
            **notices(),
        },
        "Outputs": {"Connection": {"Value": {"Ref": "Connection"}}},
    }  # fmt: skip


def _roles() -> dict[str, Any]:
    """Return CDK's roles: the pipeline's, its actions', the build's, the rule's."""
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
            allow("Publish", "sts:AssumeRole", f"arn:*:iam::{TARGET}:role/*", Condition=publishing),
        ),
        "StartRole": role(
            "delivery-start",
            service("events"),
            allow("Start", "codepipeline:StartPipelineExecution", PIPELINE_ARN),
        ),
    }
