"""Reports on the roles and keys that services use for themselves: of logs and of functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.corpus.report import report
from tests.corpus.stacks import ACCOUNT, REGION, Bench, refused, started, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = "import os\ndef handler(*_): return os.environ['KEY']"
PUSH = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


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
    key = bench.client("kms").create_key()["KeyMetadata"]["Arn"]
    role = bench.role("terminates")
    given = {"Role": role, "KMSKeyArn": key, "Environment": {"Variables": {"KEY": "x"}}}
    bench.function("terminate", SOURCE, **given)
    code, message = refused(bench.lambdas.invoke, FunctionName="terminate")
    assert code == "KMSAccessDeniedException"
    assert message == (
        "Lambda was unable to decrypt the environment variables because KMS access was denied. "
        "Please check the function's KMS key settings. KMS Exception: AccessDeniedExceptionKMS "
        f"Message: User: arn:aws:sts::{ACCOUNT}:assumed-role/terminates/terminate is not "
        f"authorized to perform: kms:Decrypt on resource: {key} because no identity-based policy "
        "allows the kms:Decrypt action"
    )
    policy = json.dumps(statements({"Action": "kms:Decrypt", "Resource": key}))
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
    kms = bench.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/functions", TargetKeyId=key)
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/functions"
    assert refused(lambda: bench.function("aliased", KMSKeyArn=alias)) == (
        "InvalidParameterValueException",
        "Lambda was unable to configure access to your environment variables because the KMS key "
        "is invalid for CreateGrant. Please check your KMS key settings. KMS Exception: "
        "InvalidArnException KMS Message: Key Aliases are not supported for this operation.",
    )
