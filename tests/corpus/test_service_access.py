"""Reports on the roles and keys that services use for themselves: of logs and of functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.corpus.report import report
from tests.corpus.stacks import ACCOUNT, REGION, Bench, refused, started, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = "import os\ndef handler(*_): return os.environ['KEY']"
PUSH = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


def key(bench: Bench, *stated: dict[str, Any]) -> str:
    """Create a key that the account may use, and those of the statements; return its ARN."""
    root = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
    policy = json.dumps(statements(*({"Resource": "*"} | each for each in (root, *stated))))
    return str(bench.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"])


def log_group(resource: Any) -> dict[str, Any]:
    """Return a template with a key and a log group under it."""
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    policy = statements({"Principal": root, "Action": "kms:*", "Resource": "*"})
    made = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": policy}}
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"KmsKeyId": resource}}
    return {"Resources": {"Key": made, "Logs": group}}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud"), iam="enforce") as made:
        yield made


@report(
    "tmobile/jazz-installer#597",
    "API Gateway",
    situation="UpdateAccount sets a log role before a policy is attached to it.",
    outcome="BadRequestException: the role does not have the required permissions.",
)
def test_a_log_role_is_set_before_its_policy(bench: Bench) -> None:
    role = bench.role("api-logs", "apigateway.amazonaws.com")
    update = bench.client("apigateway").update_account
    change = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
    assert refused(update, patchOperations=change) == (
        "BadRequestException",
        "The role ARN does not have required permissions configured. Please grant trust permission "
        "for API Gateway and add the required role policy.",
    )
    bench.client("iam").attach_role_policy(RoleName="api-logs", PolicyArn=PUSH)
    assert update(patchOperations=change)["cloudwatchRoleArn"] == role


@report(
    "cattle-ops/terraform-aws-gitlab-runner#1253",
    "Lambda",
    situation="A function with a customer's key is invoked; its role may not decrypt.",
    outcome="KMSAccessDeniedException: Lambda cannot decrypt the environment variables.",
)
def test_a_role_that_may_not_decrypt_its_variables(bench: Bench) -> None:
    arn = key(bench)
    role = bench.role("terminates")
    given = {"Role": role, "KMSKeyArn": arn, "Environment": {"Variables": {"KEY": "x"}}}
    bench.function("terminate", SOURCE, **given)
    code, message = refused(bench.lambdas.invoke, FunctionName="terminate")
    assert code == "KMSAccessDeniedException"
    assert message == (
        "Lambda was unable to decrypt the environment variables because KMS access was denied. "
        "Please check the function's KMS key settings. KMS Exception: AccessDeniedExceptionKMS "
        f"Message: User: arn:aws:sts::{ACCOUNT}:assumed-role/terminates/terminate is not "
        f"authorized to perform: kms:Decrypt on resource: {arn} because no identity-based policy "
        "allows the kms:Decrypt action"
    )
    policy = json.dumps(statements({"Action": "kms:Decrypt", "Resource": arn}))
    iam = bench.client("iam")
    iam.put_role_policy(RoleName="terminates", PolicyName="own", PolicyDocument=policy)
    assert bench.invoke("terminate") == ("", "x")


@report(
    "hashicorp/terraform#20813",
    "Lambda",
    situation="A function is given the ARN of a key's alias.",
    outcome="InvalidParameterValueException: key aliases are not supported.",
)
def test_a_function_under_the_alias_of_a_key(bench: Bench) -> None:
    bench.client("kms").create_alias(AliasName="alias/functions", TargetKeyId=key(bench))
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/functions"
    assert refused(lambda: bench.function("aliased", KMSKeyArn=alias)) == (
        "InvalidParameterValueException",
        "Lambda was unable to configure access to your environment variables because the KMS key "
        "is invalid for CreateGrant. Please check your KMS key settings. KMS Exception: "
        "InvalidArnException KMS Message: Key Aliases are not supported for this operation.",
    )


@report(
    "aws/aws-cdk#28304",
    "CloudWatch",
    situation="A stack makes a log group under a key whose policy does not name CloudWatch Logs.",
    outcome="CREATE_FAILED: the key does not exist or is not allowed to be used with the group.",
)
def test_a_log_group_under_a_key_of_the_account_alone(bench: Bench) -> None:
    template = log_group({"Fn::GetAtt": ["Key", "Arn"]})
    assert bench.create("logs", template) == "ROLLBACK_COMPLETE"
    reasons = " ".join(bench.failures("logs", "Logs"))
    said = (
        'Resource handler returned message: "The specified KMS key does not exist or is not '
        f"allowed to be used with Arn 'arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"
    )
    assert said in reasons
    assert "HandlerErrorCode: GeneralServiceException" in reasons


@report(
    "aws-cloudformation/cloudformation-resource-schema#119",
    "CloudWatch",
    situation="A log group of a template refers to its key, which is the key's id.",
    outcome="Model validation failed: KmsKeyId has to be an ARN.",
)
def test_a_log_group_under_the_id_of_a_key(bench: Bench) -> None:
    assert bench.create("log-key-id", log_group({"Ref": "Key"})) == "ROLLBACK_COMPLETE"
    assert (
        "Model validation failed (#/KmsKeyId: failed validation constraint for keyword [pattern])"
        in " ".join(bench.failures("log-key-id", "Logs"))
    )


@report(
    "aws-samples/hub-and-spoke-with-inspection-vpc-terraform#2",
    "CloudWatch",
    situation="CreateLogGroup names a key by its id.",
    outcome="InvalidParameterException: the key could not be found.",
)
def test_a_log_group_is_created_under_the_id_of_a_key(bench: Bench) -> None:
    logs = {"Principal": {"Service": f"logs.{REGION}.amazonaws.com"}, "Action": "kms:*"}
    arn = key(bench, logs)
    create = bench.client("logs").create_log_group
    assert refused(create, logGroupName="alerts", kmsKeyId=arn.rsplit("/", 1)[-1]) == (
        "InvalidParameterException",
        "The specified KMS Key Id could not be found.",
    )
    create(logGroupName="alerts", kmsKeyId=arn)


@report(
    "ministryofjustice/modernisation-platform#7870",
    "CloudWatch",
    situation="AssociateKmsKey names a shared key whose policy does not name CloudWatch Logs.",
    outcome="AccessDeniedException: the key is not allowed to be used with the group.",
)
def test_a_log_group_gets_a_shared_key(bench: Bench) -> None:
    client = bench.client("logs")
    client.create_log_group(logGroupName="jitbit")
    given = {"logGroupName": "jitbit", "kmsKeyId": key(bench)}
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:jitbit"
    assert refused(client.associate_kms_key, **given) == (
        "AccessDeniedException",
        f"The specified KMS key does not exist or is not allowed to be used with Arn '{group}'",
    )
    crypto = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*"]
    logs = {
        "Principal": {"Service": f"logs.{REGION}.amazonaws.com"},
        "Action": crypto,
        "Condition": {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": group}},
    }
    client.associate_kms_key(logGroupName="jitbit", kmsKeyId=key(bench, logs))
