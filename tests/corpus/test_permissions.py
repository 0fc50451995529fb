"""Reports on permissions that a delivery lacked: passed roles, boundaries, keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from moto.iam.models import iam_backends

from tests.corpus.report import report
from tests.corpus.stacks import (
    ACCOUNT,
    OTHER,
    REGION,
    Bench,
    parameter,
    refused,
    started,
    statements,
    trust,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERYTHING = {"Action": "*", "Resource": "*"}
CLOUDFORMATION = "cloudformation.amazonaws.com"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud"), iam="enforce") as made:
        yield made


def allow(bench: Bench, name: str, *stated: dict[str, Any], account: str = ACCOUNT) -> None:
    """Replace a role's policy."""
    policy = json.dumps(statements(*stated))
    iam = bench.client("iam", account)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)


def execution_role(bench: Bench, name: str, *stated: dict[str, Any]) -> str:
    """Create a role for stacks; return its ARN."""
    arn = bench.role(name, CLOUDFORMATION)
    allow(bench, name, *stated)
    return arn


def key(bench: Bench, *stated: dict[str, Any]) -> str:
    """Create a key that the account administers; `stated` may use it. Return its ARN."""
    root = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
    policy = json.dumps(statements(*({"Resource": "*"} | each for each in (root, *stated))))
    return str(bench.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"])


@report(
    "serverless-operations/serverless-step-functions#606",
    "EventBridge",
    situation="A role that may create schedules names the role of the schedule's target.",
    outcome="AccessDenied: it also needs iam:PassRole on that role.",
)
def test_a_schedule_passes_the_role_of_its_target(bench: Bench) -> None:
    target = bench.role("scheduled", "scheduler.amazonaws.com")
    creating = {"Action": "scheduler:CreateSchedule", "Resource": "*"}
    session = bench.session("schedules", ACCOUNT, creating)
    given = {
        "Name": "later",
        "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "RoleArn": target},
    }
    create = bench.client("scheduler", session=session).create_schedule
    assert f"iam:PassRole on resource: {target}" in refused(create, **given)[1]
    allow(bench, "schedules", creating, {"Action": "iam:PassRole", "Resource": target})
    create(**given)


def test_a_resource_without_a_handler_passes_its_roles(bench: Bench) -> None:
    target = bench.role("machine", "states.amazonaws.com")
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"RoleArn": target, "DefinitionString": "{}"},
    }
    service = execution_role(bench, "machines", {"Action": "states:*", "Resource": "*"})
    template = {"Resources": {"Machine": machine}}
    assert bench.create("machines", template, RoleARN=service) == "ROLLBACK_COMPLETE"
    assert f"iam:PassRole on resource: {target}" in bench.failures("machines")[0]


