"""The permissions that calls need, by the Service Authorization Reference."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.iam.actions import s3
from localcloud.iam.actions.call import BucketFacts, Call
from localcloud.iam.actions.needed import needed

ACCOUNT, OTHER, REGION = "111111111111", "222222222222", "eu-west-1"
HERE = f"{REGION}:{ACCOUNT}"
KEY = f"arn:aws:kms:{REGION}:{OTHER}:key/k"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


class _Facts:
    """A fake of a local cloud's stored facts."""

    def bucket(self, name: str) -> BucketFacts | None:
        known = {"plain": "", "encrypted": KEY}
        return BucketFacts(OTHER, REGION, known[name]) if name in known else None

    def has_object(self, bucket: str, key: str) -> bool:
        return key != "absent"

    def object_key(self, bucket: str, key: str) -> str:
        return KEY if bucket == "encrypted" else ""

    def managed_key(self, bucket: str, key: str) -> str:
        return f"arn:aws:kms:{REGION}:{OTHER}:key/s3" if key == "managed" else ""

    def key(self, account: str, region: str, name: str) -> str:
        return f"arn:aws:kms:{region}:{account}:key/{name.removeprefix('alias/')}"

    def ciphertext_key(self, account: str, region: str, ciphertext: bytes) -> str:
        return KEY if ciphertext == b"cipher" else ""

    def secret(self, account: str, region: str, name: str) -> str:
        return f"arn:aws:secretsmanager:{region}:{account}:secret:{name}-AbCdEf"

    def secret_key(self, arn: str) -> str:
        return KEY if "encrypted" in arn else ""

    def parameter_keys(self, account: str, region: str, path: str) -> dict[str, str]:
        secure = {"/s/a": KEY, "/s/b": KEY}
        below = path.endswith("/")
        return {n: k for n, k in secure.items() if n == path or (below and n.startswith(path))}

    def role_facts(self, account: str, name: str) -> tuple[str, str]:
        known = {"deep": (f"arn:aws:iam::{account}:role/a/deep", "arn:aws:iam::1:policy/b")}
        return known.get(name, ("", ""))

    def stack(self, account: str, region: str, name: str) -> str:
        return f"arn:aws:cloudformation:{HERE}:stack/here/id" if name == "here" else ""

    def function_key(self, arn: str) -> str:
        return "own" if arn.endswith(":encrypted") else ""

    def topic_key(self, arn: str) -> str:
        return {"e": KEY, "a": f"arn:aws:kms:{HERE}:alias/aws/sns"}.get(
            arn.rsplit(":", maxsplit=1)[-1], ""
        )

    def queue_key(self, arn: str) -> str:
        return KEY if arn.endswith(":e") else ""

    def signing_profile_version(self, account: str, region: str, name: str) -> str:
        return "AbCdEf0123"

    def deployment_group(self, account: str, region: str, deployment: str) -> tuple[str, str]:
        return ("app", "group") if deployment == "d-1" else ("", "")


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        (
            "lambda",
            "Invoke",
            {"FunctionName": "f", "Qualifier": "live"},
            [f"lambda:InvokeFunction arn:aws:lambda:{HERE}:function:f:live"],
        ),
        (
            "lambda",
            "Invoke",
            {"FunctionName": f"arn:aws:lambda:{HERE}:function:f:live"},
            [f"lambda:InvokeFunction arn:aws:lambda:{HERE}:function:f:live"],
        ),
        (
            "lambda",
            "CreateFunction",
            {"FunctionName": "f", "Role": ROLE, "KMSKeyArn": "k"},
            [
                f"lambda:CreateFunction arn:aws:lambda:{HERE}:function:f",
                f"iam:PassRole {ROLE}",
                f"kms:CreateGrant arn:aws:kms:{HERE}:key/k",
                f"kms:Encrypt arn:aws:kms:{HERE}:key/k",
            ],
        ),
        (
            "lambda",
            "UpdateFunctionConfiguration",
            {"FunctionName": "encrypted", "Environment": {"Variables": {}}},
            [
                f"lambda:UpdateFunctionConfiguration arn:aws:lambda:{HERE}:function:encrypted",
                f"kms:CreateGrant arn:aws:kms:{HERE}:key/own",
                f"kms:Encrypt arn:aws:kms:{HERE}:key/own",
            ],
        ),
        (
            "lambda",
            "UpdateFunctionConfiguration",
            {"FunctionName": "encrypted", "Timeout": 7},
            [f"lambda:UpdateFunctionConfiguration arn:aws:lambda:{HERE}:function:encrypted"],
        ),
        (
            "logs",
            "AssociateKmsKey",
            {"resourceIdentifier": f"arn:aws:logs:{HERE}:log-group:g", "kmsKeyId": KEY},
            [f"logs:AssociateKmsKey arn:aws:logs:{HERE}:log-group:g:log-stream:"],
        ),
        (
            "scheduler",
            "CreateSchedule",
            {"Name": "s", "Target": {"Arn": "a", "RoleArn": "arn:aws:iam::1:role/t"}},
            [
                f"scheduler:CreateSchedule arn:aws:scheduler:{HERE}:schedule/default/s",
                "iam:PassRole arn:aws:iam::1:role/t",
            ],
        ),
        (
            "scheduler",
            "GetScheduleGroup",
            {"Name": "g"},
            [f"scheduler:GetScheduleGroup arn:aws:scheduler:{HERE}:schedule-group/g"],
        ),
        (
            "events",
            "PutRule",
            {"Name": "r", "RoleArn": "arn:aws:iam::1:role/t"},
            [
                f"events:PutRule arn:aws:events:{HERE}:rule/r",
                "iam:PassRole arn:aws:iam::1:role/t",
            ],
        ),
        (
            "ssm",
            "GetParametersByPath",
            {"Path": "/s", "WithDecryption": True},
            [
                f"ssm:GetParametersByPath arn:aws:ssm:{HERE}:parameter/s",
                f"kms:Decrypt {KEY}",
                f"kms:Decrypt {KEY}",
            ],
        ),
        (
            "ssm",
            "GetParameters",
            {"Names": ["/s/a", "/plain"]},
            [
                f"ssm:GetParameters arn:aws:ssm:{HERE}:parameter/s/a",
                f"ssm:GetParameters arn:aws:ssm:{HERE}:parameter/plain",
            ],
        ),
        (
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": "encrypted"},
            [
                f"secretsmanager:GetSecretValue arn:aws:secretsmanager:{HERE}:secret:"
                "encrypted-AbCdEf",
                f"kms:Decrypt {KEY}",
            ],
        ),
        (
            "iam",
            "PutRolePolicy",
            {"RoleName": "deep", "PolicyName": "p"},
            [f"iam:PutRolePolicy arn:aws:iam::{ACCOUNT}:role/a/deep"],
        ),
        (
            "lambda",
            "GetAlias",
            {"FunctionName": "f", "Name": "live"},
            [f"lambda:GetAlias arn:aws:lambda:{HERE}:function:f"],
        ),
        ("lambda", "ListFunctions", {}, ["lambda:ListFunctions *"]),
        (
            "lambda",
            "CreateFunction",
            {"FunctionName": "f", "Role": ROLE},
            [f"lambda:CreateFunction arn:aws:lambda:{HERE}:function:f", f"iam:PassRole {ROLE}"],
        ),
        (
            "cloudformation",
            "DescribeStacks",
            {"StackName": "here"},
            [f"cloudformation:DescribeStacks arn:aws:cloudformation:{HERE}:stack/here/id"],
        ),
        (
            "cloudformation",
            "CreateChangeSet",
            {"StackName": "new", "ChangeSetName": "c", "RoleARN": ROLE},
            [
                f"cloudformation:CreateChangeSet arn:aws:cloudformation:{HERE}:stack/new/*",
                f"iam:PassRole {ROLE}",
            ],
        ),
        ("cloudformation", "ListStacks", {}, ["cloudformation:ListStacks *"]),
        (
            "codepipeline",
            "GetPipelineState",
            {"name": "p"},
            [f"codepipeline:GetPipelineState arn:aws:codepipeline:{HERE}:p"],
        ),
        (
            "codepipeline",
            "RetryStageExecution",
            {"pipelineName": "p", "stageName": "s"},
            [f"codepipeline:RetryStageExecution arn:aws:codepipeline:{HERE}:p/s"],
        ),
        (
            "codepipeline",
            "PutApprovalResult",
            {"pipelineName": "p", "stageName": "s", "actionName": "a"},
            [f"codepipeline:PutApprovalResult arn:aws:codepipeline:{HERE}:p/s/a"],
        ),
        (
            "codebuild",
            "BatchGetBuilds",
            {"ids": ["p:1-2"]},
            [f"codebuild:BatchGetBuilds arn:aws:codebuild:{HERE}:project/p"],
        ),
        (
            "codebuild",
            "StartBuild",
            {"projectName": "p"},
            [f"codebuild:StartBuild arn:aws:codebuild:{HERE}:project/p"],
        ),
        (
            "codedeploy",
            "GetDeployment",
            {"deploymentId": "d-1"},
            [f"codedeploy:GetDeployment arn:aws:codedeploy:{HERE}:deploymentgroup:app/group"],
        ),
        (
            "codedeploy",
            "PutLifecycleEventHookExecutionStatus",
            {"deploymentId": "d-1"},
            [
                "codedeploy:PutLifecycleEventHookExecutionStatus "
                f"arn:aws:codedeploy:{HERE}:deploymentgroup:app/group"
            ],
        ),
        (
            "codedeploy",
            "GetDeploymentConfig",
            {"deploymentConfigName": "c"},
            [f"codedeploy:GetDeploymentConfig arn:aws:codedeploy:{HERE}:deploymentconfig:c"],
        ),
        (
            "codedeploy",
            "GetApplicationRevision",
            {"applicationName": "app"},
            [f"codedeploy:GetApplicationRevision arn:aws:codedeploy:{HERE}:application:app"],
        ),
        (
            "signer",
            "StartSigningJob",
            {"profileName": "p"},
            [f"signer:StartSigningJob arn:aws:signer:{HERE}:/signing-profiles/p"],
        ),
        (
            "logs",
            "CreateLogStream",
            {"logGroupName": "/g", "logStreamName": "s"},
            [f"logs:CreateLogStream arn:aws:logs:{HERE}:log-group:/g:log-stream:s"],
        ),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "/g", "logStreamName": "s"},
            [f"logs:PutLogEvents arn:aws:logs:{HERE}:log-group:/g:log-stream:s"],
        ),
        (
            "monitoring",
            "SetAlarmState",
            {"AlarmName": "a"},
            [f"cloudwatch:SetAlarmState arn:aws:cloudwatch:{HERE}:alarm:a"],
        ),
        (
            "monitoring",
            "DescribeAlarms",
            {"AlarmNames": ["a"]},
            [f"cloudwatch:DescribeAlarms arn:aws:cloudwatch:{HERE}:alarm:*"],
        ),
        ("monitoring", "PutMetricData", {"Namespace": "n"}, ["cloudwatch:PutMetricData *"]),
        (
            "events",
            "PutEvents",
            {"Entries": [{"EventBusName": "b"}, {}]},
            [
                f"events:PutEvents arn:aws:events:{HERE}:event-bus/b",
                f"events:PutEvents arn:aws:events:{HERE}:event-bus/default",
            ],
        ),
        ("events", "PutRule", {"Name": "r"}, [f"events:PutRule arn:aws:events:{HERE}:rule/r"]),
        (
            "ssm",
            "GetParameter",
            {"Name": "/a/b"},
            [f"ssm:GetParameter arn:aws:ssm:{HERE}:parameter/a/b"],
        ),
        (
            "ssm",
            "GetParameters",
            {"Names": ["a", "b"]},
            [
                f"ssm:GetParameters arn:aws:ssm:{HERE}:parameter/a",
                f"ssm:GetParameters arn:aws:ssm:{HERE}:parameter/b",
            ],
        ),
        ("ssm", "DescribeParameters", {}, ["ssm:DescribeParameters *"]),
        (
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": "s"},
            [f"secretsmanager:GetSecretValue arn:aws:secretsmanager:{HERE}:secret:s-AbCdEf"],
        ),
        ("kms", "Sign", {"KeyId": "alias/release"}, [f"kms:Sign arn:aws:kms:{HERE}:key/release"]),
        ("kms", "Decrypt", {"CiphertextBlob": b"cipher"}, [f"kms:Decrypt {KEY}"]),
        ("iam", "GetRole", {"RoleName": "r"}, [f"iam:GetRole {ROLE}"]),
        ("sts", "GetCallerIdentity", {}, []),
        (
            "sns",
            "Publish",
            {"TopicArn": f"arn:aws:sns:{HERE}:t"},
            [f"SNS:Publish arn:aws:sns:{HERE}:t"],
        ),
        (
            "sns",
            "PublishBatch",
            {"TopicArn": f"arn:aws:sns:{HERE}:e"},
            [
                f"SNS:Publish arn:aws:sns:{HERE}:e",
                f"kms:GenerateDataKey {KEY}",
                f"kms:Decrypt {KEY}",
            ],
        ),
        (
            "sns",
            "Publish",
            {"TopicArn": f"arn:aws:sns:{HERE}:a"},
            [f"SNS:Publish arn:aws:sns:{HERE}:a"],
        ),
        (
            "sqs",
            "SendMessageBatch",
            {"QueueUrl": f"http://h/{ACCOUNT}/e"},
            [
                f"sqs:SendMessage arn:aws:sqs:{HERE}:e",
                f"kms:GenerateDataKey {KEY}",
                f"kms:Decrypt {KEY}",
            ],
        ),
        (
            "sqs",
            "ReceiveMessage",
            {"QueueUrl": f"http://h/{ACCOUNT}/e"},
            [f"sqs:ReceiveMessage arn:aws:sqs:{HERE}:e", f"kms:Decrypt {KEY}"],
        ),
        (
            "dynamodb",
            "GetItem",
            {"TableName": "t"},
            [f"dynamodb:GetItem arn:aws:dynamodb:{HERE}:table/t"],
        ),
        (
            "sqs",
            "SendMessage",
            {"QueueUrl": f"http://h/{ACCOUNT}/q"},
            [f"sqs:SendMessage arn:aws:sqs:{HERE}:q"],
        ),
        (
            "apigateway",
            "GET",
            {"path": "/restapis/x"},
            [f"apigateway:GET arn:aws:apigateway:{REGION}::/restapis/x"],
        ),
        (
            "apigateway",
            "PATCH",
            {
                "path": "/account",
                "patchOperations": [{"path": "/cloudwatchRoleArn", "value": ROLE}, {"op": "add"}],
            },
            [f"apigateway:PATCH arn:aws:apigateway:{REGION}::/account", f"iam:PassRole {ROLE}"],
        ),
        # For an unlisted service, the operation on all resources.
        ("xray", "PutTraceSegments", {}, ["xray:PutTraceSegments *"]),
    ],
)
def test_calls(
    service: str, operation: str, parameters: dict[str, Any], expected: list[str]
) -> None:
    found = needed(Call(service, operation, ACCOUNT, REGION, parameters), _Facts())
    assert [f"{each.action} {each.resource}" for each in found] == expected


