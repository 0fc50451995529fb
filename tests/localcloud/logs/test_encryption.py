"""Log groups under a customer's KMS key."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.core.providers import ProvisioningError, Resource, ResourceRequest
from localcloud.iam.acting import role_session
from localcloud.logs.providers import LogGroupProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:g"
ACTIONS = ("kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*")
DENIED = (
    "AccessDeniedException",
    f"The specified KMS key does not exist or is not allowed to be used with Arn '{GROUP}'",
)
NOT_FOUND = ("InvalidParameterException", "The specified KMS Key Id could not be found.")


class Keys:
    """A cloud with a key for log groups."""

    def __init__(self, server: LocalCloud) -> None:
        self.server = server
        self.kms = self.client("kms")
        self.logs = self.client("logs")
        self.arn = self.key()

    def client(self, service: str, region: str = REGION) -> Any:
        return self.server.cloud.client(service, ACCOUNT, region)

    def key(self, **more: Any) -> str:
        """Create a key that CloudWatch Logs may not use; return its ARN."""
        return str(self.kms.create_key(**more)["KeyMetadata"]["Arn"])

    def allow(self, *actions: str, group: str = GROUP, service: str = f"logs.{REGION}") -> None:
        """Allow a service actions for a log group, in the form of the CloudWatch Logs guide."""
        root = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
        logs = {
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": list(actions),
            "Condition": {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": group}},
        }
        stated = [{"Effect": "Allow", "Resource": "*"} | each for each in (root, logs)]
        policy = json.dumps({"Version": "2012-10-17", "Statement": stated})
        self.kms.put_key_policy(KeyId=self.arn, PolicyName="default", Policy=policy)

    def associated(self) -> str | None:
        """The key of the log group, or None."""
        (group,) = self.logs.describe_log_groups(logGroupNamePrefix="g")["logGroups"]
        found: str | None = group.get("kmsKeyId")
        return found

    def provide(self, key: str | None, current: Resource | None = None) -> Resource:
        """Create or update the log group as a resource of a template."""
        logs = self.server.cloud.logs
        properties = {"LogGroupName": "g"} | ({} if key is None else {"KmsKeyId": key})
        request = ResourceRequest(
            type="AWS::Logs::LogGroup",
            logical_id="Log",
            account=ACCOUNT,
            region=REGION,
            stack_name="stack",
            stack_id="arn:stack",
            properties=properties,
            cancel=threading.Event(),
        )
        provider = LogGroupProvider(logs.events, logs.encryption)
        return provider.update(request, current) if current else provider.create(request)


@pytest.fixture
def keys(start_cloud: Callable[..., LocalCloud]) -> Keys:
    return Keys(start_cloud(services=("logs", "sts"), iam="enforce"))


def refused(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    """Return code and message of a rejected call."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_the_keys_policy_must_allow_cloudwatch_logs(keys: Keys) -> None:
    create = keys.logs.create_log_group
    assert refused(create, logGroupName="g", kmsKeyId=keys.arn) == DENIED
    assert keys.logs.describe_log_groups()["logGroups"] == []
    keys.allow(*ACTIONS)
    create(logGroupName="g", kmsKeyId=keys.arn, tags={"a": "b"})
    assert keys.associated() == keys.arn
    assert keys.logs.list_tags_for_resource(resourceArn=GROUP)["tags"] == {"a": "b"}


def test_a_group_gets_and_loses_its_key(keys: Keys) -> None:
    keys.logs.create_log_group(logGroupName="g")
    associate = keys.logs.associate_kms_key
    assert refused(associate, logGroupName="g", kmsKeyId=keys.arn) == DENIED
    keys.allow(*ACTIONS)
    associate(logGroupName="g", kmsKeyId=keys.arn)
    assert keys.associated() == keys.arn
    keys.logs.disassociate_kms_key(resourceIdentifier=GROUP)
    assert keys.associated() is None
    associate(resourceIdentifier=GROUP, kmsKeyId=keys.arn)
    assert keys.associated() == keys.arn
    query = f"arn:aws:logs:{REGION}:{ACCOUNT}:query-result:*"
    assert refused(associate, resourceIdentifier=query, kmsKeyId=keys.arn)[0] == NOT_FOUND[0]
    assert refused(associate, kmsKeyId=keys.arn)[0] == NOT_FOUND[0]
    assert refused(associate, logGroupName="other", kmsKeyId=keys.arn)[0] == (
        "ResourceNotFoundException"
    )


@pytest.mark.parametrize("missing", ACTIONS)
def test_cloudwatch_logs_needs_each_action(keys: Keys, missing: str) -> None:
    keys.allow(*(each for each in ACTIONS if each != missing))
    assert refused(keys.logs.create_log_group, logGroupName="g", kmsKeyId=keys.arn) == DENIED


