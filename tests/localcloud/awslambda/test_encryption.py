"""Environment variables under a customer's KMS key."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from moto.kms.models import kms_backends

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from tests.localcloud.awslambda.conftest import ACCOUNT, REGION, ROLE, TRUST

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.localcloud.awslambda.conftest import Lambdas

SOURCE = "import os\ndef handler(event, context): return os.environ['SECRET']"
VARIABLES = {"Variables": {"SECRET": "s"}}
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
CONFIGURING = (
    "Lambda was unable to configure access to your environment variables because the KMS key is "
    "invalid for CreateGrant. Please check your KMS key settings. KMS Exception: "
)
DECRYPTING = "Lambda was unable to decrypt the environment variables because "
SETTINGS = ". Please check the function's KMS key settings. KMS Exception: "


def document(*statements: dict[str, Any]) -> str:
    """Return a policy whose statements allow."""
    stated = [{"Effect": "Allow", "Resource": "*"} | each for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": stated})


class Keys:
    """A cloud with a customer's KMS key."""

    def __init__(self, lambdas: Lambdas) -> None:
        self.lambdas = lambdas
        self.kms = self.client("kms")
        self.iam = self.client("iam")
        self.arn: str = self.kms.create_key()["KeyMetadata"]["Arn"]

    def client(self, service: str) -> Any:
        return self.lambdas.server.cloud.client(service, ACCOUNT, REGION)

    def allow(self, role: str, *statements: dict[str, Any]) -> None:
        policy = document(*statements)
        self.iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=policy)

    def decrypt(self) -> None:
        """Allow the functions' role to decrypt."""
        self.allow("runner", {"Action": "kms:Decrypt", "Resource": self.arn})

    def team(self, *statements: dict[str, Any]) -> Any:
        """Return Lambda as a role that may do everything but use keys."""
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": trust})
        self.iam.create_role(RoleName="team", AssumeRolePolicyDocument=policy)
        self.allow("team", {"Action": ["lambda:*", "iam:PassRole"]}, *statements)
        cloud = self.lambdas.server.cloud
        session = cloud.credentials.assume(f"arn:aws:iam::{ACCOUNT}:role/team", "me")
        return cloud.client("lambda", ACCOUNT, REGION, session)

    def create(self, client: Any = None, **more: Any) -> Any:
        """Create the function under the key."""
        given = {
            "FunctionName": "f",
            "Runtime": RUNTIME,
            "Architectures": [ARCHITECTURE],
            "Handler": "app.handler",
            "Role": ROLE,
            "Code": {"ZipFile": self.lambdas.zipped(SOURCE)},
            "Environment": VARIABLES,
            "KMSKeyArn": self.arn,
        }
        return (client or self.lambdas.client).create_function(**given | more)

    def invoke(self) -> Any:
        return self.lambdas.invoke("f")[1]


@pytest.fixture
def keys(start: Callable[..., Lambdas]) -> Keys:
    return Keys(start(iam="enforce"))


def error(call: Callable[..., Any], *arguments: Any, **parameters: Any) -> tuple[int, str, str]:
    """Return status, code and message of a rejected call."""
    with pytest.raises(ClientError) as refused:
        call(*arguments, **parameters)
    said, head = refused.value.response["Error"], refused.value.response["ResponseMetadata"]
    return head["HTTPStatusCode"], said["Code"], said["Message"]


def test_the_execution_role_must_be_able_to_decrypt(keys: Keys) -> None:
    keys.create()
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/runner/f"
    assert error(keys.invoke) == (
        502,
        "KMSAccessDeniedException",
        f"{DECRYPTING}KMS access was denied{SETTINGS}AccessDeniedExceptionKMS Message: User: "
        f"{session} is not authorized to perform: kms:Decrypt on resource: {keys.arn} because no "
        "identity-based policy allows the kms:Decrypt action",
    )
    through = {
        "kms:ViaService": f"lambda.{REGION}.amazonaws.com",
        "kms:EncryptionContext:aws:lambda:FunctionArn": FUNCTION,
    }
    statement = {"Action": "kms:Decrypt", "Resource": keys.arn}
    keys.allow("runner", statement | {"Condition": {"StringEquals": through}})
    assert keys.invoke() == "s"
    through["kms:EncryptionContext:aws:lambda:FunctionArn"] = f"{FUNCTION}2"
    keys.allow("runner", statement | {"Condition": {"StringEquals": through}})
    assert error(keys.invoke)[1] == "KMSAccessDeniedException"