def test_a_passed_role_names_the_service() -> None:
    call = Call(
        "cloudformation", "CreateStack", ACCOUNT, REGION, {"StackName": "s", "RoleARN": ROLE}
    )
    assert needed(call, _Facts())[-1].context == {
        "iam:passedtoservice": ["cloudformation.amazonaws.com"]
    }


@pytest.mark.parametrize(("account", "needs"), [(ACCOUNT, True), (OTHER, False)])
def test_awss_managed_key_for_s3_belongs_to_its_account(account: str, needs: bool) -> None:
    request = s3.S3Request("GET", "plain", "managed", account=account, region=REGION)
    found = [each.action for each in s3.needed(request, _Facts())]
    assert found == ["s3:GetObject", *(["kms:Decrypt"] if needs else [])]


def test_headers_of_a_written_object_are_condition_keys() -> None:
    headers = {"x-amz-server-side-encryption": "aws:kms", "x-amz-meta-own": "x"}
    request = s3.S3Request("PUT", "plain", "k", {}, headers, account=ACCOUNT, region=REGION)
    (put,) = s3.needed(request, _Facts())
    assert put.context == {"s3:x-amz-server-side-encryption": ["aws:kms"]}


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "expected"),
    [
        ("GET", "/", {}, {}, ["s3:ListAllMyBuckets *"]),
        (
            "GET",
            "/plain",
            {"list-type": "2", "prefix": "p"},
            {},
            ["s3:ListBucket arn:aws:s3:::plain"],
        ),
        ("HEAD", "/plain", {}, {}, ["s3:ListBucket arn:aws:s3:::plain"]),
        (
            "GET",
            "/plain",
            {"encryption": ""},
            {},
            ["s3:GetEncryptionConfiguration arn:aws:s3:::plain"],
        ),
        ("PUT", "/plain", {"policy": ""}, {}, ["s3:PutBucketPolicy arn:aws:s3:::plain"]),
        ("PUT", "/plain", {}, {}, ["s3:CreateBucket arn:aws:s3:::plain"]),
        (
            "DELETE",
            "/plain",
            {"lifecycle": ""},
            {},
            ["s3:PutLifecycleConfiguration arn:aws:s3:::plain"],
        ),
        ("DELETE", "/plain", {}, {}, ["s3:DeleteBucket arn:aws:s3:::plain"]),
        ("HEAD", "/plain/a/b", {}, {}, ["s3:GetObject arn:aws:s3:::plain/a/b"]),
        ("GET", "/plain/a", {"versionId": "v"}, {}, ["s3:GetObjectVersion arn:aws:s3:::plain/a"]),
        (
            "GET",
            "/plain/a",
            {"tagging": "", "versionId": "v"},
            {},
            ["s3:GetObjectVersionTagging arn:aws:s3:::plain/a"],
        ),
        (
            "DELETE",
            "/plain/a",
            {"uploadId": "u"},
            {},
            ["s3:AbortMultipartUpload arn:aws:s3:::plain/a"],
        ),
        (
            "GET",
            "/encrypted/a",
            {},
            {},
            ["s3:GetObject arn:aws:s3:::encrypted/a", f"kms:Decrypt {KEY}"],
        ),
        (
            "PUT",
            "/encrypted/a",
            {},
            {},
            ["s3:PutObject arn:aws:s3:::encrypted/a", f"kms:GenerateDataKey {KEY}"],
        ),
        (
            "PUT",
            "/plain/a",
            {},
            {"x-amz-server-side-encryption-aws-kms-key-id": "k"},
            ["s3:PutObject arn:aws:s3:::plain/a", f"kms:GenerateDataKey {KEY}"],
        ),
        (
            "PUT",
            "/plain/a",
            {},
            {"x-amz-copy-source": "encrypted/b"},
            [
                "s3:PutObject arn:aws:s3:::plain/a",
                "s3:GetObject arn:aws:s3:::encrypted/b",
                f"kms:Decrypt {KEY}",
            ],
        ),
        (
            "PUT",
            "/plain/a",
            {},
            {"x-amz-tagging": "a=b"},
            ["s3:PutObject arn:aws:s3:::plain/a", "s3:PutObjectTagging arn:aws:s3:::plain/a"],
        ),
    ],
)
def test_s3(
    method: str, path: str, query: dict[str, str], headers: dict[str, str], expected: list[str]
) -> None:
    bucket, _, key = path.lstrip("/").partition("/")
    request = s3.S3Request(method, bucket, key, query, headers, b"", ACCOUNT, REGION)
    found = s3.needed(request, _Facts())
    assert [f"{each.action} {each.resource}" for each in found] == expected


