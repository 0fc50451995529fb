"""A role's calls, allowed or denied by its policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.iam.service_roles import RoleError, assume_service_role

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.core.credentials import Session
    from localcloud.server import LocalCloud

ACCOUNT, OTHER, REGION = "111111111111", "222222222222", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/me"
SERVICES = ("logs", "cloudwatch", "sts", "codepipeline", "codeconnections")


@pytest.fixture
def server(start_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    return start_cloud(services=SERVICES, iam="enforce")


def _document(*statements: dict[str, Any]) -> str:
    stated = [{"Effect": "Allow"} | each for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": stated})


def _allow(action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Action": action, "Resource": resource, **more}


def _role(
    server: LocalCloud, *statements: dict[str, Any], name: str = "r", account: str = ACCOUNT
) -> Session:
    """Return a session of a role with these statements."""
    iam = server.cloud.client("iam", account, REGION)
    trust = _document({"Action": "sts:AssumeRole", "Principal": {"AWS": account}})
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=_document(*statements))
    return server.cloud.credentials.assume(f"arn:aws:iam::{account}:role/{name}", "me")


def _client(server: LocalCloud, service: str, session: Session) -> Any:
    return server.cloud.client(service, session.account, REGION, session)


def _denied(call: Callable[..., Any], *arguments: Any, **parameters: Any) -> tuple[str, str]:
    """Return code and message of a denied call."""
    with pytest.raises(ClientError) as refused:
        call(*arguments, **parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def _unallowed(action: str, resource: str, kind: str = "identity-based policy") -> str:
    return (
        f"User: {SESSION} is not authorized to perform: {action} on resource: {resource} "
        f"because no {kind} allows the {action} action"
    )


def test_each_protocol_returns_a_denial_in_its_own_format(server: LocalCloud) -> None:
    session = _role(server)
    here = f"{REGION}:{ACCOUNT}"
    client = _client(server, "ssm", session)
    assert _denied(client.get_parameter, Name="/a") == (
        "AccessDeniedException",
        _unallowed("ssm:GetParameter", f"arn:aws:ssm:{here}:parameter/a"),
    )
    assert _denied(_client(server, "iam", session).get_role, RoleName="r") == (
        "AccessDenied",
        _unallowed("iam:GetRole", ROLE),
    )
    server.cloud.client("s3", ACCOUNT, "us-east-1").create_bucket(Bucket="mine")
    assert _denied(_client(server, "s3", session).get_object, Bucket="mine", Key="k") == (
        "AccessDenied",
        _unallowed("s3:GetObject", "arn:aws:s3:::mine/k"),
    )
    code, message = _denied(
        _client(server, "cloudwatch", session).set_alarm_state,
        AlarmName="a",
        StateValue="OK",
        StateReason="r",
    )
    assert code in {"AccessDenied", "AccessDeniedException"}
    assert message == _unallowed("cloudwatch:SetAlarmState", f"arn:aws:cloudwatch:{here}:alarm:a")
    assert _denied(
        _client(server, "sns", session).publish, TopicArn="arn:aws:sns:r:1:t", Message="m"
    )[0] == ("AuthorizationError")
    assert _denied(
        _client(server, "xray", session).put_trace_segments, TraceSegmentDocuments=["{}"]
    ) == (
        "AccessDeniedException",
        _unallowed("xray:PutTraceSegments", "*"),
    )


def test_an_allowed_call_is_answered(server: LocalCloud) -> None:
    names = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/mine/*"
    client = _client(server, "ssm", _role(server, _allow("ssm:*Parameter", names)))
    client.put_parameter(Name="/mine/a", Value="v", Type="String")
    assert client.get_parameter(Name="/mine/a")["Parameter"]["Value"] == "v"
    assert _denied(client.get_parameter, Name="/other")[0] == "AccessDeniedException"
    assert _denied(client.delete_parameters, Names=["/mine/a"])[0] == "AccessDeniedException"


def test_an_administrator_may_do_everything(server: LocalCloud) -> None:
    server.cloud.client("ssm", ACCOUNT, REGION).put_parameter(Name="a", Value="v", Type="String")


def test_the_caller_of_get_caller_identity_needs_nothing(server: LocalCloud) -> None:
    sts = _client(server, "sts", _role(server))
    assert sts.get_caller_identity()["Arn"] == SESSION


def test_attached_policies_and_boundaries(server: LocalCloud) -> None:
    session = _role(server)
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    read = "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess"
    iam.attach_role_policy(RoleName="r", PolicyArn=read)
    ssm = _client(server, "ssm", session)
    assert ssm.describe_parameters()["Parameters"] == []
    iam.put_role_permissions_boundary(
        RoleName="r", PermissionsBoundary="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    )
    assert _denied(ssm.describe_parameters) == (
        "AccessDeniedException",
        _unallowed("ssm:DescribeParameters", "*", "permissions boundary"),
    )
    iam.delete_role_permissions_boundary(RoleName="r")
    iam.detach_role_policy(RoleName="r", PolicyArn=read)
    assert _denied(ssm.describe_parameters)[1] == _unallowed("ssm:DescribeParameters", "*")


def test_a_bucket_of_another_account_needs_both_sides(server: LocalCloud) -> None:
    owner = server.cloud.client("s3", OTHER, "us-east-1")
    owner.create_bucket(Bucket="theirs")
    owner.put_object(Bucket="theirs", Key="k", Body=b"x")
    session = _role(server, _allow("s3:GetObject", "arn:aws:s3:::theirs/*"))
    s3 = _client(server, "s3", session)
    assert _denied(s3.get_object, Bucket="theirs", Key="k") == ("AccessDenied", "Access Denied")
    statement = _allow("s3:GetObject", "arn:aws:s3:::theirs/*", Principal={"AWS": ROLE})
    owner.put_bucket_policy(Bucket="theirs", Policy=_document(statement))
    assert s3.get_object(Bucket="theirs", Key="k")["Body"].read() == b"x"
    deny = statement | {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    owner.put_bucket_policy(Bucket="theirs", Policy=_document(statement, deny))
    assert _denied(s3.get_object, Bucket="theirs", Key="k")[0] == "AccessDenied"


def test_a_key_policy_must_allow(server: LocalCloud) -> None:
    session = _role(server, _allow("kms:*"))
    admin, kms = server.cloud.client("kms", ACCOUNT, REGION), _client(server, "kms", session)
    key = admin.create_key()["KeyMetadata"]["Arn"]
    kms.encrypt(KeyId=key, Plaintext=b"x")
    other = _allow("kms:*", Principal={"AWS": f"arn:aws:iam::{OTHER}:root"})
    own = _allow("kms:PutKeyPolicy", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    admin.put_key_policy(KeyId=key, PolicyName="default", Policy=_document(other, own))
    assert _denied(kms.encrypt, KeyId=key, Plaintext=b"x") == (
        "AccessDeniedException",
        _unallowed("kms:Encrypt", key, "resource-based policy"),
    )


def test_an_encrypted_object_needs_its_key_through_s3(server: LocalCloud) -> None:
    session = _role(server, _allow("s3:*"))
    key = server.cloud.client("kms", ACCOUNT, "us-east-1").create_key()["KeyMetadata"]["Arn"]
    admin = server.cloud.client("s3", ACCOUNT, "us-east-1")
    admin.create_bucket(Bucket="secret")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    admin.put_bucket_encryption(
        Bucket="secret",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
        },
    )
    s3 = _client(server, "s3", session)
    assert "kms:GenerateDataKey" in _denied(s3.put_object, Bucket="secret", Key="k", Body=b"")[1]
    admin.put_object(Bucket="secret", Key="k", Body=b"x")
    assert _denied(s3.get_object, Bucket="secret", Key="k")[1] == _unallowed("kms:Decrypt", key)
    via = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    server.cloud.client("iam", ACCOUNT, REGION).put_role_policy(
        RoleName="r",
        PolicyName="key",
        PolicyDocument=_document(_allow("kms:Decrypt", key, Condition=via)),
    )
    assert s3.get_object(Bucket="secret", Key="k")["Body"].read() == b"x"
    assert (
        _denied(
            server.cloud.client("kms", ACCOUNT, "us-east-1", session).encrypt,
            KeyId=key,
            Plaintext=b"",
        )[0]
        == "AccessDeniedException"
    )


def test_a_bucket_denies_by_the_header_of_the_encryption(server: LocalCloud) -> None:
    """CodePipeline's policy for its buckets: an object without the header is denied."""
    session = _role(server, _allow("s3:*"))
    admin = server.cloud.client("s3", ACCOUNT, "us-east-1")
    admin.create_bucket(Bucket="sealed")
    unencrypted = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
    objects = "arn:aws:s3:::sealed/*"
    deny = _allow("s3:PutObject", objects, Principal="*", Condition=unencrypted)
    admin.put_bucket_policy(Bucket="sealed", Policy=_document(deny | {"Effect": "Deny"}))
    s3 = _client(server, "s3", session)
    assert _denied(s3.put_object, Bucket="sealed", Key="k", Body=b"x")[1].endswith(
        "with an explicit deny in a resource-based policy"
    )
    s3.put_object(Bucket="sealed", Key="k", Body=b"x", ServerSideEncryption="aws:kms")


