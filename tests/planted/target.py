"""The target account's stack, as its administrator bootstraps it."""

from __future__ import annotations

from typing import Any

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
_READ = "s3:GetObject* s3:GetBucket* s3:List*"
_ROLES = f"arn:aws:iam::{TARGET}:role/service-*"
_FUNCTIONS = f"arn:aws:lambda:{REGION}:{TARGET}:function:delivery-*"
_CODE_DEPLOY = f"arn:aws:codedeploy:{REGION}:{TARGET}:"


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
    """The role that creates the service's resources, with the least permissions."""
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