def test_the_policy_names_this_group_and_this_region(keys: Keys) -> None:
    create = keys.logs.create_log_group
    keys.allow(*ACTIONS, group=f"{GROUP}2")
    assert refused(create, logGroupName="g", kmsKeyId=keys.arn) == DENIED
    for service in ("logs", "logs.us-east-1"):
        keys.allow(*ACTIONS, service=service)
        assert refused(create, logGroupName="g", kmsKeyId=keys.arn) == DENIED


def test_a_key_that_cannot_be_used_is_rejected(keys: Keys) -> None:
    keys.allow(*ACTIONS)
    create = keys.logs.create_log_group
    keys.kms.create_alias(AliasName="alias/logs", TargetKeyId=keys.arn)
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/logs"
    absent = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/absent"
    elsewhere = keys.client("kms", "us-east-1").create_key()["KeyMetadata"]["Arn"]
    for name in (keys.arn.rsplit("/", 1)[-1], alias, absent, elsewhere):
        assert refused(create, logGroupName="g", kmsKeyId=name) == NOT_FOUND
    pair = keys.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    code, message = refused(create, logGroupName="g", kmsKeyId=pair)
    assert code == "InvalidParameterException"
    assert message.endswith(f"{pair} is not a symmetric encryption key.")
    keys.kms.disable_key(KeyId=keys.arn)
    code, message = refused(create, logGroupName="g", kmsKeyId=keys.arn)
    assert code == "InvalidParameterException"
    assert message.endswith(f"{keys.arn} is disabled.")


def test_events_under_a_revoked_key_are_neither_written_nor_read(keys: Keys) -> None:
    logs = keys.logs
    keys.allow(*ACTIONS)
    logs.create_log_group(logGroupName="g", kmsKeyId=keys.arn)
    stream = {"logGroupName": "g", "logStreamName": "s"}
    logs.create_log_stream(**stream)
    events = [{"timestamp": 1, "message": "m"}]
    logs.put_log_events(**stream, logEvents=events)
    assert [each["message"] for each in logs.get_log_events(**stream)["events"]] == ["m"]
    keys.allow("kms:Encrypt*")
    assert refused(logs.put_log_events, **stream, logEvents=events) == DENIED
    assert refused(logs.get_log_events, **stream) == DENIED
    assert refused(logs.filter_log_events, logGroupName="g") == DENIED
    keys.allow(*ACTIONS)
    keys.kms.disable_key(KeyId=keys.arn)
    assert refused(logs.get_log_events, **stream) == DENIED
    keys.kms.enable_key(KeyId=keys.arn)
    assert len(logs.get_log_events(**stream)["events"]) == 1


def test_a_service_loses_its_log_under_a_revoked_key(keys: Keys) -> None:
    keys.allow(*ACTIONS)
    keys.logs.create_log_group(logGroupName="g", kmsKeyId=keys.arn)
    iam, role = keys.client("iam"), f"arn:aws:iam::{ACCOUNT}:role/writer"
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": trust})
    iam.create_role(RoleName="writer", AssumeRolePolicyDocument=policy)
    iam.attach_role_policy(
        RoleName="writer", PolicyArn="arn:aws:iam::aws:policy/CloudWatchLogsFullAccess"
    )
    session = role_session(role, "me")

    def deliver(text: str) -> object:
        return keys.server.cloud.logs.deliver(session, REGION, "g", "s", [(1.0, text)])

    assert deliver("kept") is None
    keys.allow("kms:Encrypt*")
    assert DENIED[1] in str(deliver("lost"))
    keys.allow(*ACTIONS)
    events = keys.logs.filter_log_events(logGroupName="g")["events"]
    assert [each["message"] for each in events] == ["kept"]


def test_a_template_needs_a_usable_key(keys: Keys) -> None:
    """A reference to the key is its id, and no ARN: cloudformation-resource-schema#119."""
    with pytest.raises(ProvisioningError, match=r"Model validation failed \(#/KmsKeyId"):
        keys.provide(keys.arn.rsplit("/", 1)[-1])
    created = keys.provide(None)
    with pytest.raises(ProvisioningError) as error:
        keys.provide(keys.arn, created)
    assert f'Resource handler returned message: "{DENIED[1]} (Service: CloudWatchLogs' in str(
        error.value
    )
    keys.allow(*ACTIONS)
    updated = keys.provide(keys.arn, created)
    assert keys.associated() == keys.arn
    keys.kms.disable_key(KeyId=keys.arn)
    updated = keys.provide(keys.arn, updated)  # the key does not change
    keys.provide(None, updated)
    assert keys.associated() is None


def test_in_soft_mode_a_denial_is_logged(
    start_cloud: Callable[..., LocalCloud], caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys(start_cloud(services=("logs", "sts")))
    keys.logs.create_log_group(logGroupName="g", kmsKeyId=keys.arn)
    assert keys.associated() == keys.arn
    assert "would deny: Service: logs.eu-west-1.amazonaws.com" in caplog.text