def test_session_policies(server: LocalCloud) -> None:
    _role(server, _allow("ssm:*"), {"Action": "sts:AssumeRole", "Resource": ROLE})
    sts = server.cloud.client("sts", ACCOUNT, REGION)
    given = sts.assume_role(
        RoleArn=ROLE,
        RoleSessionName="me",
        Policy=_document(_allow("ssm:PutParameter")),
        PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess"}],
    )["Credentials"]
    session = server.cloud.credentials.session(given["AccessKeyId"])
    assert session is not None
    ssm = _client(server, "ssm", session)
    ssm.put_parameter(Name="a", Value="v", Type="String")
    assert ssm.get_parameter(Name="a")["Parameter"]["Value"] == "v"
    assert _denied(ssm.delete_parameter, Name="a") == (
        "AccessDeniedException",
        _unallowed(
            "ssm:DeleteParameter",
            f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/a",
            "session policy",
        ),
    )


def test_session_policies_survive_a_restart(
    start_cloud: Callable[..., LocalCloud], server: LocalCloud
) -> None:
    _role(server, _allow("ssm:*"))
    session = server.cloud.credentials.assume(ROLE, "me", [_document(_allow("s3:*"))])
    server.stop()
    again = start_cloud(services=SERVICES, iam="enforce")
    assert "session policy" in _denied(_client(again, "ssm", session).describe_parameters)[1]