def test_the_keys_policy_must_allow_the_execution_role(keys: Keys) -> None:
    keys.create()
    keys.decrypt()
    assert keys.invoke() == "s"
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    policy = document({"Principal": root, "Action": ["kms:PutKeyPolicy", "kms:CreateGrant"]})
    keys.kms.put_key_policy(KeyId=keys.arn, PolicyName="default", Policy=policy)
    assert "no resource-based policy allows the kms:Decrypt action" in error(keys.invoke)[2]


def test_each_unusable_key_has_its_own_error(keys: Keys) -> None:
    keys.create()
    keys.decrypt()
    keys.kms.disable_key(KeyId=keys.arn)
    assert error(keys.invoke) == (
        502,
        "KMSDisabledException",
        f"{DECRYPTING}the KMS key used is disabled{SETTINGS}DisabledExceptionKMS Message: "
        f"{keys.arn} is disabled.",
    )
    keys.kms.enable_key(KeyId=keys.arn)
    assert keys.invoke() == "s"
    keys.kms.schedule_key_deletion(KeyId=keys.arn)
    status, code, message = error(keys.invoke)
    assert (status, code) == (502, "KMSInvalidStateException")
    assert message.endswith(f"{keys.arn} is pending deletion.")
    # moto keeps a key that is pending deletion for ever.
    del kms_backends[ACCOUNT][REGION].keys[keys.arn.rsplit("/", 1)[-1]]
    status, code, message = error(keys.invoke)
    assert (status, code) == (502, "KMSNotFoundException")
    assert message.endswith(f"Key '{keys.arn}' does not exist")


def test_a_function_without_variables_needs_no_decryption(keys: Keys) -> None:
    source = "def handler(event, context): return 1"
    keys.create(Environment={}, Code={"ZipFile": keys.lambdas.zipped(source)})
    assert keys.invoke() == 1


def test_a_rejected_invocation_is_no_throttle(keys: Keys) -> None:
    keys.create()
    assert error(keys.invoke)[1] == "KMSAccessDeniedException"
    keys.lambdas.server.cloud.functions._telemetry.flush()
    assert keys.lambdas.metrics.data == []
    keys.decrypt()
    assert keys.invoke() == "s"
    keys.lambdas.server.cloud.functions._telemetry.flush()
    assert keys.lambdas.metrics.data