def test_s3_uses_a_key_for_an_object_of_the_bucket() -> None:
    request = s3.S3Request("GET", "encrypted", "a", account=ACCOUNT, region=REGION)
    read, decrypt = s3.needed(request, _Facts())
    assert read.account == OTHER
    assert decrypt.context["aws:viaawsservice"] == ["true"]
    assert decrypt.context["kms:viaservice"] == [f"s3.{REGION}.amazonaws.com"]
    assert decrypt.context["kms:encryptioncontext:aws:s3:arn"] == ["arn:aws:s3:::encrypted/a"]


def test_an_absent_object_is_a_404_only_with_list_permission() -> None:
    request = s3.S3Request("HEAD", "plain", "absent", account=ACCOUNT, region=REGION)
    assert [f"{each.action} {each.resource}" for each in s3.needed(request, _Facts())] == [
        "s3:GetObject arn:aws:s3:::plain/absent",
        "s3:ListBucket arn:aws:s3:::plain",
    ]


def test_many_objects_are_deleted_one_by_one() -> None:
    second = b"<Object><Key>b</Key><VersionId>v</VersionId></Object>"
    body = b"<Delete><Object><Key>a</Key></Object>" + second + b"</Delete>"
    request = s3.S3Request("POST", "plain", "", {"delete": ""}, {}, body, ACCOUNT, REGION)
    assert [f"{each.action} {each.resource}" for each in s3.needed(request, _Facts())] == [
        "s3:DeleteObject arn:aws:s3:::plain/a",
        "s3:DeleteObjectVersion arn:aws:s3:::plain/b",
    ]