@pytest.mark.parametrize("account", [ACCOUNT, OTHER])
def test_assuming_a_role_needs_its_trust_and_the_callers_policies(
    server: LocalCloud, account: str
) -> None:
    session = _role(server)
    target = f"arn:aws:iam::{account}:role/target"
    iam = server.cloud.client("iam", account, REGION)
    trust = _document({"Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}})
    iam.create_role(RoleName="target", AssumeRolePolicyDocument=trust)
    sts = _client(server, "sts", session)
    wanted = {"RoleArn": target, "RoleSessionName": "me"}
    text = _unallowed("sts:AssumeRole", target)
    if account == OTHER:  # to which AWS says no more
        text = text[: text.index(" because")]
    assert _denied(sts.assume_role, **wanted) == ("AccessDenied", text)
    server.cloud.client("iam", ACCOUNT, REGION).put_role_policy(
        RoleName="r", PolicyName="p", PolicyDocument=_document(_allow("sts:AssumeRole", target))
    )
    assert sts.assume_role(**wanted)["AssumedRoleUser"]["Arn"].endswith("/target/me")
    elsewhere = _document({"Action": "sts:AssumeRole", "Principal": {"AWS": "333333333333"}})
    iam.update_assume_role_policy(RoleName="target", PolicyDocument=elsewhere)
    assert _denied(sts.assume_role, **wanted)[0] == "AccessDenied"


def test_a_deleted_role_is_denied_everything(server: LocalCloud) -> None:
    session = _role(server, _allow("*"))
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    iam.delete_role_policy(RoleName="r", PolicyName="p")
    iam.delete_role(RoleName="r")
    ssm = _client(server, "ssm", session)
    assert _denied(ssm.describe_parameters)[0] == "AccessDeniedException"


def test_soft_mode_logs_each_denial_once_and_answers(
    start_cloud: Callable[..., LocalCloud], caplog: pytest.LogCaptureFixture
) -> None:
    server = start_cloud(services=SERVICES, iam="soft")
    ssm = _client(server, "ssm", _role(server))
    for _ in range(2):
        assert ssm.describe_parameters()["Parameters"] == []
    logged = f"would deny: {_unallowed('ssm:DescribeParameters', '*')}\n"
    assert caplog.text.count(logged) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"Condition": {"StringEqual": {"aws:PrincipalAccount": ACCOUNT}}},
        {"Actions": "s3:*"},
        {"Effect": "Permit"},
        {"Action": "GetObject"},
    ],
)
def test_a_malformed_policy_is_rejected(server: LocalCloud, wrong: dict[str, Any]) -> None:
    _role(server)
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    document = _document(_allow("s3:*") | wrong)
    code, _ = _denied(iam.put_role_policy, RoleName="r", PolicyName="p", PolicyDocument=document)
    assert code == "MalformedPolicyDocument"


def test_pass_role(start_cloud: Callable[..., LocalCloud]) -> None:
    """The account's own role, for the service of a condition (aws-cdk#28122)."""
    server = start_cloud(services=("logs", "cloudwatch", "cloudformation"), iam="enforce")
    passing = {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
    session = _role(
        server, _allow("cloudformation:*"), _allow("iam:PassRole", ROLE, Condition=passing)
    )
    client = _client(server, "cloudformation", session)
    wanted = {
        "StackName": "stack",
        "ChangeSetName": "first",
        "ChangeSetType": "CREATE",
        "TemplateBody": '{"Resources": {"G": {"Type": "AWS::Logs::LogGroup"}}}',
    }
    other = f"arn:aws:iam::{ACCOUNT}:role/other"
    assert _denied(client.create_change_set, **wanted, RoleARN=other) == (
        "AccessDenied",
        _unallowed("iam:PassRole", other),
    )
    theirs = f"arn:aws:iam::{OTHER}:role/r"
    assert _denied(client.create_change_set, **wanted, RoleARN=theirs) == (
        "AccessDenied",
        "Cross-account pass role is not allowed.",
    )
    server.cloud.client("iam", ACCOUNT, REGION).update_assume_role_policy(
        RoleName="r",
        PolicyDocument=_document(
            {
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "cloudformation.amazonaws.com"},
            }
        ),
    )
    client.create_change_set(**wanted, RoleARN=ROLE)