def test_an_event_waits_for_the_permission(start: Callable[..., Lambdas]) -> None:
    keys = Keys(start(iam="enforce", speed=60.0))
    source = "import os\ndef handler(event, context): print('got ' + os.environ['SECRET'])"
    keys.create(Code={"ZipFile": keys.lambdas.zipped(source)})
    keys.lambdas.client.invoke(FunctionName="f", InvocationType="Event")
    deadline = time.monotonic() + 30
    while not keys.lambdas.server.cloud.ledger.all("functions:event")[0][1]["throttles"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    keys.allow("runner", {"Action": ["kms:Decrypt", "logs:*"]})
    keys.lambdas.written.wait_for("got s")


def test_the_creator_needs_the_key(keys: Keys) -> None:
    team = keys.team()
    assert f"kms:CreateGrant on resource: {keys.arn}" in error(keys.create, team)[2]
    calls = {"Action": ["lambda:*", "iam:PassRole"]}
    use = {"kms:ViaService": f"lambda.{REGION}.amazonaws.com"}
    grant = {
        "Action": "kms:CreateGrant",
        "Condition": {"StringEquals": use, "Bool": {"kms:GrantIsForAWSResource": "true"}},
    }
    keys.allow("team", calls, grant)
    assert f"kms:Encrypt on resource: {keys.arn}" in error(keys.create, team)[2]
    keys.allow("team", calls, grant, {"Action": "kms:Encrypt", "Condition": {"StringEquals": use}})
    keys.create(team)


def test_changed_variables_need_the_key_and_other_changes_do_not(keys: Keys) -> None:
    keys.create()
    team = keys.team()
    team.update_function_configuration(FunctionName="f", Timeout=7)
    update = team.update_function_configuration
    for changed in ({"Environment": VARIABLES}, {"Role": ROLE}, {"KMSKeyArn": keys.arn}):
        assert "kms:CreateGrant" in error(update, FunctionName="f", **changed)[2]
    team.update_function_configuration(FunctionName="f", KMSKeyArn="")
    assert "KMSKeyArn" not in team.get_function_configuration(FunctionName="f")


def test_variables_are_shown_to_those_who_may_decrypt(keys: Keys) -> None:
    keys.create()
    team = keys.team()
    found = team.get_function_configuration(FunctionName="f")["Environment"]
    assert found["Error"]["ErrorCode"] == "AccessDeniedException"
    assert found["Error"]["Message"].startswith(
        "Lambda was unable to decrypt your environment variables because the KMS access was "
        "denied. Please check your KMS permissions. KMS Exception: AccessDeniedException KMS "
        f"Message: User: arn:aws:sts::{ACCOUNT}:assumed-role/team/me is not authorized to perform:"
    )
    assert "Variables" not in team.list_functions()["Functions"][0]["Environment"]
    keys.allow("team", {"Action": ["lambda:*", "kms:Decrypt"]})
    shown = team.get_function(FunctionName="f")["Configuration"]["Environment"]
    assert shown == VARIABLES


def test_an_unusable_key_is_rejected(keys: Keys) -> None:
    keys.kms.create_alias(AliasName="alias/mine", TargetKeyId=keys.arn)
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/mine"
    absent = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/absent"
    rejected = "InvalidParameterValueException"
    assert error(keys.create, KMSKeyArn=alias)[1:] == (
        rejected,
        f"{CONFIGURING}InvalidArnException KMS Message: Key Aliases are not supported for this "
        "operation.",
    )
    assert error(keys.create, KMSKeyArn=absent)[1:] == (
        rejected,
        f"{CONFIGURING}NotFoundException KMS Message: Key '{absent}' does not exist",
    )
    assert error(keys.create, KMSKeyArn="key")[1] == "ValidationException"
    keys.create()
    keys.kms.disable_key(KeyId=keys.arn)
    update = keys.lambdas.client.update_function_configuration
    update(FunctionName="f", Timeout=7)
    changed = {"Variables": {"SECRET": "t"}}
    message = f"{CONFIGURING}DisabledException KMS Message: {keys.arn} is disabled."
    assert error(update, FunctionName="f", Environment=changed)[1:] == (rejected, message)


def test_in_soft_mode_a_denial_is_logged(
    start: Callable[..., Lambdas], caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys(start())
    keys.create()
    assert keys.invoke() == "s"
    assert "would deny: User:" in caplog.text
    assert f"kms:Decrypt on resource: {keys.arn}" in caplog.text


def test_a_stack_needs_the_key_to_create_its_function(keys: Keys) -> None:
    s3 = keys.client("s3")
    where = {"Bucket": "code", "Key": "zip"}
    s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(**where, Body=keys.lambdas.zipped(SOURCE))
    properties = {
        "FunctionName": "f",
        "Runtime": RUNTIME,
        "Architectures": [ARCHITECTURE],
        "Handler": "app.handler",
        "Role": ROLE,
        "Code": {"S3Bucket": "code", "S3Key": "zip"},
        "Environment": VARIABLES,
        "KmsKeyArn": keys.arn,
    }
    template = {"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": properties}}}
    trust = json.dumps(TRUST).replace("lambda.", "cloudformation.")
    role = keys.iam.create_role(RoleName="execution", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    calls = {"Action": ["lambda:*", "iam:PassRole", "s3:GetObject"]}
    use = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    stacks = keys.client("cloudformation")

    def create(name: str) -> tuple[str, str]:
        stacks.create_stack(StackName=name, TemplateBody=json.dumps(template), RoleARN=role)
        deadline = time.monotonic() + 60
        while "PROGRESS" in stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        events = stacks.describe_stack_events(StackName=name)["StackEvents"]
        reasons = [each.get("ResourceStatusReason", "") for each in events]
        status = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return status, " ".join(reasons)

    keys.allow("execution", calls, {"Action": use})
    status, reasons = create("denied")
    assert status == "ROLLBACK_COMPLETE"
    assert f"kms:CreateGrant on resource: {keys.arn}" in reasons
    keys.allow("execution", calls, {"Action": [*use, "kms:CreateGrant"]})
    assert create("allowed")[0] == "CREATE_COMPLETE"