@report(
    "ministryofjustice/modernisation-platform#13931",
    "EventBridge",
    situation="A role that may pass roles to Lambda alone gives one to a rule's target.",
    outcome="PutTargets is denied: the role is passed to events.amazonaws.com.",
)
def test_the_role_of_a_target_is_passed_to_eventbridge(bench: Bench) -> None:
    target = bench.role("delivers", "events.amazonaws.com")
    passing = {
        "Action": "iam:PassRole",
        "Resource": "*",
        "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
    }
    events = {"Action": "events:*", "Resource": "*"}
    client = bench.client("events", session=bench.session("targets", ACCOUNT, events, passing))
    client.put_rule(Name="cross", EventPattern='{"source": ["a"]}')
    bus = {"Id": "1", "Arn": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/b", "RoleArn": target}
    code, message = refused(client.put_targets, Rule="cross", Targets=[bus])
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {target}" in message


@report(
    "aws-solutions-library-samples/data-lakes-on-aws#275",
    "CloudFormation",
    situation="A role gives a stack its service role, and may pass roles to Lambda alone.",
    outcome="It is not authorized to perform iam:PassRole on the service role.",
)
def test_the_role_of_a_stack_is_passed_to_cloudformation(bench: Bench) -> None:
    service = execution_role(bench, "engineering", EVERYTHING)
    passing = {
        "Action": "iam:PassRole",
        "Resource": "*",
        "Condition": {"StringEquals": {"iam:PassedToService": ["lambda.amazonaws.com"]}},
    }
    session = bench.session(
        "team", ACCOUNT, {"Action": "cloudformation:*", "Resource": "*"}, passing
    )
    template = json.dumps({"Resources": {"Value": parameter("1")}})
    create = bench.client("cloudformation", session=session).create_stack
    given = {"StackName": "passed", "TemplateBody": template}
    message = refused(create, **given, RoleARN=service)[1]
    assert f"iam:PassRole on resource: {service}" in message


@report(
    "aws/serverless-application-model#448",
    "CloudFormation",
    situation="A stack's service role may not create the role of a function.",
    outcome="CREATE_FAILED: the session AWSCloudFormation is not authorized for iam:CreateRole.",
)
def test_a_service_role_that_may_not_create_roles(bench: Bench) -> None:
    service = execution_role(bench, "worker", {"Action": "lambda:*", "Resource": "*"})
    made = {"AssumeRolePolicyDocument": trust({"Service": "lambda.amazonaws.com"})}
    template = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": made}}}
    assert bench.create("hello", template, RoleARN=service) == "ROLLBACK_COMPLETE"
    reason = bench.failures("hello")[0]
    assert "assumed-role/worker/AWSCloudFormation is not authorized to perform: iam:CreateRole" in (
        reason
    )


@report(
    "aws/aws-cdk#22744",
    "IAM",
    situation="The boundary of the execution role denies role policies without that boundary.",
    outcome="A stack whose roles lack it fails, and one whose roles have it is made.",
)
def test_a_boundary_that_roles_have_to_keep(bench: Bench) -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/cdk-boundary"
    writes = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    keeps = {
        "Effect": "Deny",
        "Action": writes,
        "Resource": "*",
        "Condition": {"StringNotEquals": {"iam:PermissionsBoundary": boundary}},
    }
    iam = bench.client("iam")
    document = json.dumps(statements(EVERYTHING, keeps))
    iam.create_policy(PolicyName="cdk-boundary", PolicyDocument=document)
    service = execution_role(bench, "bounded", EVERYTHING)
    iam.put_role_permissions_boundary(RoleName="bounded", PermissionsBoundary=boundary)
    own = {"PolicyName": "p", "PolicyDocument": statements(EVERYTHING)}
    made = {
        "AssumeRolePolicyDocument": trust({"Service": "lambda.amazonaws.com"}),
        "Policies": [own],
    }
    role: dict[str, Any] = {"Type": "AWS::IAM::Role", "Properties": made}
    template = {"Resources": {"Role": role}}
    assert bench.create("without", template, RoleARN=service) == "ROLLBACK_COMPLETE"
    assert "with an explicit deny in a permissions boundary" in bench.failures("without")[0]
    made["PermissionsBoundary"] = boundary
    later = {
        "Type": "AWS::IAM::Policy",
        "Properties": own | {"PolicyName": "later", "Roles": [{"Ref": "Role"}]},
    }
    template["Resources"]["Later"] = later
    assert bench.create("kept", template, RoleARN=service) == "CREATE_COMPLETE"


def test_an_execution_role_that_may_not_attach_a_policy(bench: Bench) -> None:
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    guard = {
        "Effect": "Deny",
        "Action": "iam:AttachRolePolicy",
        "Resource": "*",
        "Condition": {"ArnEquals": {"iam:PolicyARN": administrator}},
    }
    service = execution_role(bench, "guarded", EVERYTHING, guard)
    made = {
        "AssumeRolePolicyDocument": trust({"Service": "lambda.amazonaws.com"}),
        "ManagedPolicyArns": [administrator],
    }
    template = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": made}}}
    assert bench.create("mighty", template, RoleARN=service) == "ROLLBACK_COMPLETE"
    assert "iam:AttachRolePolicy" in bench.failures("mighty")[0]
    made["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    assert bench.create("modest", template, RoleARN=service) == "CREATE_COMPLETE"


@report(
    "aws/aws-cdk#10116",
    "CloudFormation",
    situation="A stack is deleted after the role that it was made with.",
    outcome="ValidationError: the role is invalid or cannot be assumed.",
)
def test_a_stack_whose_role_is_gone(bench: Bench) -> None:
    service = execution_role(bench, "gone", EVERYTHING)
    template = {"Resources": {"Value": parameter("1")}}
    assert bench.create("orphan", template, RoleARN=service) == "CREATE_COMPLETE"
    iam = bench.client("iam")
    iam.delete_role_policy(RoleName="gone", PolicyName="own")
    iam.delete_role(RoleName="gone")
    said = ("ValidationError", f"Role {service} is invalid or cannot be assumed")
    assert refused(bench.stacks.delete_stack, StackName="orphan") == said
    execution_role(bench, "gone", EVERYTHING)
    assert bench.delete("orphan") == "DELETE_COMPLETE"


@report(
    "aws-actions/configure-aws-credentials#79",
    "IAM",
    situation="A session assumes a further role for six hours.",
    outcome="AssumeRole fails: role chaining is limited to one hour.",
)
def test_a_chained_session_of_more_than_an_hour(bench: Bench) -> None:
    hub = bench.session("hub", ACCOUNT, {"Action": "sts:AssumeRole", "Resource": "*"})
    bench.session("spoke", ACCOUNT, EVERYTHING)
    given = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/spoke", "RoleSessionName": "me"}
    assume = bench.client("sts", session=hub).assume_role
    assume(**given, DurationSeconds=3600)
    code, message = refused(assume, **given, DurationSeconds=21600)
    assert code == "ValidationError"
    assert message.startswith("The requested DurationSeconds exceeds the 1 hour session limit")
    code, message = refused(bench.client("sts").assume_role, **given, DurationSeconds=7200)
    assert message == (
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    )


@report(
    "aws/aws-cdk#7677",
    "KMS",
    situation="A stack makes a secret under a customer's key that its role may not use.",
    outcome="CREATE_FAILED: Access to KMS is not allowed.",
)
def test_a_secret_under_a_key_that_the_stack_may_not_use(bench: Bench) -> None:
    secrets = {"Action": "secretsmanager:*", "Resource": "*"}
    service = execution_role(bench, "secretive", secrets)
    made = {"SecretString": "x", "KmsKeyId": key(bench)}
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": made}
    template = {"Resources": {"Secret": secret}}
    assert bench.create("secret", template, RoleARN=service) == "ROLLBACK_COMPLETE"
    assert "Access to KMS is not allowed" in bench.failures("secret")[0]
    use = {"Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*"}
    allow(bench, "secretive", secrets, use)
    assert bench.create("open", template, RoleARN=service) == "CREATE_COMPLETE"


@report(
    "aws/aws-cdk#14043",
    "KMS",
    situation="A build's role reads a secret of another account, and may not use its key.",
    outcome="AccessDeniedException: Access to KMS is not allowed.",
)
def test_a_secret_of_another_account(bench: Bench) -> None:
    theirs = {"Principal": {"AWS": OTHER}, "Action": "kms:Decrypt"}
    secrets = bench.client("secretsmanager")
    reading = {"Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    policy = json.dumps(statements(reading | {"Principal": {"AWS": OTHER}}))
    arns = {}
    for name, given in {"default": {}, "shared": {"KmsKeyId": key(bench, theirs)}}.items():
        made = secrets.create_secret(Name=name, SecretString="x", **given)
        arns[name] = made["ARN"]
        secrets.put_resource_policy(SecretId=made["ARN"], ResourcePolicy=policy)
    session = bench.session("reader", OTHER, reading)
    read = bench.client("secretsmanager", OTHER, session=session).get_secret_value
    said = ("AccessDeniedException", "Access to KMS is not allowed")
    assert refused(read, SecretId=arns["shared"]) == said
    decrypt = {"Action": "kms:Decrypt", "Resource": "*"}
    allow(bench, "reader", reading, decrypt, account=OTHER)
    assert refused(read, SecretId=arns["default"]) == said
    own = bench.session("own-reader", ACCOUNT, reading)
    found = bench.client("secretsmanager", session=own).get_secret_value(SecretId="default")
    assert found["SecretString"] == "x"


@report(
    "aws/aws-cdk#4498",
    "KMS",
    situation="A role reads a SecureString under a customer's key, and may not decrypt with it.",
    outcome="AccessDeniedException by KMS.",
)
def test_a_secure_string_under_a_customers_key(bench: Bench) -> None:
    ssm = bench.client("ssm")
    arn = key(bench)
    ssm.put_parameter(Name="/custom", Type="SecureString", Value="x", KeyId=arn)
    ssm.put_parameter(Name="/default", Type="SecureString", Value="x")
    reading = {"Action": "ssm:GetParameter", "Resource": "*"}
    client = bench.client("ssm", session=bench.session("starter", ACCOUNT, reading))
    code, message = refused(client.get_parameter, Name="/custom", WithDecryption=True)
    assert code == "AccessDeniedException"
    assert f"kms:Decrypt on resource: {arn}" in message
    client.get_parameter(Name="/custom")
    client.get_parameter(Name="/default", WithDecryption=True)
    encrypted = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/custom"
    through = {
        "kms:ViaService": f"ssm.{REGION}.amazonaws.com",
        "kms:EncryptionContext:PARAMETER_ARN": encrypted,
    }
    use = {"Action": "kms:Decrypt", "Resource": arn, "Condition": {"StringEquals": through}}
    allow(bench, "starter", reading, use)
    client.get_parameter(Name="/custom", WithDecryption=True)


def test_a_boundary_that_does_not_exist_allows_nothing(bench: Bench) -> None:
    session = bench.session("limited", ACCOUNT, EVERYTHING)
    absent = f"arn:aws:iam::{ACCOUNT}:policy/absent"
    iam_backends[ACCOUNT]["aws"].get_role("limited").permissions_boundary_arn = absent
    get = bench.client("ssm", session=session).get_parameter
    assert "no permissions boundary allows" in refused(get, Name="/a")[1]


def test_a_stack_is_given_no_role_of_another_account(bench: Bench) -> None:
    document = json.dumps(trust({"Service": CLOUDFORMATION}))
    iam = bench.client("iam", OTHER)
    arn = iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    template = json.dumps({"Resources": {"Value": parameter("1")}})
    message = refused(
        bench.stacks.create_stack, StackName="across", TemplateBody=template, RoleARN=arn
    )[1]
    assert message == "Cross-account pass role is not allowed."