def test_a_service_is_trusted_for_the_resource_that_a_condition_names(server: LocalCloud) -> None:
    source = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/p"
    conditions = {
        "ArnLike": {"aws:SourceArn": source},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }
    service = "codebuild.amazonaws.com"
    statement = {"Action": "sts:AssumeRole", "Principal": {"Service": service}}
    server.cloud.client("iam", ACCOUNT, REGION).create_role(
        RoleName="r",
        AssumeRolePolicyDocument=_document(statement | {"Condition": conditions}),
    )
    assert assume_service_role(server.cloud.access, ROLE, service, "me", source).role_arn == ROLE
    for other, asked in (("lambda.amazonaws.com", source), (service, ""), (service, f"{source}2")):
        with pytest.raises(RoleError, match=f"does not allow {other} to assume it"):
            assume_service_role(server.cloud.access, ROLE, other, "me", asked)
    with pytest.raises(RoleError, match="does not exist"):
        assume_service_role(server.cloud.access, f"{ROLE}2", service, "me", source)


def test_a_role_is_assumed_by_its_tags(server: LocalCloud) -> None:
    """The self-mutation of CDK Pipelines assumes the bootstrap's roles this way."""
    tagged = {"ForAnyValue:StringEquals": {"iam:ResourceTag/aws-cdk:bootstrap-role": ["deploy"]}}
    session = _role(server, _allow("sts:AssumeRole", "arn:*:iam::*:role/*", Condition=tagged))
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    trust = _document({"Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}})
    for name in ("deploy", "lookup"):
        tag = {"Key": "aws-cdk:bootstrap-role", "Value": name}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=[tag])
    sts = _client(server, "sts", session)
    sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/deploy", RoleSessionName="me")
    lookup = f"arn:aws:iam::{ACCOUNT}:role/lookup"
    assert _denied(sts.assume_role, RoleArn=lookup, RoleSessionName="me")[0] == "AccessDenied"


def test_last_accessed_details_name_each_action_that_was_allowed(server: LocalCloud) -> None:
    session = _role(server, _allow("ssm:GetParameter"))
    with pytest.raises(ClientError):
        _client(server, "ssm", session).get_parameter(Name="/absent")
    with pytest.raises(ClientError):
        _client(server, "ssm", session).delete_parameter(Name="/absent")
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    job = iam.generate_service_last_accessed_details(Arn=ROLE, Granularity="ACTION_LEVEL")
    found = iam.get_service_last_accessed_details(JobId=job["JobId"])
    (service,) = found["ServicesLastAccessed"]
    assert service["ServiceNamespace"] == "ssm"
    (action,) = service["TrackedActionsLastAccessed"]
    assert (action["ActionName"], action["LastAccessedRegion"]) == ("GetParameter", REGION)


def test_last_accessed_details_survive_a_restart(
    start_cloud: Callable[..., LocalCloud], server: LocalCloud
) -> None:
    server.cloud.access.usage.record(ROLE, "s3:GetObject", REGION)
    server.stop()
    again = start_cloud(services=SERVICES, iam="enforce")
    assert [use.action for use in again.cloud.access.usage.of(ROLE)] == ["s3:GetObject"]


def test_an_encrypted_topic_needs_its_key_through_sns(server: LocalCloud) -> None:
    key = server.cloud.client("kms", ACCOUNT, REGION).create_key()["KeyMetadata"]["Arn"]
    topic = server.cloud.client("sns", ACCOUNT, REGION).create_topic(
        Name="encrypted", Attributes={"KmsMasterKeyId": key}
    )["TopicArn"]
    publish = _allow("sns:Publish", topic)
    sns = _client(server, "sns", _role(server, publish))
    assert _denied(sns.publish, TopicArn=topic, Message="m") == (
        "AuthorizationError",
        _unallowed("kms:GenerateDataKey", key),
    )
    through = {"StringEquals": {"kms:ViaService": f"sns.{REGION}.amazonaws.com"}}
    use = _allow("kms:*", key, Condition=through)
    server.cloud.client("iam", ACCOUNT, REGION).put_role_policy(
        RoleName="r", PolicyName="p", PolicyDocument=_document(publish, use)
    )
    assert sns.publish(TopicArn=topic, Message="m")["MessageId"]
